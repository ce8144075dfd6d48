//! Which logs are followed, and that something happened to one. All followers of a log share what was read of it last, so
//! that many cost the store no more than one does.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use crate::log_key::Folder;
use crate::reading::Answer;

/// What is known of a log besides its bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Change {
    /// How often anything happened to it.
    pub(crate) number: u64,
    /// How often it was begun again.
    pub(crate) tries: u64,
}

/// A log that is followed.
#[derive(Debug, Default)]
pub(crate) struct Topic {
    pub(crate) changes: watch::Sender<Change>,
    /// What was read last, after which change, and from where on.
    pub(crate) last: tokio::sync::Mutex<Option<(u64, u64, Chunk)>>,
}

/// What comes next in a followed log.
#[derive(Debug, Clone)]
pub(crate) struct Chunk {
    pub(crate) answer: Answer,
    /// The log's tries when it was read.
    pub(crate) tries: u64,
}

/// All logs that are followed.
#[derive(Debug)]
pub(crate) struct Topics {
    topics: Mutex<HashMap<Folder, Weak<Topic>>>,
    places: Arc<Semaphore>,
    /// So many may follow.
    pub(crate) max: usize,
}

impl Topic {
    /// Something happened to the log.
    pub(crate) fn tell(&self, begun_again: bool) {
        self.changes.send_modify(|change| {
            change.number += 1;
            change.tries += u64::from(begun_again);
        });
    }
}

impl Topics {
    pub(crate) fn new(max: usize) -> Self {
        Self { topics: Mutex::default(), places: Arc::new(Semaphore::new(max)), max }
    }

    /// A place among the followers, if one is free.
    pub(crate) fn place(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.places).try_acquire_owned().ok()
    }

    /// The topic of a log. It is there as long as somebody holds it. True if it is new.
    pub(crate) fn join(&self, folder: &Folder) -> (Arc<Topic>, bool) {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(topic) = topics.get(folder).and_then(Weak::upgrade) {
            return (topic, false);
        }
        // There are never many more than followers.
        topics.retain(|_, topic| topic.strong_count() > 0);
        let topic = Arc::new(Topic::default());
        topics.insert(folder.clone(), Arc::downgrade(&topic));
        (topic, true)
    }

    /// Tells the followers of a log, if it has any, that something happened to it.
    pub(crate) fn tell(&self, folder: &Folder, begun_again: bool) {
        let topic = self.topics.lock().unwrap_or_else(PoisonError::into_inner).get(folder).and_then(Weak::upgrade);
        if let Some(topic) = topic {
            topic.tell(begun_again);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(function: &str) -> Folder {
        Folder::of(&sdk::pipeline_log::LogKey {
            owner: "alice".parse().unwrap(),
            repo: "shop".parse().unwrap(),
            sha: "a".repeat(40).parse().unwrap(),
            function: function.parse().unwrap(),
        })
    }

    #[test]
    fn a_topic_lives_as_long_as_its_followers() {
        let topics = Topics::new(2);
        let (first, is_new) = topics.join(&folder("a"));
        assert!(is_new && !topics.join(&folder("a")).1);
        topics.tell(&folder("a"), true);
        topics.tell(&folder("b"), false);
        assert_eq!(*first.changes.borrow(), Change { number: 1, tries: 1 });
        drop(first);
        assert!(topics.join(&folder("a")).1);
        for number in 0..1000 {
            topics.join(&folder(&format!("f{number}")));
        }
        assert!(topics.topics.lock().unwrap().len() <= 2, "what nobody follows is forgotten");
    }

    #[test]
    fn places_are_given_back() {
        let topics = Topics::new(1);
        let place = topics.place().unwrap();
        assert!(topics.place().is_none());
        drop(place);
        assert!(topics.place().is_some());
    }
}
