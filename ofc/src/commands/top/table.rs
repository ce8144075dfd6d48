//! The table of `ofc top`.

use std::time::Duration;

use sdk::gateway::FunctionStatus;
use sdk::metrics::{Figures, Point};

use super::Known;
use crate::commands::ls::full_name;
use crate::terminal;

const HEADING: [&str; 6] = ["FUNCTION", "REPLICAS", "CALLS/S", "ERRORS", "P95", "MEMORY"];

pub(super) fn render(functions: &[FunctionStatus], known: &Known) -> String {
    if functions.is_empty() {
        return "No function of a repository is deployed.\n".to_owned();
    }
    let mut lines: Vec<_> = functions.iter().map(|function| Line::of(function, known.get(&function.name))).collect();
    lines.sort_by(|a, b| b.rate.total_cmp(&a.rate).then_with(|| a.cells[0].cmp(&b.cells[0])));
    let mut rows = vec![HEADING.map(str::to_owned).to_vec()];
    rows.extend(lines.into_iter().map(|line| line.cells));
    terminal::table(&rows)
}

struct Line {
    rate: f64,
    cells: Vec<String>,
}

impl Line {
    fn of(function: &FunctionStatus, known: Option<&(u64, Figures)>) -> Self {
        let last = known.and_then(|(since, figures)| last(*since, figures));
        let rate = last.map_or(0.0, |(point, seconds)| (point.success + point.failure) / seconds);
        let or_dash = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        let errors = last.map(|(point, _)| percent(point));
        let p95 = last.and_then(|(point, _)| point.latency).map(|latency| seconds(latency.p95));
        let memory = last.and_then(|(point, _)| point.memory).map(|bytes| terminal::size(bytes.max(0.0) as u64));
        let cells = vec![
            full_name(function),
            format!("{}/{}", function.available_replicas, function.replicas),
            or_dash(last.map(|_| format!("{rate:.1}"))),
            or_dash(errors),
            or_dash(p95),
            or_dash(memory),
        ];
        Self { rate, cells }
    }
}

/// The newest point, and the seconds that it is about: since the one before it, or since something is known.
fn last(since: u64, figures: &Figures) -> Option<(&Point, f64)> {
    let (last, others) = figures.series.split_last()?;
    let seconds = last.at.saturating_sub(others.last().map_or(since, |before| before.at));
    (seconds > 0).then_some((last, seconds as f64))
}

fn percent(point: &Point) -> String {
    let all = point.success + point.failure;
    if all > 0.0 { format!("{:.1} %", 100.0 * point.failure / all) } else { "0.0 %".to_owned() }
}

fn seconds(seconds: f64) -> String {
    Duration::try_from_secs_f64(seconds).map_or_else(|_| "-".to_owned(), terminal::duration)
}

#[cfg(test)]
mod tests {
    use sdk::labels;
    use sdk::metrics::Latency;

    use super::*;

    fn function(name: &str) -> FunctionStatus {
        let labels = [(labels::GIT_CLOUD, "1"), (labels::GIT_OWNER, "alice")];
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        FunctionStatus {
            name: name.to_owned(),
            labels,
            replicas: 2,
            available_replicas: 1,
            ..FunctionStatus::default()
        }
    }

    fn figures(success: f64, failure: f64, latency: Option<Latency>, memory: Option<f64>) -> (u64, Figures) {
        let last = Point { at: 120, success, failure, latency, memory, ..Point::default() };
        (0, Figures { series: vec![Point { at: 60, ..Point::default() }, last], ..Figures::default() })
    }

    #[test]
    fn the_busiest_come_first_and_what_is_not_known_is_a_dash() {
        let functions = [function("alice-idle"), function("alice-busy"), function("alice-unknown")];
        let latency = Some(Latency { p50: 0.001, p95: 0.0204, p99: 1.0 });
        let known = [
            ("alice-idle", figures(0.0, 0.0, None, None)),
            ("alice-busy", figures(590.0, 10.0, latency, Some(12_000_000.0))),
        ];
        let known = known.map(|(name, figures)| (name.to_owned(), figures)).into();
        insta::assert_snapshot!(render(&functions, &known), @r"
        FUNCTION       REPLICAS  CALLS/S  ERRORS  P95    MEMORY
        alice/busy     1/2       10.0     1.7 %   20 ms  12.00 MB
        alice/idle     1/2       0.0      0.0 %   -      -
        alice/unknown  1/2       -        -       -      -
        ");
        assert!(render(&[], &Known::new()).contains("No function"));
    }

    #[test]
    fn odd_figures_break_nothing() {
        let latency = Some(Latency { p50: f64::NAN, p95: f64::NAN, p99: f64::INFINITY });
        let known = [("alice-a".to_owned(), figures(f64::NAN, -1.0, latency, Some(f64::NAN)))].into();
        assert!(render(&[function("alice-a")], &known).contains("alice/a"));
        let none = Figures { series: vec![Point::default()], ..Figures::default() };
        assert!(render(&[function("alice-a")], &[("alice-a".to_owned(), (0, none))].into()).contains(" -"));
    }

    #[test]
    fn a_platform_that_has_just_begun_has_one_point() {
        let first = Point { at: 130, success: 20.0, ..Point::default() };
        let figures = Figures { series: vec![first], ..Figures::default() };
        let text = render(&[function("alice-a")], &[("alice-a".to_owned(), (120, figures))].into());
        assert!(text.contains("2.0"), "{text}");
    }
}
