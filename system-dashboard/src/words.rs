//! Figures and times as people read them.

use std::time::{SystemTime, UNIX_EPOCH};

use chrono::DateTime;
use sdk::status::State;

/// Now, in milliseconds since 1970.
pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

/// A moment, for `<time>`.
#[derive(Debug, Clone, Default)]
pub(crate) struct Moment {
    /// For machines.
    pub(crate) exact: String,
    /// For people, to the second.
    pub(crate) full: String,
    /// How long ago.
    pub(crate) ago: String,
    /// The time of day, with milliseconds.
    pub(crate) clock: String,
}

/// The moment that is so many milliseconds after the beginning of 1970.
pub(crate) fn moment(millis: u64) -> Moment {
    let Some(time) = i64::try_from(millis).ok().and_then(DateTime::from_timestamp_millis) else {
        return Moment::default();
    };
    Moment {
        exact: time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        full: time.format("%-d %b %Y, %H:%M:%S UTC").to_string(),
        ago: ago(now().saturating_sub(millis)),
        clock: time.format("%m-%d %H:%M:%S%.3f").to_string(),
    }
}

fn ago(millis: u64) -> String {
    let seconds = millis / 1000;
    let (count, unit) = match seconds {
        0..60 => return "just now".to_owned(),
        60..3600 => (seconds / 60, "minute"),
        3600..86_400 => (seconds / 3600, "hour"),
        86_400..2_592_000 => (seconds / 86_400, "day"),
        2_592_000..31_536_000 => (seconds / 2_592_000, "month"),
        _ => (seconds / 31_536_000, "year"),
    };
    format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" })
}

/// How long something took: `12 s`, `3 min 5 s`.
pub(crate) fn took(millis: u64) -> String {
    match millis {
        0..1000 => format!("{millis} ms"),
        1000..60_000 => format!("{:.1} s", millis as f64 / 1000.0),
        60_000..3_600_000 => format!("{} min {} s", millis / 60_000, millis / 1000 % 60),
        _ => format!("{} h {} min", millis / 3_600_000, millis / 60_000 % 60),
    }
}

/// A latency in seconds.
pub(crate) fn latency(seconds: f64) -> String {
    match seconds {
        s if !s.is_finite() || s < 0.0 => "–".to_owned(),
        s if s < 0.001 => "< 1 ms".to_owned(),
        s if s < 1.0 => format!("{:.0} ms", s * 1000.0),
        s => format!("{s:.1} s"),
    }
}

/// A count: `950`, `1.2k`, `3.4M`.
pub(crate) fn count(number: f64) -> String {
    // The sum of nothing is -0.
    match number + 0.0 {
        n if !n.is_finite() || n < 0.0 => "–".to_owned(),
        n if n < 999.5 => format!("{n:.0}"),
        n if n < 999_500.0 => format!("{:.1}k", n / 1e3),
        n if n < 999_500_000.0 => format!("{:.1}M", n / 1e6),
        n => format!("{:.1}G", n / 1e9),
    }
}

/// Bytes: `12 KiB`.
pub(crate) fn bytes(number: f64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    if !number.is_finite() || number < 0.0 {
        return "–".to_owned();
    }
    let (mut number, mut unit) = (number, 0);
    while number >= 1024.0 && unit + 1 < UNITS.len() {
        number /= 1024.0;
        unit += 1;
    }
    if number < 10.0 && unit > 0 {
        format!("{number:.1} {}", UNITS[unit])
    } else {
        format!("{number:.0} {}", UNITS[unit])
    }
}

/// Processors: `0.25`.
pub(crate) fn processors(number: f64) -> String {
    if number.is_finite() && number >= 0.0 { format!("{number:.2}") } else { "–".to_owned() }
}

/// A share of a hundred.
pub(crate) fn percent(part: f64, whole: f64) -> String {
    if whole <= 0.0 || !whole.is_finite() {
        return "–".to_owned();
    }
    // The sum of nothing is -0.
    let share = part / whole * 100.0 + 0.0;
    if share > 0.0 && share < 0.1 { "< 0.1 %".to_owned() } else { format!("{share:.1} %") }
}

/// A text as a value in an address's query.
pub(crate) fn query(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

/// A state in a word, and the class of its mark.
pub(crate) fn state(state: State) -> (&'static str, &'static str) {
    match state {
        State::Queued => ("Waiting", "wait"),
        State::InProgress => ("Building", "busy"),
        State::Success => ("Live", "good"),
        State::Failure => ("Failed", "bad"),
        State::Neutral => ("Skipped", "calm"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_short() {
        assert_eq!([-0.0, 999.0, 1200.0, 3_400_000.0, f64::NAN].map(count), ["0", "999", "1.2k", "3.4M", "–"]);
        assert_eq!([0.0, 1536.0, 200.0 * 1024.0, -1.0].map(bytes), ["0 B", "1.5 KiB", "200 KiB", "–"]);
        assert_eq!([0.0001, 0.25, 2.0, f64::INFINITY].map(latency), ["< 1 ms", "250 ms", "2.0 s", "–"]);
        assert_eq!([(1.0, 0.0), (1.0, 2.0), (1.0, 1e6)].map(|(a, b)| percent(a, b)), ["–", "50.0 %", "< 0.1 %"]);
        assert_eq!(percent(-0.0, 1.0), "0.0 %");
        assert_eq!([999, 2500, 185_000, 7_260_000].map(took), ["999 ms", "2.5 s", "3 min 5 s", "2 h 1 min"]);
        assert_eq!([1000, 60_000, 7_200_000].map(ago), ["just now", "1 minute ago", "2 hours ago"]);
    }

    #[test]
    fn a_moment_is_exact_for_machines_and_one_beyond_all_calendars_is_none() {
        assert_eq!(moment(1_000).exact, "1970-01-01T00:00:01.000Z");
        assert_eq!(moment(u64::MAX).full, "");
    }
}
