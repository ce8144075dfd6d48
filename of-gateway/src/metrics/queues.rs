//! What goes into the queues and what comes out.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Counts of all queues since the start.
#[derive(Debug, Default)]
pub(crate) struct Queues {
    submitted: Mutex<BTreeMap<String, u64>>,
    processed: Mutex<BTreeMap<(String, u16), u64>>,
}

impl Queues {
    /// A call was stored.
    pub(crate) fn submitted(&self, queue: &str) {
        let mut submitted = self.submitted.lock().unwrap_or_else(PoisonError::into_inner);
        match submitted.get_mut(queue) {
            Some(count) => *count += 1,
            None => drop(submitted.insert(queue.to_owned(), 1)),
        }
    }

    /// A call is finished, or was given up: its last attempt was answered like this.
    pub(crate) fn processed(&self, queue: &str, status: u16) {
        let mut processed = self.processed.lock().unwrap_or_else(PoisonError::into_inner);
        *processed.entry((queue.to_owned(), status)).or_default() += 1;
    }

    pub(super) fn all_submitted(&self) -> BTreeMap<String, u64> {
        self.submitted.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn all_processed(&self) -> BTreeMap<(String, u16), u64> {
        self.processed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
