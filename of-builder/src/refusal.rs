//! The one place that turns what went wrong before a build into a status and a sentence.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::RETRY_AFTER;

use crate::archive::ArchiveError;
use crate::engine::EngineError;
use crate::order::OrderError;
use crate::report::Report;
use crate::secrets::SealedError;
use crate::signature::SignatureError;
use crate::spool::SpoolError;

const RETRY_AFTER_SECONDS: &str = "5";

/// Why a request never became a build.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error(transparent)]
    Signature(#[from] SignatureError),
    #[error(transparent)]
    Spool(#[from] SpoolError),
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Sealed(#[from] SealedError),
    #[error(transparent)]
    Order(#[from] OrderError),
    #[error(transparent)]
    Engine(#[from] EngineError),
    #[error("{0} builds run already, as many as max_inflight allows: try again in {RETRY_AFTER_SECONDS} s")]
    Busy(usize),
    #[error("the builder is stopping: try again in {RETRY_AFTER_SECONDS} s")]
    Stopping,
    #[error("the archive could not be looked through")]
    Inspection(#[source] tokio::task::JoinError),
    #[error("the archive could not be read again")]
    Reread(#[source] std::io::Error),
    #[error("the build secrets are more than can be kept out of the log")]
    Mask,
}

impl Refusal {
    fn status(&self) -> StatusCode {
        match self {
            Refusal::Signature(SignatureError::Missing | SignatureError::Malformed) => StatusCode::UNAUTHORIZED,
            Refusal::Signature(SignatureError::Wrong) => StatusCode::FORBIDDEN,
            Refusal::Spool(SpoolError::TooLarge(_))
            | Refusal::Archive(
                ArchiveError::TooLarge(_) | ArchiveError::TooManyEntries(_) | ArchiveError::SecretsTooLarge,
            ) => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::Spool(SpoolError::TooSlow(_)) => StatusCode::REQUEST_TIMEOUT,
            Refusal::Spool(SpoolError::Disk(_)) => StatusCode::INSUFFICIENT_STORAGE,
            Refusal::Archive(ArchiveError::Compressed(_)) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refusal::Spool(SpoolError::BrokenOff(_))
            | Refusal::Archive(_)
            | Refusal::Sealed(_)
            | Refusal::Mask
            | Refusal::Order(_) => StatusCode::BAD_REQUEST,
            Refusal::Busy(_) => StatusCode::TOO_MANY_REQUESTS,
            Refusal::Engine(_) | Refusal::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Signature(SignatureError::Key) | Refusal::Inspection(_) | Refusal::Reread(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        }
    }

    /// A later attempt with the same body may succeed.
    fn is_passing(&self) -> bool {
        self.status().is_server_error() || matches!(self, Refusal::Busy(_))
    }

    /// The client may still be sending, and will not look at the answer before it has sent all.
    pub(crate) fn leaves_a_body(&self) -> bool {
        !matches!(self, Refusal::Spool(SpoolError::TooSlow(_) | SpoolError::BrokenOff(_)))
    }

    fn log(&self, status: StatusCode) {
        let cause = std::error::Error::source(self).map(sdk::failure::chain).unwrap_or_default();
        if status.is_server_error() {
            tracing::error!(status = status.as_u16(), cause, "build not started: {self}");
        } else {
            tracing::warn!(status = status.as_u16(), cause, "build not started: {self}");
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status();
        self.log(status);
        let passing = self.is_passing();
        let report = if passing { Report::unavailable(self.to_string()) } else { Report::failed(self.to_string()) };
        let mut response = (status, Json(report)).into_response();
        if passing {
            response.headers_mut().insert(RETRY_AFTER, http::HeaderValue::from_static(RETRY_AFTER_SECONDS));
        }
        response
    }
}
