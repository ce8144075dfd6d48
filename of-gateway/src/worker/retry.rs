//! When a call that failed is tried again.

use std::time::{Duration, SystemTime};

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};

/// The longest time that a function may ask to be left alone for.
const LONGEST_ASKED: Duration = Duration::from_secs(3600);
/// Answers that may be others a little later.
const PASSING: [u16; 6] = [408, 429, 500, 502, 503, 504];

/// How a call that failed is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// The wait after the first failure; it doubles with each further one.
    pub first: Duration,
    /// The longest wait.
    pub cap: Duration,
    /// After this many attempts a call becomes a dead letter.
    pub attempts: u32,
}

impl Retry {
    /// The wait after attempt number `attempt`, or `None` if that was the last.
    pub(crate) fn after(&self, attempt: u32) -> Option<Duration> {
        if attempt >= self.attempts {
            return None;
        }
        let doublings = attempt.saturating_sub(1).min(30);
        Some(self.first.saturating_mul(1 << doublings).min(self.cap))
    }

    /// Like [`Retry::after`], where the function itself may have said when to come again. It is not believed without
    /// bounds: neither may it be asked at once for ever, nor be left alone for days.
    pub(super) fn after_asked(&self, attempt: u32, asked: Option<Duration>) -> Option<Duration> {
        let own = self.after(attempt)?;
        Some(asked.map_or(own, |asked| asked.min(LONGEST_ASKED.max(self.cap)).max(self.first)))
    }
}

/// Whether an answer may be another one a little later; `codes` are the function's own ones.
pub(super) fn may_pass(status: StatusCode, codes: Option<&[u16]>) -> bool {
    codes.unwrap_or(&PASSING).contains(&status.as_u16())
}

/// How long an answer asks to wait: in seconds, or until a moment.
pub(super) fn asked(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let moment = httpdate::parse_http_date(text).ok()?;
    Some(moment.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RETRY: Retry = Retry { first: Duration::from_millis(250), cap: Duration::from_secs(60), attempts: 12 };

    #[test]
    fn waits_double_up_to_the_cap_and_end_with_the_attempts() {
        let waits: Vec<_> = (1..=12).map(|attempt| RETRY.after(attempt)).collect();
        assert_eq!(waits[0], Some(Duration::from_millis(250)));
        assert_eq!(waits[3], Some(Duration::from_secs(2)));
        assert_eq!(waits[10], Some(Duration::from_secs(60)));
        assert_eq!(waits[11], None);
    }

    #[test]
    fn a_function_may_say_when_within_bounds() {
        let seconds = |number| Some(Duration::from_secs(number));
        assert_eq!(RETRY.after_asked(1, None), Some(RETRY.first));
        assert_eq!(RETRY.after_asked(1, seconds(90)), seconds(90));
        assert_eq!(RETRY.after_asked(9, seconds(1)), seconds(1), "also sooner than it would be");
        assert_eq!(RETRY.after_asked(1, seconds(0)), Some(RETRY.first));
        assert_eq!(RETRY.after_asked(1, seconds(u64::MAX)), Some(LONGEST_ASKED));
        assert_eq!(RETRY.after_asked(12, seconds(1)), None, "but not beyond the attempts");
    }

    #[test]
    fn what_an_answer_asks_for_is_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let of = |text: &str| asked(&HeaderMap::from_iter([(RETRY_AFTER, text.parse().unwrap())]), now);
        assert_eq!(of("120"), Some(Duration::from_secs(120)));
        assert_eq!(of(" 0 "), Some(Duration::ZERO));
        assert_eq!(of("Tue, 14 Nov 2023 22:13:50 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(of("Tue, 14 Nov 2023 22:13:10 GMT"), Some(Duration::ZERO), "a moment that has passed");
        for nonsense in ["", "soon", "-1", "1.5", "Tue, 99 Nov 2023 22:13:50 GMT"] {
            assert_eq!(of(nonsense), None, "{nonsense}");
        }
        assert_eq!(asked(&HeaderMap::new(), now), None);
    }

    #[test]
    fn a_function_may_name_its_own_codes() {
        assert!(may_pass(StatusCode::BAD_GATEWAY, None) && !may_pass(StatusCode::BAD_REQUEST, None));
        assert!(may_pass(StatusCode::BAD_REQUEST, Some(&[400])) && !may_pass(StatusCode::BAD_GATEWAY, Some(&[400])));
    }
}
