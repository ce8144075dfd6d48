//! How much of the platform one owner's functions may take.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use super::Serving;
use crate::callee::Callee;

/// The metrics tell so many owners apart; the rest are one.
const MAX_SHOWN: usize = 200;

/// What is known of one owner.
#[derive(Debug)]
pub(crate) struct OwnerState {
    /// When the bucket would be full again, in nanoseconds since the beginning.
    full_at: AtomicU64,
    open: AtomicU32,
    /// Answers by the status's first digit.
    pub(crate) answers: [AtomicU64; 6],
}

impl OwnerState {
    fn new() -> Self {
        Self { full_at: AtomicU64::new(0), open: AtomicU32::new(0), answers: Default::default() }
    }
}

/// A request's place among its owner's; given back when dropped.
#[derive(Debug)]
pub(crate) struct Ticket(Arc<Callee>);

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(state) = self.0.known_state() {
            state.open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// Why an owner's function is not called now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TooMany {
    /// Too many requests a second; a try makes sense after this time.
    Rate(Duration),
    /// Too many open at once.
    Open,
}

/// All owners whose functions were called. What gets here is an owner by the gateway's word, so they are few.
#[derive(Debug)]
pub(crate) struct Owners {
    began: Instant,
    states: RwLock<HashMap<String, Arc<OwnerState>>>,
}

impl Owners {
    pub(crate) fn new(now: Instant) -> Self {
        Self { began: now, states: RwLock::default() }
    }

    /// What is known of an owner.
    pub(crate) fn state(&self, owner: &str) -> Arc<OwnerState> {
        if let Some(state) = self.states.read().unwrap_or_else(PoisonError::into_inner).get(owner) {
            return state.clone();
        }
        let mut states = self.states.write().unwrap_or_else(PoisonError::into_inner);
        states.entry(owner.to_owned()).or_insert_with(|| Arc::new(OwnerState::new())).clone()
    }

    /// Takes a place for one request.
    ///
    /// # Errors
    /// When there is none for the moment.
    pub(crate) fn admit(&self, callee: &Arc<Callee>, limits: &Serving, now: Instant) -> Result<Ticket, TooMany> {
        let (state, most) = (callee.state(self), limits.owner_max_concurrent);
        if state.open.fetch_add(1, Ordering::Relaxed) >= most && most != 0 {
            state.open.fetch_sub(1, Ordering::Relaxed);
            return Err(TooMany::Open);
        }
        let ticket = Ticket(callee.clone());
        if limits.owner_requests_per_second != 0 {
            let now = u64::try_from(now.saturating_duration_since(self.began).as_nanos()).unwrap_or(u64::MAX);
            let each = 1_000_000_000 / u64::from(limits.owner_requests_per_second);
            let depth = each.saturating_mul(u64::from(limits.owner_burst.max(1)));
            take(&state.full_at, now, each, depth).map_err(TooMany::Rate)?;
        }
        Ok(ticket)
    }

    /// Owners and their answers for the metrics: the first few by name, the others in one sum.
    pub(crate) fn shown(&self) -> Vec<(String, [u64; 6])> {
        let states = self.states.read().unwrap_or_else(PoisonError::into_inner);
        let mut names: Vec<_> = states.iter().collect();
        names.sort_by(|a, b| a.0.cmp(b.0));
        let counts = |state: &OwnerState| state.answers.each_ref().map(|count| count.load(Ordering::Relaxed));
        let mut shown: Vec<_> = names.iter().take(MAX_SHOWN).map(|(name, s)| ((*name).clone(), counts(s))).collect();
        let mut rest = [0; 6];
        for (_, state) in names.iter().skip(MAX_SHOWN) {
            rest.iter_mut().zip(counts(state)).for_each(|(sum, count)| *sum += count);
        }
        if rest.iter().any(|count| *count != 0) {
            // No owner has a dot in its name.
            shown.push(("other.owners".to_owned(), rest));
        }
        shown
    }
}

/// Takes one from a bucket that a request costs `each` nanoseconds of and that holds `depth`.
fn take(full_at: &AtomicU64, now: u64, each: u64, depth: u64) -> Result<(), Duration> {
    let mut before = full_at.load(Ordering::Relaxed);
    loop {
        let after = before.max(now) + each;
        if after - now > depth.max(each) {
            return Err(Duration::from_nanos(after - now - depth));
        }
        match full_at.compare_exchange_weak(before, after, Ordering::Relaxed, Ordering::Relaxed) {
            Ok(_) => return Ok(()),
            Err(other) => before = other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn callee(owner: &str) -> Arc<Callee> {
        Callee::new(owner.parse().unwrap(), format!("{owner}-fn").parse().unwrap())
    }

    #[test]
    fn a_bucket_lets_a_burst_through_and_then_the_rate() {
        let now = Instant::now();
        let owners = Owners::new(now);
        let limits = Serving { owner_requests_per_second: 10, owner_burst: 3, ..Serving::default() };
        let (alice, bob) = (callee("alice"), callee("bob"));
        for _ in 0..3 {
            owners.admit(&alice, &limits, now).unwrap();
        }
        assert!(matches!(owners.admit(&alice, &limits, now), Err(TooMany::Rate(wait)) if wait.as_millis() == 100));
        owners.admit(&bob, &limits, now).unwrap();
        owners.admit(&alice, &limits, now + Duration::from_millis(100)).unwrap();
        assert!(owners.admit(&alice, &limits, now + Duration::from_millis(150)).is_err());
        let later = now + Duration::from_secs(60);
        let passed = (0..10).filter(|_| owners.admit(&alice, &limits, later).is_ok()).count();
        assert_eq!(passed, 3, "a long rest saves no more than a burst");
    }

    #[test]
    fn places_are_given_back() {
        let now = Instant::now();
        let owners = Owners::new(now);
        let limits = Serving { owner_max_concurrent: 2, ..Serving::default() };
        let alice = callee("alice");
        let first = owners.admit(&alice, &limits, now).unwrap();
        let _second = owners.admit(&alice, &limits, now).unwrap();
        assert_eq!(owners.admit(&alice, &limits, now).err(), Some(TooMany::Open));
        drop(first);
        assert!(owners.admit(&alice, &limits, now).is_ok());
    }

    #[test]
    fn the_metrics_stay_small() {
        let owners = Owners::new(Instant::now());
        for number in 0..1000 {
            owners.state(&format!("o{number:04}")).answers[2].fetch_add(1, Ordering::Relaxed);
        }
        let shown = owners.shown();
        assert_eq!(shown.len(), MAX_SHOWN + 1);
        assert_eq!(shown.last().unwrap(), &("other.owners".to_owned(), [0, 0, 800, 0, 0, 0]));
    }
}
