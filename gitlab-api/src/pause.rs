//! Rate limits: how long GitLab wants to be left alone.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::header::RETRY_AFTER;
use http::{HeaderMap, StatusCode};
use tokio::time::Instant;

/// Where GitLab says "too many" and not until when.
const UNKNOWN: Duration = Duration::from_secs(10);
/// A longer pause is not believed.
const LONGEST: Duration = Duration::from_secs(3600);

/// The pause that an answer asks for.
pub(crate) fn wanted_by(status: StatusCode, headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let said = text(RETRY_AFTER.as_str()).and_then(retry_after);
    match status {
        StatusCode::TOO_MANY_REQUESTS => {
            let reset =
                || Some(until(UNIX_EPOCH.checked_add(Duration::from_secs(text("ratelimit-reset")?.parse().ok()?))?));
            Some(said.or_else(reset).unwrap_or(UNKNOWN).min(LONGEST))
        }
        StatusCode::SERVICE_UNAVAILABLE => said.map(|pause| pause.min(LONGEST)),
        _ => None,
    }
}

/// Seconds, or a date (RFC 9110, section 10.2.3).
fn retry_after(text: &str) -> Option<Duration> {
    match text.trim().parse() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => httpdate::parse_http_date(text).ok().map(until),
    }
}

fn until(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::now()).unwrap_or_default()
}

/// Until when no request is sent.
#[derive(Debug, Default)]
pub(crate) struct Quiet(Mutex<Option<Instant>>);

impl Quiet {
    pub(crate) fn left(&self) -> Duration {
        let until = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        until.map(|until| until.saturating_duration_since(Instant::now())).unwrap_or_default()
    }

    pub(crate) fn keep(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *kept = Some(kept.map_or(until, |before| before.max(until)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pause(status: u16, headers: &[(&'static str, String)]) -> Option<u64> {
        let headers = headers.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap())).collect();
        wanted_by(StatusCode::from_u16(status).unwrap(), &headers).map(|pause| pause.as_secs())
    }

    #[test]
    fn pauses_are_read_as_gitlab_and_proxies_write_them() {
        let (now, soon) = (SystemTime::now(), SystemTime::now() + Duration::from_secs(100));
        let date = httpdate::fmt_http_date(soon);
        let epoch = soon.duration_since(UNIX_EPOCH).unwrap().as_secs();
        let about = |seconds: Option<u64>| seconds.is_some_and(|seconds| (95..=100).contains(&seconds));
        assert_eq!(pause(429, &[("retry-after", "7".to_owned())]), Some(7));
        assert!(about(pause(429, &[("retry-after", date)])));
        assert!(about(pause(429, &[("ratelimit-reset", epoch.to_string())])));
        assert_eq!(pause(429, &[("retry-after", httpdate::fmt_http_date(now))]), Some(0));
        assert_eq!(pause(429, &[]), Some(UNKNOWN.as_secs()));
        assert_eq!(pause(429, &[("ratelimit-reset", u64::MAX.to_string())]), Some(UNKNOWN.as_secs()));
        assert_eq!(pause(429, &[("retry-after", "99999999".to_owned())]), Some(LONGEST.as_secs()));
        assert_eq!(pause(503, &[("retry-after", "5".to_owned())]), Some(5));
        assert_eq!(pause(503, &[]), None);
        assert_eq!(pause(200, &[("retry-after", "5".to_owned())]), None);
    }
}
