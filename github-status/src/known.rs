//! Which check run belongs to which context of which commit: a bounded memory that also keeps two reports of the
//! same context from making two runs.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};

use sdk::status::Status;
use tokio::sync::{Mutex, MutexGuard};

/// Reports of contexts that share a part wait for each other.
const PARTS: usize = 64;
/// So many runs are remembered in each part; a forgotten one is looked up.
const PART_SIZE: usize = 128;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct RunKey {
    repo: String,
    sha: String,
    context: String,
}

impl RunKey {
    pub(crate) fn of(status: &Status) -> Self {
        Self {
            repo: format!("{}/{}", status.owner, status.repo),
            sha: status.sha.to_string(),
            context: status.context.clone(),
        }
    }
}

pub(crate) struct KnownRuns {
    hasher: RandomState,
    parts: Vec<Mutex<Part>>,
}

#[derive(Default)]
pub(crate) struct Part {
    ids: HashMap<RunKey, u64>,
    order: VecDeque<RunKey>,
}

impl KnownRuns {
    pub(crate) fn new() -> Self {
        Self { hasher: RandomState::new(), parts: (0..PARTS).map(|_| Mutex::default()).collect() }
    }

    /// The part of the memory where the run is, for oneself until it is let go.
    pub(crate) async fn part_of(&self, key: &RunKey) -> MutexGuard<'_, Part> {
        let at = usize::try_from(self.hasher.hash_one(key) % PARTS as u64).unwrap_or_default();
        self.parts[at].lock().await
    }
}

impl Part {
    pub(crate) fn get(&self, key: &RunKey) -> Option<u64> {
        self.ids.get(key).copied()
    }

    pub(crate) fn put(&mut self, key: RunKey, id: u64) {
        if self.ids.insert(key.clone(), id).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > PART_SIZE
            && let Some(oldest) = self.order.pop_front()
        {
            self.ids.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u64) -> RunKey {
        RunKey { repo: "alice/hello".to_owned(), sha: n.to_string(), context: "greet".to_owned() }
    }

    #[test]
    fn the_memory_is_bounded_and_keeps_the_newest() {
        let mut part = Part::default();
        for n in 0..10_000 {
            part.put(key(n), n);
            part.put(key(n), n + 1);
        }
        assert_eq!((part.ids.len(), part.order.len()), (PART_SIZE, PART_SIZE));
        assert_eq!(part.get(&key(9_999)), Some(10_000));
        assert_eq!(part.get(&key(0)), None);
    }
}
