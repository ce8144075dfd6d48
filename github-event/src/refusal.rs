//! Why a webhook is not acted on, and what its sender is told.

use http::StatusCode;
use sdk::call::CallError;
use sdk::id::Owner;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("the webhook has over {limit} bytes")]
    TooLarge { limit: usize },
    #[error("the webhook did not arrive in time")]
    Slow,
    #[error("the webhook did not arrive whole")]
    Broken,
    #[error("the webhook is not signed: set a secret in the webhook's settings, so that it has X-Hub-Signature-256")]
    Unsigned,
    #[error("the webhook's signature is wrong: its secret must be this platform's github-webhook-secret")]
    WrongSignature,
    #[error("the webhook is a form: choose application/json as its content type")]
    Form,
    #[error("the webhook has no X-GitHub-Event")]
    NoEvent,
    #[error("the push is not understood: {0}")]
    Malformed(String),
    #[error("'{0}' is a name of the platform and cannot deploy here")]
    Reserved(Owner),
    #[error("'{0}' is not on the tenant list: ask the operator of this platform")]
    UnknownTenant(Owner),
    #[error("the push could not be queued: send it again in a minute")]
    Queue(#[source] CallError),
}

impl Refusal {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Unsigned | Self::WrongSignature => StatusCode::UNAUTHORIZED,
            Self::Reserved(_) | Self::UnknownTenant(_) => StatusCode::FORBIDDEN,
            Self::Broken | Self::Form | Self::NoEvent | Self::Malformed(_) => StatusCode::BAD_REQUEST,
            Self::Queue(_) => StatusCode::BAD_GATEWAY,
        }
    }

    /// The owner, where the signature proves who it is.
    pub(crate) fn owner(&self) -> Option<&Owner> {
        match self {
            Self::Reserved(owner) | Self::UnknownTenant(owner) => Some(owner),
            _ => None,
        }
    }
}
