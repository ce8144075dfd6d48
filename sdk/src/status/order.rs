//! Which of two statuses is the newer one. They come from several functions over several connections, so an older
//! one may arrive last; told to a host, it would stay there.

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};

use tokio::sync::{Mutex, MutexGuard};

use super::Status;

/// Statuses of contexts that share a part wait for each other.
const PARTS: usize = 64;
/// So many contexts are remembered in each part.
const PART_SIZE: usize = 256;

/// Remembers, for the contexts of late, when the newest status was said, and lets one status of a context through
/// at a time. Bounded: the oldest contexts are forgotten.
#[derive(Debug)]
pub struct Order {
    hasher: RandomState,
    parts: Vec<Mutex<Part>>,
}

/// The right to tell a host about one context, until it is dropped.
#[derive(Debug)]
pub struct Turn<'a> {
    _part: MutexGuard<'a, Part>,
}

#[derive(Debug, Default)]
struct Part {
    newest: HashMap<Context, u64>,
    age: VecDeque<Context>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Context {
    repository: (String, u64, String),
    sha: String,
    context: String,
}

impl Default for Order {
    fn default() -> Self {
        Self { hasher: RandomState::new(), parts: (0..PARTS).map(|_| Mutex::default()).collect() }
    }
}

impl Order {
    /// Waits until nobody else tells about the status's context. `None` where a newer status came before: then this
    /// one is not to be told. The same status may come again.
    pub async fn turn(&self, status: &Status) -> Option<Turn<'_>> {
        let context = Context {
            repository: (status.host.clone(), status.repo_id, format!("{}/{}", status.owner, status.repo)),
            sha: status.sha.to_string(),
            context: status.context.clone(),
        };
        let at = usize::try_from(self.hasher.hash_one(&context) % PARTS as u64).unwrap_or_default();
        let mut part = self.parts[at].lock().await;
        part.note(context, status.at).then_some(Turn { _part: part })
    }
}

impl Part {
    /// False if something newer was noted before.
    fn note(&mut self, context: Context, at: u64) -> bool {
        if let Some(newest) = self.newest.get_mut(&context) {
            // Without a time there is no telling.
            let newer = at == 0 || at >= *newest;
            *newest = at.max(*newest);
            return newer;
        }
        self.newest.insert(context.clone(), at);
        self.age.push_back(context);
        if self.age.len() > PART_SIZE
            && let Some(oldest) = self.age.pop_front()
        {
            self.newest.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::State;
    use crate::status::tests::status;

    #[tokio::test]
    async fn what_is_older_comes_too_late_and_the_same_may_come_again() {
        let order = Order::default();
        let (old, new) = (status("greet", State::Queued), status("greet", State::InProgress));
        let new = Status { at: old.at + 1, ..new };
        assert!(order.turn(&old).await.is_some());
        assert!(order.turn(&new).await.is_some());
        assert!(order.turn(&old).await.is_none());
        assert!(order.turn(&new).await.is_some(), "its sender may have missed the answer");
        for other in [
            Status { context: "other".to_owned(), ..old.clone() },
            Status { sha: "b".repeat(40).parse().unwrap(), ..old.clone() },
            Status { repo_id: 3, ..old.clone() },
        ] {
            assert!(order.turn(&other).await.is_some());
        }
    }

    #[tokio::test]
    async fn one_at_a_time_for_each_context() {
        let order = Order::default();
        let first = order.turn(&status("greet", State::Queued)).await;
        let second = status("greet", State::Success);
        let mut waits = Box::pin(order.turn(&second));
        assert!(futures_util::poll!(&mut waits).is_pending());
        drop(first);
        assert!(waits.await.is_some());
    }

    #[test]
    fn the_memory_is_bounded() {
        let mut part = Part::default();
        for number in 0..10_000 {
            let context = Context {
                repository: (String::new(), number, String::new()),
                sha: String::new(),
                context: String::new(),
            };
            assert!(part.note(context, 1));
        }
        assert_eq!((part.newest.len(), part.age.len()), (PART_SIZE, PART_SIZE));
    }
}
