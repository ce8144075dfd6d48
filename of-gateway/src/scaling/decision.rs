//! From what was seen of one function to the number of replicas it is to have: no clock, no engine, no I/O.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::policy::{Measure, Policy};

/// The load is what was seen over this time: long enough not to follow every ripple, short enough to follow a rush.
const WINDOW: Duration = Duration::from_secs(3);

/// What one look at a function sees.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sight {
    pub(super) now: Instant,
    pub(super) replicas: u32,
    /// Requests begun since the gateway counts.
    pub(super) invocations: u64,
    pub(super) in_flight: usize,
}

/// What former looks saw.
#[derive(Debug)]
pub(super) struct History {
    sights: VecDeque<Sight>,
    /// How many replicas the load asked for, and when.
    wishes: VecDeque<(Instant, u32)>,
    /// When there last was anything to do.
    active: Instant,
}

impl History {
    pub(super) fn new(now: Instant) -> Self {
        Self { sights: VecDeque::new(), wishes: VecDeque::new(), active: now }
    }

    /// The number of replicas to go to, if it is another one than now. Up at once; down to the most that was asked
    /// for within `calm`, so that a short pause costs no replica.
    pub(super) fn decide(&mut self, policy: &Policy, sight: Sight, calm: Duration) -> Option<u32> {
        self.remember(sight);
        if sight.replicas == 0 {
            self.wishes.clear();
            return None;
        }
        if policy.zero_after.is_some_and(|after| sight.now.duration_since(self.active) >= after) {
            return Some(0);
        }
        let target = policy.target?;
        let load = match target.measure {
            Measure::Rps => self.rate(),
            Measure::Capacity => self.in_flight(),
        };
        let wish = ((load / target.load).ceil() as u32).clamp(policy.min, policy.max);
        self.wishes.push_back((sight.now, wish));
        while self.wishes.front().is_some_and(|(at, _)| sight.now.duration_since(*at) > calm) {
            self.wishes.pop_front();
        }
        if wish > sight.replicas {
            return Some(wish);
        }
        let most = self.wishes.iter().map(|(_, wish)| *wish).max().unwrap_or(wish);
        (most < sight.replicas).then_some(most)
    }

    fn remember(&mut self, sight: Sight) {
        // Seen for the first time, its calls may be long past.
        let new = self.sights.back().is_some_and(|last| last.invocations != sight.invocations);
        // One that just came up from zero has not been idle.
        let woken = self.sights.back().is_some_and(|last| last.replicas == 0 && sight.replicas > 0);
        if new || woken || sight.in_flight > 0 {
            self.active = sight.now;
        }
        self.sights.push_back(sight);
        while self.sights.len() > 2 && sight.now.duration_since(self.sights[0].now) > WINDOW {
            self.sights.pop_front();
        }
    }

    /// Requests per second.
    fn rate(&self) -> f64 {
        let (Some(first), Some(last)) = (self.sights.front(), self.sights.back()) else { return 0.0 };
        let seconds = last.now.duration_since(first.now).as_secs_f64();
        if seconds > 0.0 { last.invocations.saturating_sub(first.invocations) as f64 / seconds } else { 0.0 }
    }

    /// Requests in flight, on average.
    fn in_flight(&self) -> f64 {
        let sum: usize = self.sights.iter().map(|sight| sight.in_flight).sum();
        sum as f64 / self.sights.len().max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::super::policy::Target;
    use super::*;

    const CALM: Duration = Duration::from_secs(60);

    fn policy(target: Option<Target>, zero_after: Option<u64>) -> Policy {
        Policy { min: 1, max: 10, zero_after: zero_after.map(Duration::from_secs), target }
    }

    /// Looks once a second; each item is (replicas, requests since the last look, requests in flight).
    fn run(policy: &Policy, looks: impl IntoIterator<Item = (u32, u64, usize)>) -> Vec<Option<u32>> {
        let start = Instant::now();
        let mut history = History::new(start);
        let mut invocations = 0;
        let each = looks.into_iter().enumerate().map(|(second, (replicas, requests, in_flight))| {
            invocations += requests;
            let now = start + Duration::from_secs(second as u64);
            history.decide(policy, Sight { now, replicas, invocations, in_flight }, CALM)
        });
        each.collect()
    }

    #[test]
    fn more_requests_bring_more_replicas_at_once_up_to_the_most() {
        let policy = policy(Some(Target { measure: Measure::Rps, load: 10.0 }), None);
        let wishes = run(&policy, [(1, 0, 0), (1, 35, 0), (4, 35, 0), (4, 1000, 0)]);
        assert_eq!(wishes, [None, Some(4), None, Some(10)]);
    }

    #[test]
    fn fewer_requests_take_replicas_away_only_after_a_calm_time() {
        let policy = policy(Some(Target { measure: Measure::Capacity, load: 10.0 }), None);
        let wishes = run(&policy, std::iter::once((4, 0, 40)).chain((0..70).map(|_| (4, 0, 5))));
        let first = wishes.iter().position(Option::is_some).unwrap();
        assert!(first > 60, "after {first} seconds");
        assert_eq!(wishes.last(), Some(&Some(1)));
    }

    #[test]
    fn an_idle_function_goes_to_zero_and_a_busy_one_does_not() {
        let policy = policy(None, Some(5));
        let idle = run(&policy, (0..7).map(|_| (1, 0, 0)));
        assert_eq!(idle, [None, None, None, None, None, Some(0), Some(0)]);
        assert!(run(&policy, (0..20).map(|_| (1, 0, 1))).iter().all(Option::is_none), "a long request");
        assert!(run(&policy, (0..20).map(|n| (1, u64::from(n % 4 == 0), 0))).iter().all(Option::is_none));
        let woken = run(&policy, (0..10).map(|n| (u32::from(n > 5), 0, 0)));
        assert!(woken.iter().all(Option::is_none), "woken a moment ago");
    }

    #[test]
    fn without_labels_nothing_happens() {
        assert!(run(&policy(None, None), (0..100).map(|_| (1, 1000, 50))).iter().all(Option::is_none));
    }
}
