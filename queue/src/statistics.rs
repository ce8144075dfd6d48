//! How much waits where, for metrics.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::call::Lane;

/// The calls of one lane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaneCounts {
    /// The lane.
    pub lane: Lane,
    /// Calls that wait, due or not.
    pub waiting: u64,
    /// Calls that run.
    pub running: u64,
    /// Dead letters.
    pub dead: u64,
}

/// Counters of all lanes. Read without asking the store.
#[derive(Debug, Default)]
pub(crate) struct Counters(Mutex<HashMap<Lane, Counts>>);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) waiting: i64,
    pub(crate) running: i64,
    pub(crate) dead: i64,
}

impl Counts {
    pub(crate) const fn waiting(waiting: i64) -> Self {
        Self { waiting, running: 0, dead: 0 }
    }

    pub(crate) const fn running(running: i64) -> Self {
        Self { waiting: 0, running, dead: 0 }
    }

    pub(crate) const fn dead(dead: i64) -> Self {
        Self { waiting: 0, running: 0, dead }
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self {
            waiting: self.waiting + other.waiting,
            running: self.running + other.running,
            dead: self.dead + other.dead,
        }
    }
}

impl Counters {
    /// Adds changes; lanes that have nothing left are forgotten.
    pub(crate) fn add(&self, changes: impl IntoIterator<Item = (Lane, Counts)>) {
        let mut counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (lane, change) in changes {
            let sum = counters.get(&lane).copied().unwrap_or_default().and(change);
            if sum == Counts::default() {
                counters.remove(&lane);
            } else {
                counters.insert(lane, sum);
            }
        }
    }

    pub(crate) fn read(&self) -> Vec<LaneCounts> {
        let counters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = counters.iter().map(|(lane, counts)| counts.of(lane.clone())).collect();
        all.sort_by(|a, b| a.lane.cmp(&b.lane));
        all
    }
}

impl Counts {
    pub(crate) fn of(self, lane: Lane) -> LaneCounts {
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        LaneCounts { lane, waiting: count(self.waiting), running: count(self.running), dead: count(self.dead) }
    }
}
