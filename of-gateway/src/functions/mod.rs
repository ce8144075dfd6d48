//! The one place that answers "which function is this name, and where does it run?".

mod function;
mod name;

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

pub use self::function::PlatformFunction;
pub(crate) use self::function::{Backend, Claim, Containers, Function, InFlight, Replica};
pub(crate) use self::name::{FunctionRef, valid_name};

/// All functions by name. Readers get a snapshot that stays as it is; a change puts a new one in its place.
#[derive(Default)]
pub(crate) struct Functions {
    by_name: RwLock<HashMap<String, Arc<Function>>>,
}

impl Functions {
    pub(crate) fn get(&self, name: &str) -> Option<Arc<Function>> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Puts a function in the place of its predecessor, which it returns.
    pub(crate) fn put(&self, function: Arc<Function>) -> Option<Arc<Function>> {
        self.by_name.write().unwrap_or_else(PoisonError::into_inner).insert(function.name.clone(), function)
    }

    pub(crate) fn remove(&self, name: &str) -> Option<Arc<Function>> {
        self.by_name.write().unwrap_or_else(PoisonError::into_inner).remove(name)
    }

    /// Every function, by name.
    pub(crate) fn all(&self) -> Vec<Arc<Function>> {
        let mut all: Vec<_> = self.by_name.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }
}

#[cfg(test)]
mod tests;
