//! Waiting for the beginning of the next minute.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

const MINUTE_MS: i64 = 60_000;

/// Resolves when the next minute begins, by the clock on the wall, which says `now`; earlier if `again` is over or at
/// the `end`. The clock may be put forward and back, so nobody waits longer than a minute.
pub(super) async fn next_minute(now: DateTime<Utc>, again: Option<Duration>, end: &CancellationToken) {
    let left = MINUTE_MS - now.timestamp_millis().rem_euclid(MINUTE_MS);
    let left = Duration::from_millis(left.unsigned_abs());
    end.run_until_cancelled(sleep(again.map_or(left, |again| again.min(left)))).await;
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    /// Looks at a clock that begins at 10:00:30.4.
    async fn looks(count: usize, again: Option<Duration>) -> Vec<String> {
        let (began, start) = (Instant::now(), "2026-03-04T10:00:30.4Z".parse::<DateTime<Utc>>().unwrap());
        let end = CancellationToken::new();
        let mut seen = Vec::new();
        while seen.len() < count {
            let now = start + began.elapsed();
            seen.push(now.format("%H:%M:%S").to_string());
            next_minute(now, again, &end).await;
        }
        seen
    }

    #[tokio::test(start_paused = true)]
    async fn the_clock_is_looked_at_when_a_minute_begins() {
        assert_eq!(looks(4, None).await, ["10:00:30", "10:01:00", "10:02:00", "10:03:00"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_failed_is_tried_again_before_the_minute_is_over() {
        assert_eq!(looks(3, Some(Duration::from_secs(20))).await, ["10:00:30", "10:00:50", "10:01:00"]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_is_not_waited_for() {
        let (began, end) = (Instant::now(), CancellationToken::new());
        end.cancel();
        next_minute(Utc::now(), None, &end).await;
        assert!(began.elapsed() < Duration::from_millis(10));
    }
}
