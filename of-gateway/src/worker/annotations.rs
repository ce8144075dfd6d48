//! What a deployment says about its asynchronous calls.

use std::collections::BTreeMap;
use std::time::Duration;

use openfaas_runtime::parse_duration;

use super::Retry;

/// Annotation: the queue that the function's calls wait in.
const QUEUE: &str = "com.openfaas.queue";
/// Annotation: how often a call is tried at most.
const ATTEMPTS: &str = "com.openfaas.retry.attempts";
/// Annotation: the status codes after which a call is tried again, with commas between them.
const CODES: &str = "com.openfaas.retry.codes";
/// Annotation: the wait after the first failure; it doubles with each further one.
const MIN_WAIT: &str = "com.openfaas.retry.min_wait";
/// Annotation: the longest wait.
const MAX_WAIT: &str = "com.openfaas.retry.max_wait";
const MOST_ATTEMPTS: u32 = 1000;
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// Settings of one function's asynchronous calls; `None` is the gateway's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Asynchronous {
    pub(crate) queue: Option<String>,
    pub(crate) codes: Option<Vec<u16>>,
    attempts: Option<u32>,
    first: Option<Duration>,
    cap: Option<Duration>,
}

impl Asynchronous {
    /// Reads a deployment's annotations; an error is a sentence.
    pub(crate) fn of(annotations: &BTreeMap<String, String>) -> Result<Self, String> {
        let text = |name: &str| annotations.get(name).map(|text| text.trim());
        let read = Self {
            queue: text(QUEUE).map(queue).transpose()?,
            codes: text(CODES).map(codes).transpose()?,
            attempts: text(ATTEMPTS).map(attempts).transpose()?,
            first: text(MIN_WAIT).map(|text| wait(MIN_WAIT, text)).transpose()?,
            cap: text(MAX_WAIT).map(|text| wait(MAX_WAIT, text)).transpose()?,
        };
        match (read.first, read.cap) {
            (Some(first), Some(cap)) if first > cap => {
                Err(format!("the annotation {MIN_WAIT} asks for a longer wait than {MAX_WAIT}"))
            }
            _ => Ok(read),
        }
    }

    /// How its calls are tried again, given how the others' are.
    pub(crate) fn retry(&self, general: Retry) -> Retry {
        let first = self.first.unwrap_or_else(|| self.cap.map_or(general.first, |cap| general.first.min(cap)));
        Retry {
            first,
            cap: self.cap.unwrap_or_else(|| general.cap.max(first)),
            attempts: self.attempts.unwrap_or(general.attempts),
        }
    }
}

fn queue(text: &str) -> Result<String, String> {
    if queue::valid_queue(text) {
        return Ok(text.to_owned());
    }
    Err(format!("the annotation {QUEUE} is \"{text}\" and has to be 1 to 63 letters, digits, hyphens and underscores"))
}

fn codes(text: &str) -> Result<Vec<u16>, String> {
    let sentence = || {
        format!("the annotation {CODES} is \"{text}\" and has to be status codes from 300 to 599, such as 429,502,503")
    };
    let code = |part: &str| part.trim().parse().ok().filter(|code| (300..600).contains(code));
    text.split(',').map(code).collect::<Option<Vec<u16>>>().ok_or_else(sentence)
}

/// 0 and 1 both mean that there is no second attempt.
fn attempts(text: &str) -> Result<u32, String> {
    let attempts = text.parse().ok().filter(|attempts| *attempts <= MOST_ATTEMPTS);
    attempts
        .ok_or_else(|| format!("the annotation {ATTEMPTS} is \"{text}\" and has to be a number up to {MOST_ATTEMPTS}"))
}

fn wait(name: &str, text: &str) -> Result<Duration, String> {
    let wait = parse_duration(text).filter(|wait| (Duration::from_millis(1)..=LONGEST_WAIT).contains(wait));
    wait.ok_or_else(|| format!("the annotation {name} is \"{text}\" and has to be a duration such as 10s, at most 24h"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GENERAL: Retry = Retry { first: Duration::from_secs(1), cap: Duration::from_secs(60), attempts: 10 };

    fn read(pairs: &[(&str, &str)]) -> Result<Asynchronous, String> {
        Asynchronous::of(&pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn annotations_change_what_they_name() {
        let all = read(&[
            (QUEUE, "slow"),
            (ATTEMPTS, "3"),
            (CODES, "429, 503"),
            (MIN_WAIT, "2s"),
            (MAX_WAIT, "1m30s"),
            ("topic", "x"),
        ])
        .unwrap();
        let seconds = Duration::from_secs;
        assert_eq!((all.queue.as_deref(), all.codes.as_deref()), (Some("slow"), Some([429, 503].as_slice())));
        assert_eq!(all.retry(GENERAL), Retry { first: seconds(2), cap: seconds(90), attempts: 3 });
        assert_eq!(read(&[]).unwrap().retry(GENERAL), GENERAL);
        let cap = read(&[(MAX_WAIT, "500ms")]).unwrap().retry(GENERAL);
        assert_eq!((cap.first, cap.cap), (Duration::from_millis(500), Duration::from_millis(500)));
        let first = read(&[(MIN_WAIT, "5m")]).unwrap().retry(GENERAL);
        assert_eq!((first.first, first.cap), (seconds(300), seconds(300)));
        assert_eq!(read(&[(ATTEMPTS, "0")]).unwrap().retry(GENERAL).after(1), None);
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for (name, text) in [
            (QUEUE, ""),
            (QUEUE, "a.b"),
            (ATTEMPTS, "many"),
            (ATTEMPTS, "-1"),
            (ATTEMPTS, "1001"),
            (CODES, ""),
            (CODES, "503,"),
            (CODES, "200"),
            (CODES, "600"),
            (MIN_WAIT, "soon"),
            (MIN_WAIT, "0"),
            (MAX_WAIT, "25h"),
        ] {
            let sentence = read(&[(name, text)]).unwrap_err();
            assert!(sentence.contains(name) && sentence.contains(&format!("\"{text}\"")), "{sentence}");
        }
        let sentence = read(&[(MIN_WAIT, "2m"), (MAX_WAIT, "1m")]).unwrap_err();
        assert!(sentence.contains(MIN_WAIT) && sentence.contains(MAX_WAIT), "{sentence}");
    }
}
