//! A status on its way to the function that tells a host, and last words that a host does not want yet.

use serde::{Deserialize, Serialize};

use super::Status;
use crate::call::{CallError, CallId, Functions};

/// A status, as whoever reports sends it or as it comes back from the queue.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Message {
    /// What is said.
    #[serde(flatten)]
    pub status: Status,
    /// The push's call, where the message has an id of its own: it waited in the queue.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    waited_for: Option<String>,
}

impl Message {
    /// The push's call. `call` is the message's own.
    pub fn call(&self, call: CallId) -> CallId {
        self.waited_for.as_deref().and_then(CallId::parse).unwrap_or(call)
    }

    /// Whether it may wait in the queue while the host wants no reports: a last word, once. What is said before it is
    /// soon replaced.
    pub fn may_wait(&self) -> bool {
        self.status.state.is_final() && self.waited_for.is_none()
    }

    /// Lets it wait in the queue, as a word of the push that has this call.
    ///
    /// # Errors
    /// When the queue does not take it.
    pub async fn wait(self, functions: &Functions, call: &CallId) -> Result<(), CallError> {
        let message = Self { waited_for: Some(call.to_string()), ..self };
        // The queue takes two messages under one id for one message: each context has one of its own.
        functions.enqueue(message.status.scm.status_function(), &message, &call.child()).await
    }
}

impl Status {
    /// Writes it into the log.
    pub fn log(&self, call: &CallId) {
        tracing::info!(
            call_id = %call,
            owner = %self.owner,
            repo = %self.repo,
            sha = %self.sha,
            context = self.context,
            state = ?self.state,
            title = self.title,
            url = self.url.as_deref().unwrap_or_default(),
            "status"
        );
    }
}
