//! A line in the log for what happens again and again: callers can make a fault show by the thousand, and the log may be
//! on the very disk that is full.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two lines about one thing.
const QUIET: Duration = Duration::from_secs(10);

/// One thing that may be complained about.
#[derive(Debug, Default)]
pub(crate) struct Complaints(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    last: Option<Instant>,
    unsaid: u64,
}

impl Complaints {
    /// Whether this time is to be logged; then with how often it was not since the last line.
    pub(crate) fn due(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.last.is_some_and(|last| now.saturating_duration_since(last) < QUIET) {
            state.unsaid += 1;
            return None;
        }
        state.last = Some(now);
        Some(std::mem::take(&mut state.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_said_and_the_others_are_counted() {
        let complaints = Complaints::default();
        let start = Instant::now();
        assert_eq!(complaints.due(start), Some(0));
        assert!((1..=3).all(|second| complaints.due(start + Duration::from_secs(second)).is_none()));
        assert_eq!(complaints.due(start + QUIET), Some(3));
        assert_eq!(complaints.due(start + QUIET + QUIET), Some(0));
    }
}
