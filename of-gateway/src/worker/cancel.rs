//! Telling calls that run to stop.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use queue::Ticket;
use tokio_util::sync::CancellationToken;

/// Calls that run may be cancelled by their tickets.
#[derive(Debug, Default)]
pub(crate) struct Cancellations(Mutex<HashMap<Ticket, CancellationToken>>);

impl Cancellations {
    /// The token of a call. It may be cancelled already: the call was claimed, and cancelled before it was begun.
    pub(super) fn token(&self, ticket: Ticket) -> CancellationToken {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(ticket).or_default().clone()
    }

    /// Whether this call is to stop.
    pub(super) fn is_cancelled(&self, ticket: Ticket) -> bool {
        let calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.get(&ticket).is_some_and(CancellationToken::is_cancelled)
    }

    pub(crate) fn cancel(&self, ticket: Ticket) {
        self.token(ticket).cancel();
    }

    /// The call has ended.
    pub(super) fn forget(&self, ticket: Ticket) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&ticket);
    }
}
