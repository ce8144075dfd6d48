//! One run per repository at a time, and the newest push wins.
//!
//! A run announces its commit once it knows that the commit is its branch's head; so an old event that is
//! delivered again cannot drive out a newer push. Whoever runs or waits with another commit of the same
//! branch sees that and stops before its next function.
//!
//! A pinned commit need not be the head, so its event is known by its call: delivered again after a newer push,
//! it is superseded. That is remembered while the process lives, for the last pinned events.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use sdk::call::CallId;
use sdk::event::PushEvent;
use sdk::id::CommitSha;
use tokio::sync::{OwnedMutexGuard, watch};

/// Host and repository.
type Key = (String, String);
/// The newest commit of each branch.
type Newest = BTreeMap<String, CommitSha>;

/// So many pinned events are remembered.
const MAX_PINNED: usize = 1024;

/// The repositories that are being deployed or waited for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Turns {
    slots: Arc<Mutex<HashMap<Key, Arc<Slot>>>>,
    pinned: Arc<Mutex<VecDeque<Pinned>>>,
}

/// A pinned event, and what was announced of its branch after it.
#[derive(Debug)]
struct Pinned {
    place: (Key, String),
    call: CallId,
    superseded_by: Option<CommitSha>,
}

#[derive(Debug)]
struct Slot {
    running: Arc<tokio::sync::Mutex<()>>,
    newest: watch::Sender<Newest>,
}

/// A run's place among the runs of its repository.
#[derive(Debug)]
pub(crate) struct Turn {
    slots: Turns,
    key: Key,
    slot: Option<Arc<Slot>>,
    /// The branch and what it is to be deployed with; `None` for a run that announces nothing.
    announced: Option<(String, CommitSha)>,
    running: Option<OwnedMutexGuard<()>>,
}

impl Turns {
    /// Announces that `event`'s commit is the one that its branch is to be deployed with.
    ///
    /// # Errors
    /// With the newer commit, if the event is pinned and was announced before, and another one after it.
    pub(crate) fn announce(&self, event: &PushEvent, call: &CallId) -> Result<Turn, CommitSha> {
        let key = key(event);
        self.note(event, &key, call)?;
        let slot = self.slot(&key, |slot| {
            slot.newest.send_modify(|newest| {
                newest.insert(event.branch.clone(), event.sha.clone());
            });
        });
        let announced = Some((event.branch.clone(), event.sha.clone()));
        Ok(Turn { slots: self.clone(), key, slot: Some(slot), announced, running: None })
    }

    /// A place for a run that changes no commit, but deploys anew what is deployed: it supersedes nothing, and nothing
    /// supersedes it.
    pub(crate) fn join(&self, event: &PushEvent) -> Turn {
        let key = key(event);
        let slot = self.slot(&key, |_| ());
        Turn { slots: self.clone(), key, slot: Some(slot), announced: None, running: None }
    }

    /// The repository's slot, after `change`. What is announced in a slot that is about to be dropped would be lost, so
    /// both happen under the table's lock.
    fn slot(&self, key: &Key, change: impl FnOnce(&Slot)) -> Arc<Slot> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = slots
            .entry(key.clone())
            .or_insert_with(|| Arc::new(Slot { running: Arc::default(), newest: watch::Sender::new(Newest::new()) }));
        change(slot);
        Arc::clone(slot)
    }

    fn note(&self, event: &PushEvent, key: &Key, call: &CallId) -> Result<(), CommitSha> {
        let place = (key.clone(), event.branch.clone());
        let mut pinned = self.pinned.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = pinned.iter().find(|known| event.pinned && known.place == place && known.call == *call) {
            return known.superseded_by.clone().map_or(Ok(()), Err);
        }
        pinned.iter_mut().filter(|known| known.place == place && known.call != *call).for_each(|known| {
            known.superseded_by = Some(event.sha.clone());
        });
        if event.pinned {
            pinned.push_back(Pinned { place, call: call.clone(), superseded_by: None });
            let surplus = pinned.len().saturating_sub(MAX_PINNED);
            pinned.drain(..surplus);
        }
        Ok(())
    }
}

fn key(event: &PushEvent) -> Key {
    (event.host.clone(), event.repo_path().to_string())
}

impl Turn {
    /// Waits until no other run of the repository goes on. True if there was one to wait for: the branch may
    /// have moved since. Comes back at once, without
    /// the turn, when a newer commit is announced.
    pub(crate) async fn wait(&mut self) -> bool {
        let Some(slot) = &self.slot else { return false };
        if let Ok(running) = Arc::clone(&slot.running).try_lock_owned() {
            self.running = Some(running);
            return false;
        }
        let slot = Arc::clone(slot);
        let mut newest = slot.newest.subscribe();
        // A commit may be the newest again (a push forced back), and nobody runs without the lock.
        while self.running.is_none() && self.superseded_by().is_none() {
            let replaced = newest.wait_for(|newest| self.newer_in(newest).is_some());
            tokio::select! {
                running = Arc::clone(&slot.running).lock_owned() => self.running = Some(running),
                _ = replaced => {}
            }
        }
        true
    }

