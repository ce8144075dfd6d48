//! Why a request of the management API is not done. The one place that turns failures into status codes: the client
//! gets the sentence, the log gets the causes.

use axum::response::IntoResponse;
use http::StatusCode;
use queue::QueueError;

use crate::answer::text;
use crate::engine::{EngineError, ImageError};
use crate::invoke::Chain;
use crate::namespaces::NamespaceError;
use crate::quota::QuotaError;
use crate::rollout::NotReady;
use crate::secrets::SecretsError;

#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// The request itself is wrong.
    #[error("{0}")]
    Invalid(String),
    /// What it is about does not exist.
    #[error("{0}")]
    Missing(String),
    /// What it is about belongs to somebody else.
    #[error("{0}")]
    Conflict(String),
    /// More than a management request may carry.
    #[error("the body is larger than the {0} bytes that a management request may have")]
    TooLarge(usize),
    /// A query that cannot be answered as asked.
    #[error("{0}")]
    Unprocessable(String),
    /// There is no such thing for this kind of function.
    #[error("{0}")]
    Unsupported(String),
    /// Too much of it at once.
    #[error("{0}")]
    TooMany(String),
    #[error(transparent)]
    Image(#[from] ImageError),
    #[error(transparent)]
    NotReady(#[from] NotReady),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error(transparent)]
    Secrets(#[from] SecretsError),
    #[error(transparent)]
    Quota(#[from] QuotaError),
    #[error(transparent)]
    Namespace(#[from] NamespaceError),
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The work was cut off.
    #[error("the gateway is shutting down; try again once it is back")]
    ShuttingDown,
}

impl Problem {
    fn status(&self) -> StatusCode {
        match self {
            Self::Invalid(_) | Self::Image(ImageError::Name(..)) => StatusCode::BAD_REQUEST,
            Self::Missing(_) | Self::Secrets(SecretsError::Missing(_)) => StatusCode::NOT_FOUND,
            Self::Conflict(_) | Self::Secrets(SecretsError::Exists(_)) => StatusCode::CONFLICT,
            Self::Secrets(
                SecretsError::Name(_)
                | SecretsError::FileName(_)
                | SecretsError::SameFile { .. }
                | SecretsError::TooLarge
                | SecretsError::Encoding,
            ) => StatusCode::BAD_REQUEST,
            Self::Quota(_) => StatusCode::FORBIDDEN,
            Self::Namespace(error) => of_namespace(error),
            Self::Secrets(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unprocessable(_) | Self::NotReady(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Image(ImageError::Engine(error)) | Self::Engine(error) => of_engine(error),
            Self::Image(ImageError::Credentials(_)) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Image(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Unsupported(_) => StatusCode::NOT_IMPLEMENTED,
            Self::TooMany(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Queue(_) | Self::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

fn of_namespace(error: &NamespaceError) -> StatusCode {
    match error {
        NamespaceError::Missing(_) => StatusCode::NOT_FOUND,
        NamespaceError::Exists(_)
        | NamespaceError::Default(_)
        | NamespaceError::NotEmpty(_)
        | NamespaceError::Busy(_) => StatusCode::CONFLICT,
        NamespaceError::Name(_) | NamespaceError::Reserved(_) => StatusCode::BAD_REQUEST,
        NamespaceError::Io { .. } | NamespaceError::Damaged { .. } => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn of_engine(error: &EngineError) -> StatusCode {
    match error {
        EngineError::Unreachable { .. } | EngineError::Exposed { .. } => StatusCode::SERVICE_UNAVAILABLE,
        EngineError::Refused { status: 400, .. } => StatusCode::BAD_REQUEST,
        EngineError::Refused { .. } => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> axum::response::Response {
        let status = self.status();
        if status.is_server_error() {
            tracing::error!(status = status.as_u16(), error = %Chain(&self), "A management request failed.");
        } else {
            tracing::info!(status = status.as_u16(), error = %self, "A management request was refused.");
        }
        text(status, self.to_string())
    }
}
