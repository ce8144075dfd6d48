//! What a function's annotations say about when it is to be called.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use openfaas_runtime::parse_duration;

/// Annotation: the topics that call the function, separated by commas.
const TOPIC: &str = "topic";
/// Annotation: when.
const SCHEDULE: &str = "schedule";
/// The topic of calls at certain times.
pub(super) const CRON_TOPIC: &str = "cron-function";
const MINUTE: Duration = Duration::from_secs(60);
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// Times without end.
#[derive(Debug, Clone)]
pub(crate) struct Schedule(Kind);

#[derive(Debug, Clone)]
enum Kind {
    Pattern {
        cron: Box<Cron>,
        zone: Tz,
    },
    /// Whole minutes, counted from 1970, so that a restart changes nothing.
    Every(TimeDelta),
}

impl Schedule {
    /// Reads annotations; an error is a sentence. `None` for a function that is not called at certain times.
    pub(crate) fn of(annotations: &BTreeMap<String, String>) -> Result<Option<Self>, String> {
        let Some(text) = text(annotations)? else { return Ok(None) };
        let schedule = Self::parse(text).map_err(|reason| {
            format!(
                "the annotation {SCHEDULE} is \"{text}\" and cannot be used: {reason}. It has five fields (minute, hour, \
                 day, month, weekday) as in \"*/5 * * * *\", or is @hourly, @daily, @weekly, @monthly, @yearly or \
                 \"@every 10m\"; a time zone may come first, as in \"CRON_TZ=Europe/Berlin 0 9 * * MON-FRI\""
            )
        })?;
        Ok(Some(schedule))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let (zone, pattern) = match text.strip_prefix("CRON_TZ=").or_else(|| text.strip_prefix("TZ=")) {
            None => (Tz::UTC, text),
            Some(rest) => {
                let (name, pattern) = rest.split_once(char::is_whitespace).ok_or("nothing follows the time zone")?;
                (name.parse().map_err(|_| format!("there is no time zone \"{name}\""))?, pattern.trim())
            }
        };
        if let Some(every) = pattern.strip_prefix("@every ") {
            return Ok(Self(Kind::Every(period(every)?)));
        }
        // Names that croner does not know.
        let pattern = if pattern.eq_ignore_ascii_case("@midnight") { "@daily" } else { pattern };
        let parser = CronParser::builder().seconds(Seconds::Disallowed).year(Year::Disallowed).build();
        let cron = Box::new(parser.parse(pattern).map_err(|error| error.to_string())?);
        cron.find_next_occurrence(&Utc::now(), false).map_err(|_| "such a time never comes".to_owned())?;
        Ok(Self(Kind::Pattern { cron, zone }))
    }

    /// The latest time that is not after `now`.
    pub(super) fn latest(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match &self.0 {
            Kind::Pattern { cron, zone } => {
                let latest = cron.find_previous_occurrence(&now.with_timezone(zone), true).ok()?;
                Some(latest.to_utc())
            }
            Kind::Every(period) => {
                let past = now.timestamp().rem_euclid(period.num_seconds());
                DateTime::from_timestamp(now.timestamp() - past, 0)
            }
        }
    }
}

/// The schedule as it is written, if there is one.
pub(super) fn text(annotations: &BTreeMap<String, String>) -> Result<Option<&str>, String> {
    let topics = annotations.get(TOPIC).map_or("", String::as_str);
    if !topics.split(',').any(|topic| topic.trim() == CRON_TOPIC) {
        return Ok(None);
    }
    let schedule = annotations.get(SCHEDULE).map(|text| text.trim()).filter(|text| !text.is_empty());
    schedule.map(Some).ok_or_else(|| {
        format!("the annotation {TOPIC} names {CRON_TOPIC}, and the annotation {SCHEDULE} that says when is missing")
    })
}

