//! What a function's labels say about how many replicas it is to have.
//!
//! The names are OpenFaaS' (`com.openfaas.scale.…`), and so are the defaults. One thing differs: a function is scaled
//! by its load only if it names a target or a type. On one machine more replicas bring no more processors, so nobody
//! gets them unasked.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

use openfaas_runtime::parse_duration;

const PREFIX: &str = "com.openfaas.scale.";
const DEFAULT_MAX: u32 = 20;
const DEFAULT_TARGET: f64 = 50.0;
const DEFAULT_PROPORTION: f64 = 0.9;
const DEFAULT_ZERO_AFTER: Duration = Duration::from_secs(15 * 60);

/// How a function's load is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Measure {
    /// Requests begun per second.
    Rps,
    /// Requests in flight.
    Capacity,
}

/// The load that one replica is meant to carry.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Target {
    pub(crate) measure: Measure,
    /// Per replica, with the proportion worked in.
    pub(crate) load: f64,
}

/// How many replicas a function is to have.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Policy {
    pub(crate) min: u32,
    pub(crate) max: u32,
    /// Idle for so long, it is scaled to zero.
    pub(crate) zero_after: Option<Duration>,
    /// Scaled by its load, if it wishes so.
    pub(crate) target: Option<Target>,
}

impl Policy {
    /// Reads a function's labels; an error is a sentence. `most` replicas is what a function may have at all.
    pub(crate) fn of(labels: &BTreeMap<String, String>, most: u32) -> Result<Self, String> {
        let min = number(labels, "min", 0, most)?.unwrap_or(1);
        let max = number(labels, "max", 1, u32::MAX)?.unwrap_or(DEFAULT_MAX.max(min)).min(most);
        if min > max {
            return Err(format!("the label {PREFIX}min is {min}, more than {PREFIX}max, which is {max}"));
        }
        let zero_after = duration(labels)?;
        let zero = flag(labels, "zero")?;
        Ok(Self { min: min.max(1), max, zero_after: zero.then_some(zero_after), target: target(labels)? })
    }
}

fn target(labels: &BTreeMap<String, String>) -> Result<Option<Target>, String> {
    let measure = match wish(labels, "type") {
        None => None,
        Some("rps") => Some(Measure::Rps),
        Some("capacity") => Some(Measure::Capacity),
        Some(other) => return Err(wrong("type", other, "rps or capacity, which this gateway can measure")),
    };
    let positive = "a number greater than zero";
    let load: Option<f64> = parsed(labels, "target", positive)?;
    if load.is_some_and(|load| !(load > 0.0 && load.is_finite())) {
        return Err(wrong("target", wish(labels, "target").unwrap_or_default(), positive));
    }
    let part = "a number greater than 0 and at most 1";
    let proportion: f64 = parsed(labels, "target-proportion", part)?.unwrap_or(DEFAULT_PROPORTION);
    if !(proportion > 0.0 && proportion <= 1.0) {
        return Err(wrong("target-proportion", wish(labels, "target-proportion").unwrap_or_default(), part));
    }
    let wanted = measure.is_some() || load.is_some();
    Ok(wanted.then(|| Target {
        measure: measure.unwrap_or(Measure::Rps),
        load: load.unwrap_or(DEFAULT_TARGET) * proportion,
    }))
}

fn duration(labels: &BTreeMap<String, String>) -> Result<Duration, String> {
    let Some(text) = wish(labels, "zero-duration") else { return Ok(DEFAULT_ZERO_AFTER) };
    let duration = parse_duration(text).filter(|duration| *duration >= Duration::from_secs(1));
    duration.ok_or_else(|| wrong("zero-duration", text, "a duration of at least one second such as 15m or 90s"))
}

fn flag(labels: &BTreeMap<String, String>, name: &str) -> Result<bool, String> {
    match wish(labels, name) {
        None | Some("false" | "0") => Ok(false),
        Some("true" | "1") => Ok(true),
        Some(other) => Err(wrong(name, other, "true or false")),
    }
}

