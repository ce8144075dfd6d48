//! Errors in GitHub's form.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use sdk::failure::chain;
use serde_json::json;

use crate::checks::CheckError;
use crate::deployments::DeploymentError;
use crate::git::GitError;

/// A status and GitHub's word for it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ApiError(pub(crate) StatusCode, pub(crate) String);

impl ApiError {
    /// The one answer for what is not there and for what the caller may not see.
    pub(crate) fn not_found() -> Self {
        Self(StatusCode::NOT_FOUND, "Not Found".into())
    }

    /// No credentials, or wrong ones.
    pub(crate) fn bad_credentials() -> Self {
        Self(StatusCode::UNAUTHORIZED, "Bad credentials".into())
    }

    /// A token without the permission that this needs.
    pub(crate) fn forbidden() -> Self {
        Self(StatusCode::FORBIDDEN, "Resource not accessible by integration".into())
    }

    /// What is asked cannot be done.
    pub(crate) fn unprocessable(message: impl Into<String>) -> Self {
        Self(StatusCode::UNPROCESSABLE_ENTITY, message.into())
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "message": self.1, "status": self.0.as_str() }))).into_response()
    }
}

impl From<CheckError> for ApiError {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Unknown(_) => Self::not_found(),
            CheckError::Full | CheckError::Nameless | CheckError::Annotations => Self::unprocessable(error.to_string()),
            CheckError::Store(_) => broken(&error, "The check runs could not be kept."),
        }
    }
}

impl From<DeploymentError> for ApiError {
    fn from(error: DeploymentError) -> Self {
        match error {
            DeploymentError::Unknown(_) => Self::not_found(),
            DeploymentError::Payload => Self::unprocessable(error.to_string()),
            DeploymentError::Store(_) => broken(&error, "The deployments could not be kept."),
        }
    }
}

impl From<GitError> for ApiError {
    fn from(error: GitError) -> Self {
        broken(&error, "The repository could not be read.")
    }
}

impl From<std::io::Error> for ApiError {
    fn from(error: std::io::Error) -> Self {
        broken(&error, "It could not be read or written.")
    }
}

impl From<JsonRejection> for ApiError {
    fn from(rejection: JsonRejection) -> Self {
        let message = match rejection {
            JsonRejection::JsonSyntaxError(_) => "Problems parsing JSON".to_owned(),
            _ => rejection.body_text(),
        };
        Self(rejection.status(), message)
    }
}

fn broken(error: &(dyn std::error::Error + 'static), sentence: &str) -> ApiError {
    tracing::error!(cause = chain(error), "a request to the REST interface failed");
    ApiError(StatusCode::INTERNAL_SERVER_ERROR, sentence.into())
}