    /// The newer commit of the same branch, if one has been announced.
    pub(crate) fn superseded_by(&self) -> Option<CommitSha> {
        self.newer_in(&self.slot.as_ref()?.newest.borrow())
    }

    fn newer_in(&self, newest: &Newest) -> Option<CommitSha> {
        let (branch, commit) = self.announced.as_ref()?;
        newest.get(branch).filter(|newest| *newest != commit).cloned()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.running = None;
        let mut slots = self.slots.slots.lock().unwrap_or_else(PoisonError::into_inner);
        self.slot = None;
        // Only the table still knows it: nobody runs and nobody waits.
        if slots.get(&self.key).is_some_and(|slot| Arc::strong_count(slot) == 1) {
            slots.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(sha: char) -> PushEvent {
        serde_json::from_value(serde_json::json!({
            "host": "h", "owner": "alice", "owner_id": 1, "repo": "r", "repo_id": 2, "private": false, "branch": "main",
            "default_branch": "main", "sha": sha.to_string().repeat(40), "html_url": "", "installation": 0, "pusher": "a",
        }))
        .unwrap()
    }

    fn call(id: &str) -> CallId {
        CallId::parse(id).unwrap()
    }

    fn announce(turns: &Turns, sha: char) -> Turn {
        turns.announce(&event(sha), &call("c")).unwrap()
    }

    #[tokio::test]
    async fn one_runs_and_the_newest_wins() {
        let turns = Turns::default();
        let mut first = announce(&turns, 'a');
        assert!(!first.wait().await);
        let mut second = announce(&turns, 'b');
        assert_eq!(first.superseded_by(), Some(event('b').sha));
        let mut third = announce(&turns, 'c');
        assert!(second.wait().await, "the second leaves at once although the first still runs");
        assert_eq!(second.superseded_by(), Some(event('c').sha));
        let (waited, ()) = tokio::join!(third.wait(), async { drop(first) });
        assert!(waited && third.superseded_by().is_none() && third.running.is_some());
    }

    #[tokio::test]
    async fn the_same_commit_twice_runs_one_after_the_other() {
        let turns = Turns::default();
        let mut first = announce(&turns, 'a');
        first.wait().await;
        let mut again = announce(&turns, 'a');
        assert!(first.superseded_by().is_none());
        let (waited, ()) = tokio::join!(again.wait(), async { drop(first) });
        assert!(waited && again.superseded_by().is_none());
    }

    #[tokio::test]
    async fn who_joins_waits_and_neither_supersedes_nor_is_superseded() {
        let turns = Turns::default();
        let mut push = announce(&turns, 'a');
        push.wait().await;
        let mut restart = turns.join(&event('b'));
        assert!(push.superseded_by().is_none());
        let mut newer = announce(&turns, 'c');
        assert!(restart.superseded_by().is_none());
        let (waited, ()) = tokio::join!(restart.wait(), async { drop(push) });
        assert!(waited && restart.running.is_some());
        let (waited, ()) = tokio::join!(newer.wait(), async { drop(restart) });
        assert!(waited && newer.superseded_by().is_none());
        drop(newer);
        assert!(turns.slots.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn nothing_stays_behind() {
        let turns = Turns::default();
        let mut first = announce(&turns, 'a');
        first.wait().await;
        let second = announce(&turns, 'b');
        drop((first, second));
        assert!(turns.slots.lock().unwrap().is_empty());
    }

    #[test]
    fn a_pinned_event_that_comes_again_after_a_newer_push_is_superseded() {
        let turns = Turns::default();
        let pinned = PushEvent { pinned: true, ..event('a') };
        turns.announce(&pinned, &call("1")).unwrap();
        turns.announce(&pinned, &call("1")).unwrap();
        let other = PushEvent { branch: "other".to_owned(), ..event('b') };
        turns.announce(&other, &call("2")).unwrap();
        turns.announce(&pinned, &call("1")).unwrap();
        turns.announce(&event('c'), &call("3")).unwrap();
        assert_eq!(turns.announce(&pinned, &call("1")).unwrap_err(), event('c').sha);
        turns.announce(&pinned, &call("4")).expect("somebody asked for it again");
        for number in 0..2 * MAX_PINNED {
            turns.announce(&pinned, &call(&format!("n{number}"))).unwrap();
        }
        assert_eq!(turns.pinned.lock().unwrap().len(), MAX_PINNED);
    }
}
