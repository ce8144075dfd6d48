//! Why a message is not done, and which status says so. No sentence has a value in it, sealed or not.

use std::time::Duration;

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use object_store::StoreError;
use sdk::call::CallError;
use sdk::failure::Failure;
use sdk::gateway::GatewayError;
use sdk::secrets::NotImported;
use sealed_secrets::documents::DocumentError;

use crate::backend::{BackendError, Unopenable};
use crate::plan::Refusal;

/// So many of the secrets that do not open are named.
const SHOWN: usize = 3;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// The message makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// It is not the caller's.
    #[error("{0}")]
    Forbidden(String),
    /// A build wants what is not there.
    #[error("{0}")]
    Wish(String),
    /// The builder's key cannot be had.
    #[error("the builder does not say for which key secrets are to be sealed")]
    Builder(#[source] Option<reqwest::Error>),
    /// The file is not one of sealed secrets.
    #[error(transparent)]
    File(#[from] DocumentError),
    /// The file breaks a rule.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Not everything opens.
    #[error("{}", not_opened(.0))]
    NotOpened(Vec<Unopenable>),
    /// The place where secrets live does not do its part.
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// The gateway does not say which functions there are.
    #[error("the gateway does not say which functions there are")]
    Functions(#[source] GatewayError),
    /// What has to be deployed again could not be queued.
    #[error("git-tar could not be told of changed secrets")]
    NotTold(#[source] CallError),
    /// The record cannot be read or written.
    #[error("the record of the owner's secrets cannot be reached right now")]
    Store(#[source] StoreError),
    /// The record is not understood, so nothing is done to it.
    #[error("the record of the owner's secrets is not understood")]
    Damaged(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The record has more in it than can be read again.
    #[error("too much is remembered of the owner's secrets: remove secrets, or repositories that mount them")]
    TooLarge,
    /// The record was changed by another process while it was worked on.
    #[error("the record of the owner's secrets is being changed")]
    Changed,
    /// Somebody else is at work on the same secrets.
    #[error("the owner's secrets are being changed by another message")]
    Busy(Duration),
    /// A change failed, and so did undoing it.
    #[error("{0}; what was changed could not be put back yet")]
    NotPutBack(Box<Problem>),
    /// Something of ours failed.
    #[error("the message could not be worked on")]
    Broken,
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Problem {
    /// 4xx: do not try again. 5xx: try again.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Invalid(_) => StatusCode::BAD_REQUEST,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Wish(_) | Self::TooLarge | Self::File(_) | Self::NotOpened(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Refused(refusal) if refusal.is_conflict() => StatusCode::CONFLICT,
            Self::Backend(BackendError::Exists { .. }) => StatusCode::CONFLICT,
            Self::Refused(_) | Self::Backend(BackendError::Refused { .. } | BackendError::Unopenable(_)) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::Backend(BackendError::Busy { .. })
            | Self::Builder(_)
            | Self::Functions(_)
            | Self::NotTold(_)
            | Self::Store(_)
            | Self::NotPutBack(_) => StatusCode::BAD_GATEWAY,
            Self::Changed | Self::Busy(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Damaged(_) | Self::Broken => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Whether the same message may succeed later.
    pub(crate) fn may_pass(&self) -> bool {
        self.status().is_server_error()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        if let Self::File(DocumentError { line: Some(line), message }) = self {
            tracing::warn!(status = status.as_u16(), line, "{message}");
            return (status, Json(NotImported { error: message, line: u32::try_from(line).ok() })).into_response();
        }
        let wait = match &self {
            Self::Busy(wait) => Some(*wait),
            _ => None,
        };
        let failure = Failure::new(status, self.to_string());
        let failure = match std::error::Error::source(&self).map(sdk::failure::chain) {
            Some(cause) => failure.because(cause),
            None => failure,
        };
        wait.into_iter().fold(failure, Failure::not_before).into_response()
    }
}

fn not_opened(all: &[Unopenable]) -> String {
    let shown = all.iter().take(SHOWN).map(ToString::to_string).collect::<Vec<_>>().join("; ");
    match all.len().saturating_sub(SHOWN) {
        0 => format!("nothing was imported: {shown}"),
        more => format!("nothing was imported: {shown}; and {more} more"),
    }
}
