//! The time, read in one place; what depends on it takes it as a parameter.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::Utc;

/// Seconds since 1970.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// Gives numbers that were never given before, also not by an earlier process: the time in microseconds, but
/// always growing. They stay below what JSON's readers can hold exactly for more than two hundred years.
#[derive(Debug)]
pub(crate) struct Numbers(AtomicU64);

impl Numbers {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(now_in_microseconds()))
    }

    /// The next one.
    pub(crate) fn next(&self) -> u64 {
        let now = now_in_microseconds();
        let next = |last: u64| now.max(last + 1);
        let last = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |last| Some(next(last)));
        next(last.unwrap_or_default())
    }

    /// The last one.
    pub(crate) fn last(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }
}

fn now_in_microseconds() -> u64 {
    u64::try_from(Utc::now().timestamp_micros()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_only_grow() {
        let numbers = Numbers::new();
        let first = numbers.next();
        let many: Vec<u64> = (0..1000).map(|_| numbers.next()).collect();
        assert!(many.iter().is_sorted_by(|a, b| a < b) && many[0] > first);
        assert_eq!(numbers.last(), many[999]);
    }
}
