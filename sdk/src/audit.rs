//! The audit trail: who did what to which repository.

mod reading;

use serde::{Deserialize, Serialize};

pub use reading::{AuditAnswer, AuditMark, AuditRequest, InvalidMark, MAX_EVENTS, READ_AUDIT};

use crate::call::{CallId, Functions};
use crate::event::PushEvent;
use crate::garbage::GarbageRequest;
use crate::id::OwnerId;

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
    /// Who the owner is, where that is proven: the login is only a name. What has no number, nobody reads but the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner_id: Option<OwnerId>,
    /// The repository's name.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub repo: String,
    /// The commit.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub sha: String,
    /// The function, by its name in stack.yml, where it is just one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub function: String,
    /// Who caused it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub actor: String,
    /// The call in which it happened; filled in from the request where empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub call_id: String,
    /// When it happened, in milliseconds since 1970; filled in where it is absent. A message that is brought twice says the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<u64>,
}

impl AuditEvent {
    /// Whose a push is, and by whom; without a message.
    pub fn about(event: &PushEvent) -> Self {
        Self {
            owner: event.owner.to_string(),
            owner_id: proven(event.owner_id()),
            repo: event.repo.to_string(),
            sha: event.sha.to_string(),
            actor: event.pusher.clone(),
            ..Self::default()
        }
    }

    /// Whose functions are to go, and by whom; without a message. A request that means former owners does not say who they are.
    pub fn about_removal(request: &GarbageRequest) -> Self {
        Self {
            owner: request.owner.to_string(),
            owner_id: proven(request.owner_id()).filter(|_| !request.former_owners),
            repo: request.repo.to_string(),
            sha: request.sha.as_ref().map(ToString::to_string).unwrap_or_default(),
            actor: request.actor.clone(),
            ..Self::default()
        }
    }
}

/// No owner has the number 0.
fn proven(owner: OwnerId) -> Option<OwnerId> {
    (owner.id != 0).then_some(owner)
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

    /// Reports anything; `source` and `call_id` are filled in, and the time where it is absent.
    pub async fn send(&self, event: AuditEvent, call: &CallId) {
        let (source, at) = (self.source.to_owned(), event.at.or_else(now));
        let event = AuditEvent { source, call_id: call.to_string(), at, ..event };
        if let Err(error) = self.functions.enqueue(AUDIT_FUNCTION, &event, &call.child()).await {
            tracing::warn!(call_id = %call, message = event.message, error = crate::failure::chain(&error), "The audit event could not be sent");
        }
    }
}

fn now() -> Option<u64> {
    u64::try_from(crate::signing::now().as_millis()).ok()
}

#[cfg(test)]
mod tests;
