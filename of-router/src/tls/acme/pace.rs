//! How often the authority is asked: authorities have limits, and so have we.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::tls::host::Name;

/// The longest wait between two attempts for one name.
const LONGEST: Duration = Duration::from_secs(12 * 3600);
/// The shortest wait after the authority said that it is asked too often.
const LEFT_ALONE: Duration = Duration::from_secs(3600);
/// Each failure makes the wait so many times longer.
const FACTOR: u32 = 4;

#[derive(Debug)]
struct Failures {
    count: u32,
    not_before: Instant,
}

/// What has been tried, and when.
#[derive(Debug)]
pub(super) struct Pace {
    first_wait: Duration,
    per_hour: f64,
    /// Orders that may begin now; refilled as time goes by.
    left: f64,
    refilled: Instant,
    failures: HashMap<Name, Failures>,
}

impl Pace {
    pub(super) fn new(first_wait: Duration, per_hour: u32, now: Instant) -> Self {
        let per_hour = f64::from(per_hour.max(1));
        Self { first_wait, per_hour, left: per_hour, refilled: now, failures: HashMap::new() }
    }

    /// Takes an attempt for `name`: how many have failed before it, or how long to wait.
    pub(super) fn begin(&mut self, name: &Name, now: Instant) -> Result<u32, Duration> {
        let failures = self.failures.get(name);
        if let Some(wait) = failures.map(|f| f.not_before.saturating_duration_since(now)).filter(|w| !w.is_zero()) {
            return Err(wait);
        }
        let per_second = self.per_hour / 3600.0;
        let passed = now.saturating_duration_since(self.refilled).as_secs_f64();
        self.left = (self.left + passed * per_second).min(self.per_hour);
        self.refilled = now;
        if self.left < 1.0 {
            return Err(Duration::from_secs_f64((1.0 - self.left) / per_second));
        }
        self.left -= 1.0;
        Ok(failures.map_or(0, |failures| failures.count))
    }

    pub(super) fn succeeded(&mut self, name: &Name) {
        self.failures.remove(name);
    }

    /// Notes a failure and returns how long `name` is left alone now.
    pub(super) fn failed(&mut self, name: &Name, rate_limited: bool, now: Instant) -> Duration {
        let count = self.failures.get(name).map_or(0, |failures| failures.count);
        let wait = self.first_wait.saturating_mul(FACTOR.saturating_pow(count)).min(LONGEST);
        let wait = if rate_limited { wait.max(LEFT_ALONE) } else { wait };
        self.failures.insert(name.clone(), Failures { count: count.saturating_add(1), not_before: now + wait });
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn each_failure_makes_the_wait_longer_for_its_name_alone() {
        let now = Instant::now();
        let mut pace = Pace::new(MINUTE, 1000, now);
        let (a, b) = (name("a.example.com"), name("b.example.com"));
        let mut at = now;
        for (failed, minutes) in [(0, 1), (1, 4), (2, 16), (3, 64), (4, 256), (5, 720), (6, 720)] {
            assert_eq!(pace.begin(&a, at), Ok(failed));
            assert_eq!(pace.failed(&a, false, at), minutes * MINUTE);
            assert_eq!(pace.begin(&a, at), Err(minutes * MINUTE));
            assert_eq!(pace.begin(&b, at), Ok(0));
            at += minutes * MINUTE;
        }
        pace.succeeded(&a);
        assert_eq!(pace.begin(&a, now), Ok(0));
    }

    #[test]
    fn an_authority_that_asks_for_rest_gets_it() {
        let now = Instant::now();
        let mut pace = Pace::new(MINUTE, 10, now);
        assert_eq!(pace.failed(&name("a.example.com"), true, now), 60 * MINUTE);
    }

    #[test]
    fn all_together_are_limited() {
        let now = Instant::now();
        let mut pace = Pace::new(MINUTE, 3, now);
        for host in ["a.example.com", "b.example.com", "c.example.com"] {
            assert_eq!(pace.begin(&name(host), now), Ok(0));
        }
        let wait = pace.begin(&name("d.example.com"), now).unwrap_err();
        assert!(wait <= 20 * MINUTE && wait > 19 * MINUTE, "{wait:?}");
        assert_eq!(pace.begin(&name("d.example.com"), now + 20 * MINUTE), Ok(0));
        assert!(pace.begin(&name("e.example.com"), now + 20 * MINUTE).is_err());
    }
}