fn number(labels: &BTreeMap<String, String>, name: &str, least: u32, most: u32) -> Result<Option<u32>, String> {
    let rule =
        if most == u32::MAX { format!("a whole number from {least} on") } else { format!("from {least} to {most}") };
    let number: Option<u32> = parsed(labels, name, &rule)?;
    match number {
        Some(number) if !(least..=most).contains(&number) => Err(wrong(name, &number.to_string(), &rule)),
        other => Ok(other),
    }
}

fn parsed<T: FromStr>(labels: &BTreeMap<String, String>, name: &str, rule: &str) -> Result<Option<T>, String> {
    wish(labels, name).map(|text| text.parse().map_err(|_| wrong(name, text, rule))).transpose()
}

fn wish<'a>(labels: &'a BTreeMap<String, String>, name: &str) -> Option<&'a str> {
    labels.get(&format!("{PREFIX}{name}")).map(|text| text.trim()).filter(|text| !text.is_empty())
}

fn wrong(name: &str, text: &str, rule: &str) -> String {
    format!("the label {PREFIX}{name} is \"{text}\" and has to be {rule}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(labels: &[(&str, &str)]) -> Result<Policy, String> {
        let labels = labels.iter().map(|(name, value)| (format!("{PREFIX}{name}"), (*value).to_owned()));
        Policy::of(&labels.collect(), 32)
    }

    #[test]
    fn without_labels_a_function_has_one_replica() {
        assert_eq!(policy(&[]).unwrap(), Policy { min: 1, max: 20, zero_after: None, target: None });
    }

    #[test]
    fn a_type_or_a_target_asks_for_scaling_by_load() {
        let target = |labels: &[(&str, &str)]| policy(labels).unwrap().target.unwrap();
        assert_eq!(target(&[("type", "capacity")]), Target { measure: Measure::Capacity, load: 45.0 });
        assert_eq!(target(&[("target", "10")]), Target { measure: Measure::Rps, load: 9.0 });
        let all = [("target", "4"), ("target-proportion", "0.5"), ("type", "capacity")];
        assert_eq!(target(&all), Target { measure: Measure::Capacity, load: 2.0 });
    }

    #[test]
    fn idle_functions_go_to_zero_if_they_may() {
        let after = |labels: &[(&str, &str)]| policy(labels).unwrap().zero_after;
        assert_eq!(after(&[("zero", "true")]), Some(Duration::from_secs(900)));
        assert_eq!(after(&[("zero", "true"), ("zero-duration", "90s")]), Some(Duration::from_secs(90)));
        assert_eq!(after(&[("zero", "false"), ("zero-duration", "90s")]), None);
    }

    #[test]
    fn bounds_are_kept_together() {
        let bounds = |labels: &[(&str, &str)]| policy(labels).map(|policy| (policy.min, policy.max));
        assert_eq!(bounds(&[("min", "0")]), Ok((1, 20)));
        assert_eq!(bounds(&[("min", "25")]), Ok((25, 25)));
        assert_eq!(bounds(&[("max", "100")]), Ok((1, 32)), "the machine's bound holds");
        assert!(bounds(&[("min", "3"), ("max", "2")]).unwrap_err().contains("more than"));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_by_name() {
        for (name, bad) in [
            ("min", "-1"),
            ("min", "33"),
            ("min", "lots"),
            ("max", "0"),
            ("target", "0"),
            ("target", "inf"),
            ("target", "NaN"),
            ("target-proportion", "2"),
            ("type", "cpu"),
            ("zero", "maybe"),
            ("zero-duration", "soon"),
            ("zero-duration", "10ms"),
        ] {
            let sentence = policy(&[(name, bad)]).unwrap_err();
            assert!(sentence.contains(&format!("{PREFIX}{name}")), "{sentence}");
        }
    }
}
