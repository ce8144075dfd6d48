//! Graphs as SVG paths. Colours and widths are the style's.

use sdk::metrics::Point;

/// The inner size that all graphs are drawn in; the page stretches them.
pub(crate) const WIDTH: f64 = 600.0;
/// Its height.
pub(crate) const HEIGHT: f64 = 140.0;

/// The time that a graph shows. What is not known of it stays empty.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Axis {
    /// Its end, in seconds since 1970.
    pub(crate) until: u64,
    /// Its length in seconds.
    pub(crate) seconds: u64,
    /// So many points fit into it.
    pub(crate) slots: usize,
}

impl Axis {
    /// Where a moment is, from 0 to 1.
    fn place(self, at: u64) -> f64 {
        let before_end = self.until.saturating_sub(at) as f64;
        (1.0 - before_end / self.seconds.max(1) as f64).clamp(0.0, 1.0)
    }
}

/// One graph.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chart {
    pub(crate) title: &'static str,
    /// What it shows, in a sentence, for those who do not see it.
    pub(crate) summary: String,
    pub(crate) lines: Vec<Drawn>,
    /// The value at the top.
    pub(crate) top: String,
}

/// A series as a path.
#[derive(Debug, Clone, Default)]
pub(crate) struct Drawn {
    pub(crate) name: &'static str,
    /// Of the style.
    pub(crate) class: &'static str,
    pub(crate) path: String,
    /// The last value.
    pub(crate) last: String,
}

/// A series to draw: missing values leave a gap.
pub(crate) struct Series {
    pub(crate) name: &'static str,
    pub(crate) class: &'static str,
    /// When, in seconds since 1970, and what.
    pub(crate) values: Vec<(u64, Option<f64>)>,
}

/// Draws series against one scale. `None` where no value is known.
pub(crate) fn lines(title: &'static str, axis: Axis, series: &[Series], show: fn(f64) -> String) -> Option<Chart> {
    let values = || series.iter().flat_map(|series| series.values.iter().filter_map(|(_, value)| known(*value)));
    values().next()?;
    let top = ceiling(values().fold(0.0, f64::max));
    let drawn = |series: &Series| {
        let last = series.values.iter().rev().find_map(|(_, value)| *value).map(show).unwrap_or_default();
        Drawn { name: series.name, class: series.class, path: path(axis, &series.values, top), last }
    };
    let lines: Vec<_> = series.iter().map(drawn).collect();
    let peak = show(values().fold(0.0, f64::max));
    let now: Vec<_> = lines.iter().map(|line| format!("{} {}", line.name, line.last)).collect();
    let summary = format!("{title}: last {}; highest {peak}.", now.join(", "));
    Some(Chart { title, summary, lines, top: show(top) })
}

fn known(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite())
}

fn path(axis: Axis, values: &[(u64, Option<f64>)], top: f64) -> String {
    let (mut path, mut is_down) = (String::new(), false);
    for (at, value) in values {
        let Some(value) = known(*value) else {
            is_down = false;
            continue;
        };
        let (x, y) = (axis.place(*at) * WIDTH, HEIGHT - value.clamp(0.0, top) / top * HEIGHT);
        // A stroke of no length is a dot, so that a value alone is seen.
        path.push_str(&if is_down { format!("L{x:.1} {y:.1}") } else { format!("M{x:.1} {y:.1}h0") });
        is_down = true;
    }
    path
}

/// Calls in the time before a moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bar {
    /// In seconds since 1970.
    pub(crate) at: u64,
    pub(crate) success: f64,
    pub(crate) failure: f64,
}

/// The calls of a series.
pub(crate) fn calls(series: &[Point]) -> Vec<Bar> {
    series.iter().map(|point| Bar { at: point.at, success: point.success, failure: point.failure }).collect()
}

/// Bars of two kinds upon each other, as two paths.
pub(crate) fn bars(axis: Axis, bars: &[Bar], width: f64, height: f64) -> (String, String) {
    let good = |value: f64| if value.is_finite() { value.max(0.0) } else { 0.0 };
    let top = bars.iter().map(|bar| good(bar.success) + good(bar.failure)).fold(0.0, f64::max);
    let slot = width / axis.slots.max(1) as f64;
    let wide = (slot * 0.72).max(0.5);
    let draw = |at: u64, from: f64, to: f64| {
        let x = (axis.place(at) * width - slot).max(0.0);
        format!("M{x:.1} {:.1}h{wide:.1}V{:.1}h-{wide:.1}z", height - from, height - to)
    };
    let (mut good_path, mut bad_path) = (String::new(), String::new());
    for bar in bars.iter().filter(|_| top > 0.0) {
        let (s, f) = (good(bar.success) / top * height, good(bar.failure) / top * height);
        // The smallest count is still to be seen.
        let (s, f) = (if s > 0.0 { s.max(1.0) } else { s }, if f > 0.0 { f.max(1.5) } else { f });
        if s > 0.0 {
            good_path.push_str(&draw(bar.at, 0.0, s));
        }
        if f > 0.0 {
            bad_path.push_str(&draw(bar.at, s, s + f));
        }
    }
    (good_path, bad_path)
}

/// The next round number.
pub(crate) fn ceiling(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let unit = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|step| step * unit).find(|top| *top >= value).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AXIS: Axis = Axis { until: 1000, seconds: 300, slots: 4 };

    #[test]
    fn a_gap_is_a_gap_and_the_scale_is_round() {
        let values = vec![(700, Some(1.0)), (800, None), (900, Some(7.0)), (950, Some(7.0)), (1000, Some(f64::NAN))];
        let chart = lines("Latency", AXIS, &[Series { name: "p50", class: "a", values }], crate::words::count).unwrap();
        let path = "M0.0 126.0h0M400.0 42.0h0L500.0 42.0";
        assert_eq!((chart.top.as_str(), chart.lines[0].path.as_str()), ("10", path));
        assert!(lines("Latency", AXIS, &[], crate::words::count).is_none());
        assert_eq!([0.0, 0.3, 3.0, 21.0, 100.0].map(ceiling), [1.0, 0.5, 5.0, 25.0, 100.0]);
    }

    #[test]
    fn bars_stand_upon_each_other_at_their_time_and_silence_draws_nothing() {
        let bar = |at, success, failure| Bar { at, success, failure };
        let (good, bad) = bars(AXIS, &[bar(775, 3.0, 1.0), bar(1000, 0.0, f64::NAN)], 40.0, 10.0);
        assert_eq!((good.as_str(), bad.as_str()), ("M0.0 10.0h7.2V2.5h-7.2z", "M0.0 2.5h7.2V0.0h-7.2z"));
        let (good, _) = bars(AXIS, &[bar(1000, 1.0, 0.0)], 40.0, 10.0);
        assert_eq!(good, "M30.0 10.0h7.2V0.0h-7.2z", "what is known of a short time does not fill the graph");
        assert_eq!(bars(AXIS, &[bar(1000, 0.0, 0.0)], 20.0, 10.0), (String::new(), String::new()));
    }
}
