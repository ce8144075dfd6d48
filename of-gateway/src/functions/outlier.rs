//! Ejection of a replica that fails while others answer. Only failures of the transport count: an answer of 500 is
//! the function's own, and all replicas would give it.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// So many failures in a row are no accident.
const FAILURES: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Times are kept as milliseconds since this moment.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// What is remembered of one replica.
#[derive(Debug, Default)]
pub(super) struct Outlier {
    /// In a row; the first answer begins anew.
    failures: AtomicU32,
    /// 0: it is not ejected.
    ejected_until: AtomicU64,
}

impl Outlier {
    /// On the hot path: one load where nothing has failed.
    pub(super) fn answered(&self) {
        if self.failures.load(Ordering::Relaxed) != 0 {
            self.failures.store(0, Ordering::Relaxed);
            self.ejected_until.store(0, Ordering::Relaxed);
        }
    }

    /// Answers with the pause, if this failure ejects it. Each further one doubles the pause: after a pause one
    /// request is enough to see that nothing has changed.
    pub(super) fn failed(&self) -> Option<Duration> {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed) + 1;
        if failures < FAILURES || self.is_ejected() {
            return None;
        }
        let pause = FIRST_PAUSE.saturating_mul(1 << (failures - FAILURES).min(10)).min(LONGEST_PAUSE);
        self.ejected_until.store(now() + millis(pause), Ordering::Relaxed);
        Some(pause)
    }

    pub(super) fn is_ejected(&self) -> bool {
        let until = self.ejected_until.load(Ordering::Relaxed);
        until != 0 && now() < until
    }
}

fn now() -> u64 {
    millis(START.elapsed())
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_in_a_row_eject_and_an_answer_takes_it_back() {
        let outlier = Outlier::default();
        assert_eq!((outlier.failed(), outlier.failed()), (None, None));
        outlier.answered();
        assert_eq!((outlier.failed(), outlier.failed(), outlier.failed()), (None, None, Some(FIRST_PAUSE)));
        assert!(outlier.is_ejected());
        assert_eq!(outlier.failed(), None, "one pause at a time");
        outlier.answered();
        assert!(!outlier.is_ejected());
    }

    #[test]
    fn a_pause_ends_and_the_next_one_is_longer() {
        let outlier = Outlier::default();
        outlier.failures.store(FAILURES, Ordering::Relaxed);
        outlier.ejected_until.store(1, Ordering::Relaxed);
        let _ = *START;
        while now() < 2 {
            std::hint::spin_loop();
        }
        assert!(!outlier.is_ejected());
        assert_eq!(outlier.failed(), Some(FIRST_PAUSE * 2));
    }
}
