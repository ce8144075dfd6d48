//! What a deployment says about how its function is to be called and scaled, read once.

use std::time::Duration;

use openfaas_runtime::parse_duration;
use sdk::gateway::FunctionDeployment;

use crate::rollout::{MAX_REPLICAS, Probes};
use crate::scaling::Policy;
use crate::worker::Asynchronous;

/// Annotation: how long the function may take to begin its answer, and pause within it.
const TIMEOUT: &str = "com.openfaas.upstream_timeout";
/// Annotation: the largest body of a request, in bytes.
const MAX_BODY: &str = "com.openfaas.max_body_bytes";
/// Environment variable of the watchdogs: requests that one replica handles at a time.
const MAX_IN_FLIGHT: &str = "max_inflight";
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Settings of one function.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    pub(crate) scaling: Policy,
    pub(crate) probes: Probes,
    /// `None`: the gateway's own.
    pub(crate) timeout: Option<Duration>,
    /// `None`: the gateway's own.
    pub(crate) max_body: Option<u64>,
    /// Requests that are sent to one replica at a time.
    pub(crate) max_in_flight: usize,
    pub(crate) asynchronous: Asynchronous,
}

impl Settings {
    /// Reads a deployment; an error is a sentence.
    pub(crate) fn of(spec: &FunctionDeployment) -> Result<Self, String> {
        Ok(Self {
            scaling: Policy::of(&spec.labels, u32::try_from(MAX_REPLICAS).unwrap_or(u32::MAX))?,
            probes: Probes::of(&spec.annotations)?,
            timeout: timeout(spec)?,
            max_body: max_body(spec)?,
            max_in_flight: max_in_flight(spec)?,
            asynchronous: Asynchronous::of(&spec.annotations)?,
        })
    }

    /// Of a function that is live already: what an earlier release took is no reason to lose it.
    pub(crate) fn of_live(spec: &FunctionDeployment) -> Self {
        Self::of(spec).unwrap_or_else(|sentence| {
            tracing::warn!(function = spec.service, sentence, "Settings of a live function are passed over.");
            let scaling = Policy { min: 1, max: 1, zero_after: None, target: None };
            let (probes, asynchronous) = (Probes::default(), Asynchronous::default());
            Self { scaling, probes, timeout: None, max_body: None, max_in_flight: usize::MAX, asynchronous }
        })
    }
}

fn timeout(spec: &FunctionDeployment) -> Result<Option<Duration>, String> {
    let Some(text) = spec.annotations.get(TIMEOUT) else { return Ok(None) };
    let timeout = parse_duration(text).filter(|timeout| (Duration::from_millis(1)..=LONGEST).contains(timeout));
    let sentence =
        || format!("the annotation {TIMEOUT} is \"{text}\" and has to be a duration such as 90s, at most 24h");
    timeout.map(Some).ok_or_else(sentence)
}

fn max_body(spec: &FunctionDeployment) -> Result<Option<u64>, String> {
    let Some(text) = spec.annotations.get(MAX_BODY) else { return Ok(None) };
    let sentence = |_| format!("the annotation {MAX_BODY} is \"{text}\" and has to be a number of bytes");
    text.trim().parse().map(Some).map_err(sentence)
}

/// As the watchdogs read it: 0 is no limit.
fn max_in_flight(spec: &FunctionDeployment) -> Result<usize, String> {
    let Some(text) = spec.env_vars.get(MAX_IN_FLIGHT).map(|text| text.trim()).filter(|text| !text.is_empty()) else {
        return Ok(usize::MAX);
    };
    match text.parse() {
        Ok(0) => Ok(usize::MAX),
        Ok(most) => Ok(most),
        Err(_) => Err(format!("the variable {MAX_IN_FLIGHT} is \"{text}\" and has to be a number of requests")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(annotations: &[(&str, &str)], variables: &[(&str, &str)]) -> FunctionDeployment {
        let owned = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        FunctionDeployment {
            annotations: owned(annotations),
            env_vars: owned(variables),
            ..FunctionDeployment::default()
        }
    }

    #[test]
    fn annotations_and_variables_are_read() {
        let settings = Settings::of(&spec(&[(TIMEOUT, "90s"), (MAX_BODY, "1024")], &[(MAX_IN_FLIGHT, "7")])).unwrap();
        assert_eq!((settings.timeout, settings.max_body), (Some(Duration::from_secs(90)), Some(1024)));
        assert_eq!(settings.max_in_flight, 7);
        let unset = Settings::of(&spec(&[], &[(MAX_IN_FLIGHT, "0")])).unwrap();
        assert_eq!((unset.timeout, unset.max_body, unset.max_in_flight), (None, None, usize::MAX));
    }

    #[test]
    fn nonsense_is_refused_by_name_but_tolerated_of_a_live_function() {
        for (annotations, variables, name) in [
            (vec![(TIMEOUT, "soon")], vec![], TIMEOUT),
            (vec![(TIMEOUT, "0")], vec![], TIMEOUT),
            (vec![(TIMEOUT, "25h")], vec![], TIMEOUT),
            (vec![(MAX_BODY, "-1")], vec![], MAX_BODY),
            (vec![], vec![(MAX_IN_FLIGHT, "some")], MAX_IN_FLIGHT),
        ] {
            let spec = spec(&annotations, &variables);
            let sentence = Settings::of(&spec).unwrap_err();
            assert!(sentence.contains(name), "{sentence}");
            assert_eq!(Settings::of_live(&spec).timeout, None);
        }
    }
}
