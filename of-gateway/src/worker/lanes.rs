//! How many calls of which function may start: one lane per function and queue, so that a slow one does not block
//! the others.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use queue::{Lane, Want};

/// Calls taken from the queue at once for one lane.
const CLAIM: usize = 64;

struct State {
    limit: usize,
    running: usize,
    /// The queue may have a due call.
    ready: bool,
    /// When the next call is due, if one waits.
    next: Option<i64>,
}

/// Calls of one queue that may run at once, all functions together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Limit {
    /// Each lane may run one call even when the others have used it up.
    Common(usize),
    /// The operator's word.
    Strict(usize),
}

pub(super) struct Lanes {
    lanes: BTreeMap<Lane, State>,
    /// Calls that run, by queue.
    running: HashMap<Arc<str>, usize>,
    limit: Box<dyn Fn(&str) -> Limit + Send>,
    /// The lane that was served last; the next round begins behind it.
    last: Option<Lane>,
}

impl Lanes {
    pub(super) fn new(limit: impl Fn(&str) -> Limit + Send + 'static) -> Self {
        Self { lanes: BTreeMap::new(), running: HashMap::new(), limit: Box::new(limit), last: None }
    }

    /// The queue has got something for this lane.
    pub(super) fn wake(&mut self, lane: Lane, limit: usize) {
        let state = self.lanes.entry(lane).or_insert(State { limit: 1, running: 0, ready: false, next: None });
        state.limit = limit.max(1);
        state.ready = true;
    }

    /// Functions got or lost replicas.
    pub(super) fn set_limits(&mut self, limit: impl Fn(&Lane) -> usize) {
        for (lane, state) in &mut self.lanes {
            state.limit = limit(lane).max(1);
        }
    }

    /// What to ask the queue for.
    pub(super) fn wants(&mut self, now: i64) -> Vec<Want> {
        let mut rooms: HashMap<&str, Room> = HashMap::new();
        let mut wants = Vec::new();
        let last = self.last.as_ref();
        let (before, after): (Vec<_>, Vec<_>) =
            self.lanes.iter_mut().partition(|(lane, _)| last.is_some_and(|last| *lane <= last));
        for (lane, state) in after.into_iter().chain(before) {
            if state.next.is_some_and(|at| at <= now) {
                state.ready = true;
            }
            let running = self.running.get(&lane.queue).copied().unwrap_or(0);
            let room = rooms.entry(&lane.queue).or_insert_with(|| Room::new((self.limit)(&lane.queue), running));
            let own = state.limit.saturating_sub(state.running).min(CLAIM);
            let calls = own.min(room.of(state.running));
            if state.ready && calls > 0 {
                room.left = room.left.saturating_sub(calls);
                wants.push(Want { lane: lane.clone(), calls });
            }
        }
        if let Some(want) = wants.last() {
            self.last = Some(want.lane.clone());
        }
        wants
    }

    /// The queue's answer to a want. Fewer than wanted means that no more are due; `next` is the one that waits.
    pub(super) fn claimed(&mut self, lane: &Lane, wanted: usize, got: usize, next: Option<i64>) {
        if got > 0 {
            *self.running.entry(Arc::clone(&lane.queue)).or_default() += got;
        }
        if let Some(state) = self.lanes.get_mut(lane) {
            state.running += got;
            state.ready = got == wanted && next.is_some();
            state.next = next;
        }
    }

    /// A call ended, and its place is free.
    pub(super) fn ended(&mut self, lane: &Lane) {
        if let Some(running) = self.running.get_mut(&lane.queue) {
            *running = running.saturating_sub(1);
        }
        if let Some(state) = self.lanes.get_mut(lane) {
            state.running = state.running.saturating_sub(1);
        }
    }

    /// When the next waiting call of a lane with room is due.
    pub(super) fn next_due(&self) -> Option<i64> {
        let open = |lane: &Lane, state: &State| {
            let running = self.running.get(&lane.queue).copied().unwrap_or(0);
            state.running < state.limit && Room::new((self.limit)(&lane.queue), running).of(state.running) > 0
        };
        let waiting = self.lanes.iter().filter(|(lane, state)| !state.ready && open(lane, state));
        waiting.filter_map(|(_, state)| state.next).min()
    }

    /// Lanes of functions that have nothing in the queue cost nothing.
    pub(super) fn forget_idle(&mut self) {
        self.lanes.retain(|_, state| state.running > 0 || state.ready || state.next.is_some());
        self.running.retain(|_, running| *running > 0);
    }
}

