//! Why GitHub did not do what it was asked. No variant holds a token or an address with one.

use std::time::Duration;

use http::StatusCode;

/// A call to GitHub that failed. Every sentence names the operation.
#[derive(Debug, thiserror::Error)]
pub enum GithubError {
    /// No answer, or none in time.
    #[error("GitHub does not answer {operation}")]
    Unreachable {
        /// What was asked.
        operation: &'static str,
        /// Why.
        #[source]
        cause: reqwest::Error,
    },
    /// An answer that is not success.
    #[error("GitHub answered {operation} with {status}: {text}")]
    Refused {
        /// What was asked.
        operation: &'static str,
        /// The answer's status.
        status: StatusCode,
        /// The answer's text, cut where it is long.
        text: String,
    },
    /// GitHub wants no requests for longer than a caller can wait.
    #[error("GitHub wants {operation} in {} seconds at the earliest", wait.as_secs())]
    Busy {
        /// What was asked.
        operation: &'static str,
        /// How long it is until GitHub takes requests again.
        wait: Duration,
    },
    /// An answer that is not what was asked for, or too long.
    #[error("GitHub's answer to {operation} is not understood")]
    Malformed {
        /// What was asked.
        operation: &'static str,
        /// Why.
        #[source]
        cause: serde_json::Error,
    },
    /// A redirection to an address that no token is sent to.
    #[error("GitHub sent {operation} to another host, which gets no token of ours")]
    Elsewhere {
        /// What was asked.
        operation: &'static str,
    },
    /// The App's key does not sign.
    #[error("the private key of the GitHub App does not sign")]
    Key(#[source] jsonwebtoken::errors::Error),
    /// An App's token is one of an installation, and there is none.
    #[error("{operation} needs an installation of the GitHub App, and the event names none")]
    NoInstallation {
        /// What was asked.
        operation: &'static str,
    },
}

impl GithubError {
    /// The status of an answer that is not success.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// True if what was asked about is not there, or not to be seen under this token.
    pub fn is_not_found(&self) -> bool {
        matches!(self.status(), Some(StatusCode::NOT_FOUND | StatusCode::GONE))
    }

    /// True if the same call may succeed later: no answer, a limit, 408, 429 or 5xx.
    pub fn is_worth_a_retry(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Busy { .. } => true,
            Self::Refused { status, .. } => is_passing(*status),
            _ => false,
        }
    }
}

/// True for statuses that say nothing about the request.
pub(crate) fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || matches!(status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS)
}
