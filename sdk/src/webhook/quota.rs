//! Keeps strangers from filling the log and the audit trail.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// So many refusals are reported at once.
const BURST: u32 = 10;
/// One more after each such time.
const REFILL: Duration = Duration::from_secs(6);

/// Says which refusals are reported, and counts the others.
#[derive(Debug)]
pub(super) struct Quota(Mutex<State>);

#[derive(Debug)]
struct State {
    left: u32,
    refilled: Instant,
    suppressed: u64,
}

impl Quota {
    pub(super) fn new(now: Instant) -> Self {
        Self(Mutex::new(State { left: BURST, refilled: now, suppressed: 0 }))
    }

    /// Whether to report one more refusal, and how many were not reported since the last that was.
    pub(super) fn admit(&self, now: Instant) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let earned = now.saturating_duration_since(state.refilled).as_secs() / REFILL.as_secs();
        if earned > 0 {
            state.left = u32::try_from(earned).unwrap_or(BURST).saturating_add(state.left).min(BURST);
            state.refilled = now;
        }
        if state.left == 0 {
            state.suppressed += 1;
            return None;
        }
        state.left -= 1;
        Some(std::mem::take(&mut state.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_one_every_six_seconds() {
        let start = Instant::now();
        let quota = Quota::new(start);
        let admitted = (0..1000).filter(|_| quota.admit(start).is_some()).count();
        assert_eq!(admitted, BURST as usize);
        assert_eq!(quota.admit(start + Duration::from_secs(5)), None);
        assert_eq!(quota.admit(start + Duration::from_secs(7)), Some(1000 - u64::from(BURST) + 1));
        assert_eq!(quota.admit(start + Duration::from_secs(7)), None);
        let later = start + Duration::from_secs(3600);
        assert_eq!((0..1000).filter(|_| quota.admit(later).is_some()).count(), BURST as usize);
    }
}
