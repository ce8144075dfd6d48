//! Who may run git now: so many processes at once, and no owner more than half of them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sdk::id::Owner;
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

/// The turns that there are.
#[derive(Debug, Clone)]
pub(crate) struct Turns {
    all: Arc<Semaphore>,
    each: usize,
    owners: Arc<Owners>,
}

/// A turn; dropping it gives it back.
#[derive(Debug)]
pub(crate) struct Turn {
    _of_all: OwnedSemaphorePermit,
    _of_owner: Option<(OwnedSemaphorePermit, Share)>,
}

/// The owners who have a turn or wait for one.
#[derive(Debug, Default)]
struct Owners(Mutex<HashMap<Owner, Part>>);

#[derive(Debug)]
struct Part {
    turns: Arc<Semaphore>,
    users: usize,
}

/// Keeps an owner's part in the map as long as somebody uses it.
#[derive(Debug)]
struct Share {
    owners: Arc<Owners>,
    owner: Owner,
}

impl Turns {
    pub(crate) fn new(max: usize) -> Self {
        let all = Arc::new(Semaphore::new(max.max(1)));
        Self { all, each: (max / 2).max(1), owners: Arc::default() }
    }

    /// Waits for a turn. Without an owner it is the platform's own, which no owner's number bounds.
    pub(crate) async fn take(&self, owner: Option<&Owner>) -> Result<Turn, AcquireError> {
        // The owner's first: who waits for that one must not hold one of all.
        let of_owner = match owner {
            Some(owner) => {
                let (turns, share) = self.owners.share(owner, self.each);
                Some((turns.acquire_owned().await?, share))
            }
            None => None,
        };
        Ok(Turn { _of_all: Arc::clone(&self.all).acquire_owned().await?, _of_owner: of_owner })
    }
}

impl Owners {
    fn share(self: &Arc<Self>, owner: &Owner, each: usize) -> (Arc<Semaphore>, Share) {
        let mut parts = self.parts();
        let new = || Part { turns: Arc::new(Semaphore::new(each)), users: 0 };
        let part = parts.entry(owner.clone()).or_insert_with(new);
        part.users += 1;
        (Arc::clone(&part.turns), Share { owners: Arc::clone(self), owner: owner.clone() })
    }

    fn parts(&self) -> MutexGuard<'_, HashMap<Owner, Part>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if let Entry::Occupied(mut part) = self.owners.parts().entry(self.owner.clone()) {
            part.get_mut().users -= 1;
            if part.get().users == 0 {
                part.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn owner(name: &str) -> Owner {
        name.parse().unwrap()
    }

    #[tokio::test]
    async fn one_owner_cannot_take_the_turns_of_others() {
        let turns = Turns::new(4);
        let (alice, bob) = (owner("alice"), owner("bob"));
        let first = turns.take(Some(&alice)).await.unwrap();
        let _second = turns.take(Some(&alice)).await.unwrap();
        let mut third = Box::pin(turns.take(Some(&alice)));
        assert!((&mut third).now_or_never().is_none(), "half of all is the most");
        let _bob = turns.take(Some(&bob)).now_or_never().unwrap().unwrap();
        let _platform = turns.take(None).now_or_never().unwrap().unwrap();
        assert!(turns.take(None).now_or_never().is_none(), "all are taken");
        drop(first);
        assert!(third.now_or_never().unwrap().is_ok());
    }

    #[tokio::test]
    async fn the_platform_may_have_all_and_a_single_turn_is_enough_for_an_owner() {
        let turns = Turns::new(2);
        let platform = (turns.take(None).await.unwrap(), turns.take(None).await.unwrap());
        assert!(turns.take(Some(&owner("alice"))).now_or_never().is_none());
        drop(platform);
        assert!(Turns::new(1).take(Some(&owner("alice"))).now_or_never().unwrap().is_ok());
    }

    #[tokio::test]
    async fn owners_are_forgotten_when_they_are_idle() {
        let turns = Turns::new(2);
        let alice = owner("alice");
        let turn = turns.take(Some(&alice)).await.unwrap();
        let mut waiting = Box::pin(turns.take(Some(&alice)));
        assert!((&mut waiting).now_or_never().is_none());
        drop(turn);
        assert_eq!(turns.owners.parts().len(), 1, "who waits still counts");
        drop(waiting);
        assert!(turns.owners.parts().is_empty());
    }
}
