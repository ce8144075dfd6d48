//! What GitHub says about its rate limits, and until when each installation has to be quiet.
//!
//! <https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api>: `Retry-After` first, then the
//! reset of a used-up limit, then a minute.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::{DATE, RETRY_AFTER};
use http::{HeaderMap, StatusCode};
use tokio::time::Instant;

/// How long to be quiet where GitHub refuses for a limit and says no time.
const UNTOLD: Duration = Duration::from_secs(60);
/// No wait is believed beyond this; GitHub's limits are for an hour.
const LONGEST: Duration = Duration::from_secs(3600);
/// So many installations are remembered to be quiet.
const MAX_QUIET: usize = 1000;

/// How long to be quiet after this answer; `None` where no limit is reached.
pub(crate) fn wanted_by(status: StatusCode, headers: &HeaderMap, text: &str) -> Option<Duration> {
    let after = number(headers, RETRY_AFTER.as_str()).map(Duration::from_secs);
    let limited = matches!(status, StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS);
    let wait = match (after, reset_of_used_up(headers)) {
        (Some(after), _) if limited || status.is_server_error() => Some(after),
        (_, Some(reset)) if limited || status.is_success() => Some(reset),
        _ if status == StatusCode::TOO_MANY_REQUESTS => Some(UNTOLD),
        _ if status == StatusCode::FORBIDDEN && text.to_ascii_lowercase().contains("rate limit") => Some(UNTOLD),
        _ => None,
    };
    wait.map(|wait| wait.min(LONGEST))
}

fn reset_of_used_up(headers: &HeaderMap) -> Option<Duration> {
    if number(headers, "x-ratelimit-remaining")? != 0 {
        return None;
    }
    let reset = UNIX_EPOCH.checked_add(Duration::from_secs(number(headers, "x-ratelimit-reset")?))?;
    // By GitHub's clock, where it tells the time: ours may be wrong.
    let told = headers.get(DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
    let left = reset.duration_since(told.unwrap_or_else(SystemTime::now)).unwrap_or_default();
    Some(left + Duration::from_secs(1))
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// Until when to be quiet, for each installation.
#[derive(Debug, Default)]
pub(crate) struct Pauses(Mutex<HashMap<u64, Instant>>);

impl Pauses {
    /// Keeps an installation quiet. A shorter pause does not end a longer one.
    pub(crate) fn add(&self, installation: u64, wait: Duration) {
        let now = Instant::now();
        let Some(end) = now.checked_add(wait) else { return };
        let mut quiet = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if quiet.len() >= MAX_QUIET {
            quiet.retain(|_, end| *end > now);
        }
        if quiet.len() < MAX_QUIET || quiet.contains_key(&installation) {
            let known = quiet.entry(installation).or_insert(end);
            *known = end.max(*known);
        }
    }

    /// How long an installation still has to be quiet.
    pub(crate) fn left(&self, installation: u64) -> Duration {
        let quiet = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        quiet.get(&installation).map_or(Duration::ZERO, |end| end.saturating_duration_since(Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(status: u16, headers: &[(&'static str, &str)], text: &str) -> Option<u64> {
        let headers = headers
            .iter()
            .map(|(name, value)| (http::HeaderName::from_static(name), http::HeaderValue::from_str(value).unwrap()));
        wanted_by(StatusCode::from_u16(status).unwrap(), &headers.collect(), text).map(|wait| wait.as_secs())
    }

    #[test]
    fn every_kind_of_limit_is_understood() {
        assert_eq!(wait(429, &[("retry-after", "7")], ""), Some(7));
        assert_eq!(wait(403, &[("retry-after", "7"), ("x-ratelimit-remaining", "0")], ""), Some(7));
        assert_eq!(wait(503, &[("retry-after", "3")], ""), Some(3));
        let date = "Wed, 21 Oct 2015 07:28:00 GMT";
        let used_up = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1445412490"), ("date", date)];
        for status in [403, 429, 200] {
            assert_eq!(wait(status, &used_up, ""), Some(11), "{status}");
        }
        assert_eq!(wait(403, &[], "You have exceeded a secondary rate limit."), Some(60));
        assert_eq!(wait(429, &[], ""), Some(60));
    }

    #[test]
    fn what_is_no_limit_is_none() {
        assert_eq!(wait(403, &[("x-ratelimit-remaining", "4999")], "Resource not accessible by integration"), None);
        assert_eq!(wait(200, &[("x-ratelimit-remaining", "1"), ("x-ratelimit-reset", "1445412490")], ""), None);
        assert_eq!(wait(404, &[("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1445412490")], ""), None);
        assert_eq!(wait(502, &[], ""), None);
    }

    #[test]
    fn nonsense_is_bounded() {
        assert_eq!(wait(429, &[("retry-after", "18446744073709551615")], ""), Some(3600));
        assert_eq!(wait(429, &[("retry-after", "soon")], ""), Some(60));
        let far = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "18446744073709551615")];
        assert!(wait(403, &far, "").is_none_or(|wait| wait == 3600));
        let past = [("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1")];
        assert_eq!(wait(403, &past, ""), Some(1));
    }

    #[tokio::test(start_paused = true)]
    async fn an_installation_is_quiet_and_its_neighbours_are_not() {
        let pauses = Pauses::default();
        pauses.add(7, Duration::from_secs(10));
        pauses.add(7, Duration::from_secs(2));
        assert_eq!((pauses.left(7).as_secs(), pauses.left(8).as_secs()), (10, 0));
        tokio::time::advance(Duration::from_secs(11)).await;
        assert_eq!(pauses.left(7), Duration::ZERO);
        for number in 0..2_000 {
            pauses.add(number, Duration::from_secs(10));
        }
        assert_eq!(pauses.0.lock().unwrap().len(), MAX_QUIET);
    }
}
