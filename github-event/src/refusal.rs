//! Why a webhook is not acted on, and what its sender is told.

use http::StatusCode;
use sdk::audit::AuditEvent;
use sdk::call::CallError;
use sdk::event::PushEvent;
use sdk::id::Owner;
use sdk::webhook::{Malformed, Refused, Unread};

#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(transparent)]
    Unread(#[from] Unread),
    #[error("the webhook is not signed: set a secret in the webhook's settings, so that it has X-Hub-Signature-256")]
    Unsigned,
    #[error("the webhook's signature is wrong: its secret must be this platform's github-webhook-secret")]
    WrongSignature,
    #[error("the webhook is a form: choose application/json as its content type")]
    Form,
    #[error("the webhook has no X-GitHub-Event")]
    NoEvent,
    #[error("the webhook is not understood: {0}")]
    Malformed(#[from] Malformed),
    #[error("'{}' is a name of the platform and cannot deploy here", .0.owner)]
    Reserved(Box<PushEvent>),
    #[error("'{}' is not on the tenant list: ask the operator of this platform", .0.owner)]
    UnknownTenant(Box<PushEvent>),
    #[error("'{}' is another account's name on the tenant list: ask the operator of this platform", .0.owner)]
    OtherAccount(Box<PushEvent>),
    #[error("the webhook could not be queued: send it again in a minute")]
    Queue(#[source] CallError),
}

impl Refused for Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Self::Unread(unread) => unread.status(),
            Self::Unsigned | Self::WrongSignature => StatusCode::UNAUTHORIZED,
            Self::Reserved(_) | Self::UnknownTenant(_) | Self::OtherAccount(_) => StatusCode::FORBIDDEN,
            Self::Form | Self::NoEvent | Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Queue(_) => StatusCode::BAD_GATEWAY,
        }
    }

    fn owner(&self) -> Option<&Owner> {
        self.event().map(|event| &event.owner)
    }

    /// Whom it refuses is no tenant, and no tenant's trail begins with that: the number is left out.
    fn about(&self) -> AuditEvent {
        let about = self.event().map(AuditEvent::about).unwrap_or_default();
        AuditEvent { owner_id: None, ..about }
    }
}

impl Refusal {
    /// What would have been deployed; the signature proves whose it is.
    fn event(&self) -> Option<&PushEvent> {
        match self {
            Self::Reserved(event) | Self::UnknownTenant(event) | Self::OtherAccount(event) => Some(event),
            _ => None,
        }
    }
}
