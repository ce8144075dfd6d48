//! One lock for each function that somebody has something to do with.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedMutexGuard;

use crate::functions::FunctionId;

type Lock = Arc<tokio::sync::Mutex<()>>;

/// Locks of functions, made when they are needed.
#[derive(Default)]
pub(crate) struct Locks(Mutex<HashMap<FunctionId, Lock>>);

impl Locks {
    /// Waits for the lock; who came first gets it first.
    pub(crate) async fn lock(&self, function: &FunctionId) -> OwnedMutexGuard<()> {
        let lock = self.of(function);
        lock.lock_owned().await
    }

    /// The lock, if nobody has it or waits for it.
    pub(crate) fn try_lock(&self, function: &FunctionId) -> Option<OwnedMutexGuard<()>> {
        self.of(function).try_lock_owned().ok()
    }

    pub(crate) fn is_locked(&self, function: &FunctionId) -> bool {
        self.all().get(function).is_some_and(|lock| lock.try_lock().is_err())
    }

    fn of(&self, function: &FunctionId) -> Lock {
        let mut locks = self.all();
        locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        Arc::clone(locks.entry(function.clone()).or_default())
    }

    fn all(&self) -> MutexGuard<'_, HashMap<FunctionId, Lock>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
