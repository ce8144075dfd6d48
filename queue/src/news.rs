//! Who tells the worker that there is something to do.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

use crate::call::Lane;

/// Lanes that got a call since the worker last looked.
#[derive(Debug, Default)]
pub(crate) struct News {
    lanes: Mutex<HashSet<Lane>>,
    any: Notify,
}

impl News {
    pub(crate) fn add<'a>(&self, lanes: impl IntoIterator<Item = &'a Lane>) {
        let mut set = self.lanes.lock().unwrap_or_else(PoisonError::into_inner);
        for lane in lanes {
            if !set.contains(lane) {
                set.insert(lane.clone());
            }
        }
        drop(set);
        self.any.notify_one();
    }

    /// Resolves when there are any.
    pub(crate) async fn next(&self) -> HashSet<Lane> {
        loop {
            let lanes = std::mem::take(&mut *self.lanes.lock().unwrap_or_else(PoisonError::into_inner));
            if !lanes.is_empty() {
                return lanes;
            }
            self.any.notified().await;
        }
    }
}
