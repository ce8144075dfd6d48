//! The audit trail: who did what to which repository.

use serde::{Deserialize, Serialize};

use crate::call::{CallId, Functions};
use crate::event::PushEvent;

/// The function that keeps the trail.
pub const AUDIT_FUNCTION: &str = "audit-event";

/// One line of the trail. It holds names and sentences, never a secret or a file's content.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEvent {
    /// The function that reports.
    pub source: String,
    /// What happened, in a sentence.
    pub message: String,
    /// The owner's login, or empty where none is proven.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub owner: String,
    /// The repository's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub repo: String,
    /// The commit.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sha: String,
    /// Who caused it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub actor: String,
    /// The call in which it happened; filled in from the request where empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub call_id: String,
}

impl AuditEvent {
    /// Whose a push is, and by whom; without a message.
    pub fn about(event: &PushEvent) -> Self {
        Self {
            owner: event.owner.to_string(),
            repo: event.repo.to_string(),
            sha: event.sha.to_string(),
            actor: event.pusher.clone(),
            ..Self::default()
        }
    }
}

/// Sends audit events for one function. A lost event never fails the work itself: it is logged.
#[derive(Debug, Clone)]
pub struct Auditor {
    source: &'static str,
    functions: Functions,
}

impl Auditor {
    /// An auditor that reports as `source`.
    pub fn new(source: &'static str, functions: Functions) -> Self {
        Self { source, functions }
    }

    /// Reports something about a push.
    pub async fn push(&self, event: &PushEvent, message: impl Into<String>, call: &CallId) {
        self.send(AuditEvent { message: message.into(), ..AuditEvent::about(event) }, call).await;
    }

    /// Reports anything; `source` and `call_id` are filled in.
    pub async fn send(&self, event: AuditEvent, call: &CallId) {
        let event = AuditEvent { source: self.source.to_owned(), call_id: call.to_string(), ..event };
        if let Err(error) = self.functions.enqueue(AUDIT_FUNCTION, &event, &call.child()).await {
            tracing::warn!(call_id = %call, message = event.message, error = crate::failure::chain(&error), "The audit event could not be sent");
        }
    }
}
