//! The one place that answers "which function is this name, and where does it run?".

mod function;
mod name;
mod outlier;
mod replica;
mod settings;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

pub use self::function::PlatformFunction;
pub(crate) use self::function::{Backend, Containers, Function};
pub(crate) use self::name::{FunctionId, FunctionRef, valid_name};
pub(crate) use self::replica::{Claim, InFlight, NoReplica, Replica};
pub(crate) use self::settings::Settings;

/// The functions of one namespace, by name.
type Namespace = HashMap<String, Arc<Function>>;

/// All functions. Readers get a snapshot that stays as it is; a change puts a new one in its place.
#[derive(Default)]
pub(crate) struct Functions {
    by_namespace: RwLock<BTreeMap<String, Namespace>>,
}

impl Functions {
    pub(crate) fn get(&self, id: &FunctionId) -> Option<Arc<Function>> {
        self.find(&id.name, &id.namespace)
    }

    /// Like [`Functions::get`] for names that are still part of a path: nothing is allocated for a call.
    pub(crate) fn find(&self, name: &str, namespace: &str) -> Option<Arc<Function>> {
        self.read().get(namespace)?.get(name).cloned()
    }

    /// Puts a function in the place of its predecessor, which it returns.
    pub(crate) fn put(&self, function: Arc<Function>) -> Option<Arc<Function>> {
        let FunctionId { namespace, name } = function.id.clone();
        let mut all = self.by_namespace.write().unwrap_or_else(PoisonError::into_inner);
        all.entry(namespace).or_default().insert(name, function)
    }

    pub(crate) fn remove(&self, id: &FunctionId) -> Option<Arc<Function>> {
        let mut all = self.by_namespace.write().unwrap_or_else(PoisonError::into_inner);
        let functions = all.get_mut(&id.namespace)?;
        let removed = functions.remove(&id.name);
        if functions.is_empty() {
            all.remove(&id.namespace);
        }
        removed
    }

    /// Every function, by namespace and name.
    pub(crate) fn all(&self) -> Vec<Arc<Function>> {
        sorted(self.read().values().flat_map(HashMap::values))
    }

    /// The functions of one namespace, by name.
    pub(crate) fn of(&self, namespace: &str) -> Vec<Arc<Function>> {
        sorted(self.read().get(namespace).into_iter().flat_map(HashMap::values))
    }

    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<String, Namespace>> {
        self.by_namespace.read().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sorted<'a>(functions: impl Iterator<Item = &'a Arc<Function>>) -> Vec<Arc<Function>> {
    let mut sorted: Vec<_> = functions.cloned().collect();
    sorted.sort_by(|a, b| a.id.cmp(&b.id));
    sorted
}

#[cfg(test)]
mod tests;
