//! How often somebody may try to sign in.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use sdk::id::Owner;

/// The length of a window, in seconds.
const WINDOW: u64 = 60;
/// Attempts for one login within a window.
const MAX: u32 = 10;
/// Logins that are tried within a window.
const MAX_LOGINS: usize = 10_000;

/// Counts attempts, the right ones too: one that is made while others run is not free.
#[derive(Debug, Default)]
pub(crate) struct Attempts(Mutex<Window>);

#[derive(Debug, Default)]
struct Window {
    number: u64,
    counts: HashMap<Owner, u32>,
}

impl Attempts {
    /// Counts an attempt, or says for how many seconds there may be no more.
    pub(crate) fn count(&self, owner: &Owner, now: u64) -> Result<(), u64> {
        let mut window = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if window.number != now / WINDOW {
            *window = Window { number: now / WINDOW, counts: HashMap::new() };
        }
        let full = window.counts.len() >= MAX_LOGINS && !window.counts.contains_key(owner);
        let wait = WINDOW - now % WINDOW;
        if full {
            return Err(wait);
        }
        let count = window.counts.entry(owner.clone()).or_default();
        if *count >= MAX {
            return Err(wait);
        }
        *count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_has_its_own_count_and_gets_a_new_one_after_a_while() {
        let attempts = Attempts::default();
        let (alice, bob): (Owner, Owner) = ("alice".parse().unwrap(), "bob".parse().unwrap());
        for _ in 0..MAX {
            assert_eq!(attempts.count(&alice, 130), Ok(()));
        }
        assert_eq!(attempts.count(&alice, 131), Err(49));
        assert_eq!(attempts.count(&bob, 131), Ok(()));
        assert_eq!(attempts.count(&alice, 180), Ok(()));
    }

    #[test]
    fn memory_has_an_end() {
        let attempts = Attempts::default();
        for number in 0..MAX_LOGINS {
            assert_eq!(attempts.count(&format!("a{number}").parse().unwrap(), 0), Ok(()));
        }
        assert!(attempts.count(&"alice".parse().unwrap(), 1).is_err());
        assert_eq!(attempts.count(&"a1".parse().unwrap(), 1), Ok(()));
    }
}
