//! Until when one request may take.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::HeaderMap;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::env::parse_duration;

/// The moment at which a request is given up. Its timer starts only when somebody has to wait.
#[derive(Debug)]
pub(crate) struct Deadline {
    at: Instant,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Deadline {
    /// The limit of the function, which the request's `X-Timeout` may lower but not raise.
    pub(crate) fn of(limit: Option<Duration>, headers: &HeaderMap, start: Instant) -> Option<Self> {
        let asked = headers
            .get("x-timeout")
            .and_then(|value| parse_duration(value.to_str().ok()?));
        let limit = match (limit, asked) {
            (Some(limit), Some(asked)) => Some(limit.min(asked)),
            (limit, asked) => limit.or(asked),
        };
        // A time so long that it cannot be counted is no limit.
        Some(Self {
            at: start.checked_add(limit?)?,
            timer: None,
        })
    }

    pub(crate) fn after(time: Duration) -> Option<Self> {
        Some(Self {
            at: Instant::now().checked_add(time)?,
            timer: None,
        })
    }

    pub(crate) fn has_passed(&self) -> bool {
        Instant::now() >= self.at
    }

    /// Ready when the moment has come; otherwise the task is woken then.
    pub(crate) fn poll_passed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let at = self.at;
        self.timer
            .get_or_insert_with(|| Box::pin(sleep_until(at)))
            .as_mut()
            .poll(cx)
    }

    /// What `work` gives, or `None` when the moment comes first.
    pub(crate) async fn bound<F: Future>(&self, work: F) -> Option<F::Output> {
        tokio::time::timeout_at(self.at, work).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit(limit: Option<u64>, header: &str) -> Option<Duration> {
        let mut headers = HeaderMap::new();
        if !header.is_empty() {
            headers.insert("x-timeout", header.parse().unwrap());
        }
        let start = Instant::now();
        Deadline::of(limit.map(Duration::from_secs), &headers, start).map(|deadline| deadline.at - start)
    }

    #[test]
    fn a_request_may_lower_the_limit_only() {
        assert_eq!(limit(Some(30), ""), Some(Duration::from_secs(30)));
        assert_eq!(limit(Some(30), "500ms"), Some(Duration::from_millis(500)));
        assert_eq!(limit(Some(30), "1m"), Some(Duration::from_secs(30)));
        assert_eq!(limit(None, "1m30s"), Some(Duration::from_secs(90)));
    }

    #[test]
    fn what_is_not_a_duration_is_ignored() {
        assert_eq!(limit(Some(30), "soon"), Some(Duration::from_secs(30)));
        assert_eq!(limit(Some(30), "-5s"), Some(Duration::from_secs(30)));
        assert_eq!(limit(None, "soon"), None);
        assert_eq!(limit(None, "99999999999999999h"), None);
    }

    #[tokio::test(start_paused = true)]
    async fn work_is_given_up_at_the_moment() {
        let deadline = Deadline::after(Duration::from_secs(5)).unwrap();
        assert_eq!(deadline.bound(async { 1 }).await, Some(1));
        assert_eq!(deadline.bound(std::future::pending::<()>()).await, None);
        assert!(deadline.has_passed());
    }
}