fn period(text: &str) -> Result<TimeDelta, String> {
    let period = parse_duration(text).ok_or_else(|| format!("\"{text}\" is not a duration such as 10m"))?;
    if period > LONGEST {
        return Err("@every goes up to a year".to_owned());
    }
    if period < MINUTE || period.as_secs() % MINUTE.as_secs() != 0 || period.subsec_nanos() != 0 {
        return Err("@every needs whole minutes".to_owned());
    }
    TimeDelta::from_std(period).map_err(|_| "the duration is too long".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotations(topic: &str, schedule: &str) -> BTreeMap<String, String> {
        BTreeMap::from([(TOPIC.to_owned(), topic.to_owned()), (SCHEDULE.to_owned(), schedule.to_owned())])
    }

    fn time(text: &str) -> DateTime<Utc> {
        format!("{text}:00Z").parse().unwrap()
    }

    #[test]
    fn the_latest_time_is_found_in_every_notation() {
        let now = time("2026-03-04T10:37");
        for (schedule, expected) in [
            ("* * * * *", "2026-03-04T10:37"),
            ("*/5 * * * *", "2026-03-04T10:35"),
            ("0 0 * * *", "2026-03-04T00:00"),
            (" 30 9 * * MON-FRI ", "2026-03-04T09:30"),
            ("0 12 * * 0", "2026-03-01T12:00"),
            ("0 12 1 jan *", "2026-01-01T12:00"),
            ("@hourly", "2026-03-04T10:00"),
            ("@daily", "2026-03-04T00:00"),
            ("@midnight", "2026-03-04T00:00"),
            ("@weekly", "2026-03-01T00:00"),
            ("@monthly", "2026-03-01T00:00"),
            ("@yearly", "2026-01-01T00:00"),
            ("@annually", "2026-01-01T00:00"),
            ("@every 10m", "2026-03-04T10:30"),
            ("@every 1h30m", "2026-03-04T10:30"),
            // Either day will do where both are named.
            ("0 0 13 * FRI", "2026-02-27T00:00"),
        ] {
            let schedule = Schedule::of(&annotations(CRON_TOPIC, schedule)).unwrap().unwrap();
            assert_eq!(schedule.latest(now), Some(time(expected)), "{schedule:?}");
        }
        let exact = Schedule::of(&annotations(CRON_TOPIC, "37 10 * * *")).unwrap().unwrap();
        assert_eq!(exact.latest(now), Some(now), "the time itself counts");
    }

    #[test]
    fn time_zones_follow_their_own_clocks() {
        let nine = Schedule::of(&annotations(CRON_TOPIC, "CRON_TZ=Europe/Berlin 0 9 * * *")).unwrap().unwrap();
        assert_eq!(nine.latest(time("2026-01-10T20:00")), Some(time("2026-01-10T08:00")));
        assert_eq!(nine.latest(time("2026-07-10T20:00")), Some(time("2026-07-10T07:00")));
        // On this night there is no 02:30 in Berlin.
        let early = Schedule::of(&annotations(CRON_TOPIC, "TZ=Europe/Berlin 30 2 * * *")).unwrap().unwrap();
        assert_eq!(early.latest(time("2026-03-29T12:00")), Some(time("2026-03-29T01:00")));
    }

    #[test]
    fn topics_are_a_list_and_others_are_not_for_us() {
        for topic in ["cron-function", "payments, cron-function", "cron-function,x"] {
            assert!(Schedule::of(&annotations(topic, "@daily")).unwrap().is_some(), "{topic}");
        }
        for topic in ["", "cron", "cron-functions"] {
            assert!(Schedule::of(&annotations(topic, "nonsense")).unwrap().is_none(), "{topic}");
        }
        assert!(Schedule::of(&BTreeMap::new()).unwrap().is_none());
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_a_sentence() {
        for (schedule, words) in [
            ("", "is missing"),
            ("*/5 * * *", "cannot be used"),
            ("* * * * * *", "cannot be used"),
            ("61 * * * *", "cannot be used"),
            ("0 0 31 2 *", "never comes"),
            ("@reboot", "cannot be used"),
            ("@every 10s", "whole minutes"),
            ("@every 90s", "whole minutes"),
            ("@every soon", "not a duration"),
            ("@every 9999h", "up to a year"),
            ("CRON_TZ=Mars/Olympus 0 0 * * *", "no time zone"),
            ("CRON_TZ=UTC", "nothing follows"),
            ("ünïcode", "cannot be used"),
        ] {
            let sentence = Schedule::of(&annotations(CRON_TOPIC, schedule)).unwrap_err();
            assert!(sentence.contains(words), "{schedule}: {sentence}");
        }
    }
}
