//! The function that a request goes to.

use std::sync::{Arc, OnceLock};

use sdk::id::{Owner, ServiceName};

use crate::serving::owners::{OwnerState, Owners};

/// A function that was found to be its owner's. Requests of one worker share one, so that counting the references to it costs
/// nothing that workers share.
#[derive(Debug)]
pub(crate) struct Callee {
    pub(crate) owner: Owner,
    /// Its name at the gateway.
    pub(crate) function: ServiceName,
    state: OnceLock<Arc<OwnerState>>,
}

impl Callee {
    pub(crate) fn new(owner: Owner, function: ServiceName) -> Arc<Self> {
        Arc::new(Self { owner, function, state: OnceLock::new() })
    }

    /// What is known of the owner; it is looked up once.
    pub(crate) fn state(&self, owners: &Owners) -> &OwnerState {
        self.state.get_or_init(|| owners.state(self.owner.as_str()))
    }

    /// The same, if it was looked up.
    pub(crate) fn known_state(&self) -> Option<&OwnerState> {
        self.state.get().map(|state| &**state)
    }
}