/// What a queue's limit leaves.
struct Room {
    left: usize,
    strict: bool,
}

impl Room {
    fn new(limit: Limit, running: usize) -> Self {
        let (most, strict) = match limit {
            Limit::Common(most) => (most, false),
            Limit::Strict(most) => (most, true),
        };
        Self { left: most.max(1).saturating_sub(running), strict }
    }

    /// For a lane of which so many run.
    fn of(&self, running: usize) -> usize {
        self.left.max(usize::from(running == 0 && !self.strict))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(function: &str) -> Lane {
        Lane::new("q", function)
    }

    fn asked(lanes: &mut Lanes, now: i64) -> Vec<(String, usize)> {
        lanes.wants(now).into_iter().map(|want| (want.lane.function.to_string(), want.calls)).collect()
    }

    #[test]
    fn a_full_lane_leaves_the_others_alone() {
        let mut lanes = Lanes::new(|_| Limit::Common(3));
        lanes.wake(lane("slow"), 8);
        assert_eq!(asked(&mut lanes, 0), [("slow".into(), 3)]);
        lanes.claimed(&lane("slow"), 3, 3, Some(0));
        lanes.wake(lane("quick"), 8);
        assert_eq!(asked(&mut lanes, 0), [("quick".into(), 1)], "one call beyond the common limit");
        lanes.claimed(&lane("quick"), 1, 1, None);
        assert_eq!(asked(&mut lanes, 0), []);
        lanes.ended(&lane("quick"));
        lanes.wake(lane("quick"), 8);
        assert_eq!(asked(&mut lanes, 0), [("quick".into(), 1)]);
    }

    #[test]
    fn a_limit_follows_its_function() {
        let mut lanes = Lanes::new(|_| Limit::Common(10));
        lanes.wake(lane("f"), 2);
        lanes.set_limits(|_| 6);
        assert_eq!(asked(&mut lanes, 0), [("f".into(), 6)]);
        lanes.claimed(&lane("f"), 6, 6, Some(0));
        lanes.set_limits(|_| 0);
        lanes.ended(&lane("f"));
        assert_eq!(asked(&mut lanes, 0), [], "what runs goes on, and nothing is begun beside it");
    }

    #[test]
    fn a_lane_sleeps_until_its_next_call_is_due() {
        let mut lanes = Lanes::new(|_| Limit::Common(10));
        lanes.wake(lane("f"), 2);
        assert_eq!(asked(&mut lanes, 100), [("f".into(), 2)]);
        lanes.claimed(&lane("f"), 2, 0, Some(500));
        assert_eq!(asked(&mut lanes, 100), []);
        assert_eq!(lanes.next_due(), Some(500));
        assert_eq!(asked(&mut lanes, 500), [("f".into(), 2)]);
        lanes.claimed(&lane("f"), 2, 1, None);
        lanes.ended(&lane("f"));
        asked(&mut lanes, 500);
        lanes.claimed(&lane("f"), 2, 0, None);
        lanes.forget_idle();
        assert!(lanes.lanes.is_empty() && lanes.running.is_empty());
    }

    #[test]
    fn queues_have_limits_of_their_own_and_a_strict_one_holds_for_every_lane() {
        let of = |queue: &str| if queue == "gpu" { Limit::Strict(1) } else { Limit::Common(5) };
        let gpu = |function: &str| Lane::new("gpu", function);
        let mut lanes = Lanes::new(of);
        for lane in [gpu("a"), gpu("b"), lane("c")] {
            lanes.wake(lane, 8);
        }
        assert_eq!(asked(&mut lanes, 0), [("a".into(), 1), ("c".into(), 5)]);
        lanes.claimed(&gpu("a"), 1, 1, None);
        lanes.claimed(&lane("c"), 5, 0, None);
        assert_eq!(asked(&mut lanes, 0), []);
        lanes.claimed(&gpu("b"), 1, 0, Some(50));
        assert_eq!(lanes.next_due(), None, "no use in waking up while the queue is full");
        lanes.ended(&gpu("a"));
        lanes.claimed(&gpu("a"), 1, 0, None);
        assert_eq!(lanes.next_due(), Some(50));
        assert_eq!(asked(&mut lanes, 50), [("b".into(), 1)]);
    }
}
