//! How often the authority is asked: authorities have limits, and so have we.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::Holder;
use crate::tls::host::Name;

/// The longest wait between two attempts for one name.
const LONGEST: Duration = Duration::from_secs(12 * 3600);
/// The shortest wait after the authority said that it is asked too often.
const LEFT_ALONE: Duration = Duration::from_secs(3600);
/// Each failure makes the wait so many times longer.
const FACTOR: u32 = 4;

/// More names and owners than these are not remembered where nothing is lost by that.
const MOST: usize = 4096;

#[derive(Debug)]
struct Failures {
    count: u32,
    not_before: Instant,
}

/// Orders that may begin now; refilled as time goes by.
#[derive(Debug)]
struct Bucket {
    per_hour: f64,
    left: f64,
    refilled: Instant,
}

impl Bucket {
    fn new(per_hour: u32, now: Instant) -> Self {
        let per_hour = f64::from(per_hour.max(1));
        Self { per_hour, left: per_hour, refilled: now }
    }

    /// How long until there is one to take.
    fn wait(&mut self, now: Instant) -> Option<Duration> {
        let per_second = self.per_hour / 3600.0;
        let passed = now.saturating_duration_since(self.refilled).as_secs_f64();
        self.left = (self.left + passed * per_second).min(self.per_hour);
        self.refilled = now;
        (self.left < 1.0).then(|| Duration::from_secs_f64((1.0 - self.left) / per_second))
    }
}

/// What has been tried, and when.
#[derive(Debug)]
pub(super) struct Pace {
    first_wait: Duration,
    all: Bucket,
    owner_per_hour: u32,
    owners: HashMap<String, Bucket>,
    failures: HashMap<Name, Failures>,
}

impl Pace {
    pub(super) fn new(first_wait: Duration, per_hour: u32, owner_per_hour: u32, now: Instant) -> Self {
        let all = Bucket::new(per_hour, now);
        Self { first_wait, all, owner_per_hour, owners: HashMap::new(), failures: HashMap::new() }
    }

    /// Takes an attempt for `name`: how many have failed before it, or how long to wait.
    pub(super) fn begin(&mut self, name: &Name, holder: &Holder, now: Instant) -> Result<u32, Duration> {
        let failures = self.failures.get(name);
        if let Some(wait) = failures.map(|f| f.not_before.saturating_duration_since(now)).filter(|w| !w.is_zero()) {
            return Err(wait);
        }
        let count = failures.map_or(0, |failures| failures.count);
        self.forget(now);
        let own = match holder {
            Holder::Platform => None,
            Holder::Owner(owner) => {
                let fresh = || Bucket::new(self.owner_per_hour, now);
                Some(self.owners.entry(owner.clone()).or_insert_with(fresh))
            }
        };
        let mut buckets: Vec<&mut Bucket> = own.into_iter().chain([&mut self.all]).collect();
        if let Some(wait) = buckets.iter_mut().filter_map(|bucket| bucket.wait(now)).max() {
            return Err(wait);
        }
        buckets.iter_mut().for_each(|bucket| bucket.left -= 1.0);
        Ok(count)
    }

    /// Owners whose bucket is full again, and failures that hold nobody up any more, when there are many.
    fn forget(&mut self, now: Instant) {
        if self.owners.len() >= MOST {
            self.owners.retain(|_, bucket| bucket.wait(now).is_some() || bucket.left < bucket.per_hour);
        }
        if self.failures.len() >= MOST {
            self.failures.retain(|_, failures| failures.not_before > now);
        }
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
    const US: Holder = Holder::Platform;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn each_failure_makes_the_wait_longer_for_its_name_alone() {
        let now = Instant::now();
        let mut pace = Pace::new(MINUTE, 1000, 1000, now);
        let (a, b) = (name("a.example.com"), name("b.example.com"));
        let mut at = now;
        for (failed, minutes) in [(0, 1), (1, 4), (2, 16), (3, 64), (4, 256), (5, 720), (6, 720)] {
            assert_eq!(pace.begin(&a, &US, at), Ok(failed));
            assert_eq!(pace.failed(&a, false, at), minutes * MINUTE);
            assert_eq!(pace.begin(&a, &US, at), Err(minutes * MINUTE));
            assert_eq!(pace.begin(&b, &US, at), Ok(0));
            at += minutes * MINUTE;
        }
        pace.succeeded(&a);
        assert_eq!(pace.begin(&a, &US, now), Ok(0));
    }

    #[test]
    fn an_authority_that_asks_for_rest_gets_it() {
        let now = Instant::now();
        let mut pace = Pace::new(MINUTE, 10, 10, now);
        assert_eq!(pace.failed(&name("a.example.com"), true, now), 60 * MINUTE);
    }

    #[test]
    fn all_together_are_limited() {
        let now = Instant::now();
        let mut pace = Pace::new(MINUTE, 3, 3, now);
        for host in ["a.example.com", "b.example.com", "c.example.com"] {
            assert_eq!(pace.begin(&name(host), &US, now), Ok(0));
        }
        let wait = pace.begin(&name("d.example.com"), &US, now).unwrap_err();
        assert!(wait <= 20 * MINUTE && wait > 19 * MINUTE, "{wait:?}");
        assert_eq!(pace.begin(&name("d.example.com"), &US, now + 20 * MINUTE), Ok(0));
        assert!(pace.begin(&name("e.example.com"), &US, now + 20 * MINUTE).is_err());
    }

    #[test]
    fn an_owner_has_a_limit_and_takes_nothing_from_others_with_it() {
        let now = Instant::now();
        let mut pace = Pace::new(MINUTE, 100, 2, now);
        let (alice, bob) = (Holder::Owner("alice".into()), Holder::Owner("bob".into()));
        for host in ["a.org", "b.org"] {
            assert_eq!(pace.begin(&name(host), &alice, now), Ok(0));
        }
        for _ in 0..200 {
            let wait = pace.begin(&name("c.org"), &alice, now).unwrap_err();
            assert!(wait <= 30 * MINUTE && wait > 29 * MINUTE, "{wait:?}");
        }
        assert_eq!(pace.begin(&name("d.org"), &bob, now), Ok(0), "what was refused counts nothing");
        assert_eq!(pace.begin(&name("e.org"), &US, now), Ok(0));
        assert_eq!(pace.begin(&name("c.org"), &alice, now + 30 * MINUTE), Ok(0));
    }

    #[test]
    fn many_names_and_owners_do_not_fill_the_memory() {
        let now = Instant::now();
        let mut pace = Pace::new(MINUTE, u32::MAX, 2, now);
        let held = Holder::Owner("held".into());
        for host in ["a.org", "b.org"] {
            assert_eq!(pace.begin(&name(host), &held, now), Ok(0));
        }
        for number in 0..MOST {
            pace.begin(&name("x.org"), &Holder::Owner(number.to_string()), now).unwrap();
            pace.failed(&name(&format!("h{number}.org")), false, now);
        }
        let later = now + 30 * MINUTE;
        assert_eq!(pace.begin(&name("y.org"), &US, later), Ok(0));
        assert_eq!((pace.owners.len(), pace.failures.len()), (1, 0), "the one that used both is still known");
    }
}
