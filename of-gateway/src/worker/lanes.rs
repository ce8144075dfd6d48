//! How many calls of which function may start: one lane per function, so that a slow one does not block the others.

use std::collections::BTreeMap;

use crate::queue::Want;

/// Calls taken from the queue at once for one function.
const CLAIM: usize = 64;

struct Lane {
    limit: usize,
    running: usize,
    /// The queue may have a due call.
    ready: bool,
    /// When the next call is due, if one waits.
    next: Option<i64>,
}

pub(super) struct Lanes {
    lanes: BTreeMap<String, Lane>,
    limit: usize,
    running: usize,
    /// The lane that was served last; the next round begins behind it.
    last: String,
}

impl Lanes {
    pub(super) fn new(limit: usize) -> Self {
        Self { lanes: BTreeMap::new(), limit: limit.max(1), running: 0, last: String::new() }
    }

    /// The queue has got something for this function.
    pub(super) fn wake(&mut self, function: String, limit: usize) {
        let lane = self.lanes.entry(function).or_insert(Lane { limit: 1, running: 0, ready: false, next: None });
        lane.limit = limit.max(1);
        lane.ready = true;
    }

    /// What to ask the queue for. Every lane may run one call even when the others have used up the common limit.
    pub(super) fn wants(&mut self, now: i64) -> Vec<Want> {
        let mut room = self.limit.saturating_sub(self.running);
        let mut wants = Vec::new();
        let (before, after): (Vec<_>, Vec<_>) = self.lanes.iter_mut().partition(|(name, _)| **name <= self.last);
        for (name, lane) in after.into_iter().chain(before) {
            if lane.next.is_some_and(|at| at <= now) {
                lane.ready = true;
            }
            let own = lane.limit.saturating_sub(lane.running).min(CLAIM);
            let calls = own.min(room.max(usize::from(lane.running == 0)));
            if lane.ready && calls > 0 {
                room = room.saturating_sub(calls);
                wants.push(Want { function: name.clone(), calls });
            }
        }
        if let Some(want) = wants.last() {
            self.last.clone_from(&want.function);
        }
        wants
    }

    /// The queue's answer to a want. Fewer than wanted means that no more are due; `next` is the one that waits.
    pub(super) fn claimed(&mut self, function: &str, wanted: usize, got: usize, next: Option<i64>) {
        self.running += got;
        if let Some(lane) = self.lanes.get_mut(function) {
            lane.running += got;
            lane.ready = got == wanted && next.is_some();
            lane.next = next;
        }
    }

    /// A call ended. It may wait again as a retry, so the queue is asked.
    pub(super) fn ended(&mut self, function: &str) {
        self.running = self.running.saturating_sub(1);
        if let Some(lane) = self.lanes.get_mut(function) {
            lane.running = lane.running.saturating_sub(1);
            lane.ready = true;
        }
    }

    /// When the next waiting call of a lane with room is due.
    pub(super) fn next_due(&self) -> Option<i64> {
        self.lanes.values().filter(|lane| !lane.ready && lane.running < lane.limit).filter_map(|lane| lane.next).min()
    }

    /// Lanes of functions that have nothing in the queue cost nothing.
    pub(super) fn forget_idle(&mut self) {
        self.lanes.retain(|_, lane| lane.running > 0 || lane.ready || lane.next.is_some());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(lanes: &mut Lanes, now: i64) -> Vec<(String, usize)> {
        lanes.wants(now).into_iter().map(|want| (want.function, want.calls)).collect()
    }

    #[test]
    fn a_full_lane_leaves_the_others_alone() {
        let mut lanes = Lanes::new(3);
        lanes.wake("slow".into(), 8);
        assert_eq!(asked(&mut lanes, 0), [("slow".into(), 3)]);
        lanes.claimed("slow", 3, 3, Some(0));
        lanes.wake("quick".into(), 8);
        assert_eq!(asked(&mut lanes, 0), [("quick".into(), 1)], "one call beyond the common limit");
        lanes.claimed("quick", 1, 1, None);
        assert_eq!(asked(&mut lanes, 0), []);
        lanes.ended("quick");
        lanes.wake("quick".into(), 8);
        assert_eq!(asked(&mut lanes, 0), [("quick".into(), 1)]);
    }

    #[test]
    fn a_lane_sleeps_until_its_next_call_is_due() {
        let mut lanes = Lanes::new(10);
        lanes.wake("f".into(), 2);
        assert_eq!(asked(&mut lanes, 100), [("f".into(), 2)]);
        lanes.claimed("f", 2, 0, Some(500));
        assert_eq!(asked(&mut lanes, 100), []);
        assert_eq!(lanes.next_due(), Some(500));
        assert_eq!(asked(&mut lanes, 500), [("f".into(), 2)]);
        lanes.claimed("f", 2, 1, None);
        lanes.ended("f");
        asked(&mut lanes, 500);
        lanes.claimed("f", 2, 0, None);
        lanes.forget_idle();
        assert!(lanes.lanes.is_empty());
    }
}
