//! Waiting for conditions.

use std::time::{Duration, Instant};

/// Longer than anything takes on a slow machine that does something else, too.
pub const DEADLINE: Duration = Duration::from_secs(90);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// Waits until something holds.
///
/// # Panics
/// When it does not before the deadline.
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    until_some(what, DEADLINE, || holds().then_some(()));
}

/// Waits until there is something, and gives it.
///
/// # Panics
/// When there is nothing within `limit`.
pub fn until_some<T>(what: &str, limit: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < limit, "within {limit:?} it was not so that {what}");
        std::thread::park_timeout(PAUSE);
    }
}
