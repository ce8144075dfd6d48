//! Graphs as SVG paths. Colours and widths are the style's.

/// The inner size that all graphs are drawn in; the page stretches them.
pub(crate) const WIDTH: f64 = 600.0;
/// Its height.
pub(crate) const HEIGHT: f64 = 140.0;

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
    pub(crate) values: Vec<Option<f64>>,
}

/// Draws series against one scale. `None` where no value is known.
pub(crate) fn lines(title: &'static str, series: &[Series], show: fn(f64) -> String) -> Option<Chart> {
    let values = || series.iter().flat_map(|series| series.values.iter().flatten().copied()).filter(|v| v.is_finite());
    values().next()?;
    let top = ceiling(values().fold(0.0, f64::max));
    let drawn = |series: &Series| {
        let last = series.values.iter().rev().flatten().next().map(|value| show(*value)).unwrap_or_default();
        Drawn { name: series.name, class: series.class, path: path(&series.values, top), last }
    };
    let lines: Vec<_> = series.iter().map(drawn).collect();
    let peak = show(values().fold(0.0, f64::max));
    let now: Vec<_> = lines.iter().map(|line| format!("{} {}", line.name, line.last)).collect();
    let summary = format!("{title}: last {}; highest {peak}.", now.join(", "));
    Some(Chart { title, summary, lines, top: show(top) })
}

fn path(values: &[Option<f64>], top: f64) -> String {
    let step = WIDTH / values.len().saturating_sub(1).max(1) as f64;
    let (mut path, mut is_down) = (String::new(), false);
    for (at, value) in values.iter().enumerate() {
        let Some(value) = value.filter(|value| value.is_finite()) else {
            is_down = false;
            continue;
        };
        let (x, y) = (at as f64 * step, HEIGHT - value.clamp(0.0, top) / top * HEIGHT);
        path.push_str(&format!("{}{x:.1} {y:.1}", if is_down { "L" } else { "M" }));
        is_down = true;
    }
    path
}

/// Bars of two kinds upon each other, as two paths.
pub(crate) fn bars(success: &[f64], failure: &[f64], width: f64, height: f64) -> (String, String) {
    let good = |value: &f64| if value.is_finite() { value.max(0.0) } else { 0.0 };
    let sums = success.iter().zip(failure).map(|(s, f)| good(s) + good(f));
    let top = sums.fold(0.0, f64::max);
    let slot = width / success.len().max(1) as f64;
    let bar = |at: usize, from: f64, to: f64| {
        let (x, wide) = (at as f64 * slot, (slot * 0.72).max(0.5));
        format!("M{x:.1} {:.1}h{wide:.1}V{:.1}h-{wide:.1}z", height - from, height - to)
    };
    let (mut good_path, mut bad_path) = (String::new(), String::new());
    for (at, (s, f)) in success.iter().zip(failure).enumerate().filter(|_| top > 0.0) {
        let (s, f) = (good(s) / top * height, good(f) / top * height);
        // The smallest count is still to be seen.
        let (s, f) = (if s > 0.0 { s.max(1.0) } else { s }, if f > 0.0 { f.max(1.5) } else { f });
        if s > 0.0 {
            good_path.push_str(&bar(at, 0.0, s));
        }
        if f > 0.0 {
            bad_path.push_str(&bar(at, s, s + f));
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

    #[test]
    fn a_gap_is_a_gap_and_the_scale_is_round() {
        let series = [Series { name: "p50", class: "a", values: vec![Some(1.0), None, Some(7.0), Some(f64::NAN)] }];
        let chart = lines("Latency", &series, crate::words::count).unwrap();
        assert_eq!((chart.top.as_str(), chart.lines[0].path.as_str()), ("10", "M0.0 126.0M400.0 42.0"));
        assert!(lines("Latency", &[], crate::words::count).is_none());
        assert_eq!([0.0, 0.3, 3.0, 21.0, 100.0].map(ceiling), [1.0, 0.5, 5.0, 25.0, 100.0]);
    }

    #[test]
    fn bars_stand_upon_each_other_and_silence_draws_nothing() {
        let (good, bad) = bars(&[3.0, 0.0], &[1.0, f64::NAN], 20.0, 10.0);
        assert_eq!((good.as_str(), bad.as_str()), ("M0.0 10.0h7.2V2.5h-7.2z", "M0.0 2.5h7.2V0.0h-7.2z"));
        assert_eq!(bars(&[0.0], &[0.0], 20.0, 10.0), (String::new(), String::new()));
    }
}
