//! Why GitLab did not do what it was asked.

use std::time::Duration;

use http::StatusCode;

/// Why GitLab did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum GitlabError {
    /// No answer.
    #[error("GitLab does not answer {operation}")]
    Unreachable {
        /// What was asked.
        operation: &'static str,
        /// Why.
        #[source]
        cause: reqwest::Error,
    },
    /// GitLab itself says that there is no such thing, or none that the token may see.
    #[error("GitLab has no such thing, or does not show it to the token: {operation}")]
    NotThere {
        /// What was asked.
        operation: &'static str,
    },
    /// Too many requests.
    #[error("GitLab wants no request for {} s: {operation}", wait.as_secs())]
    Busy {
        /// What was asked.
        operation: &'static str,
        /// How long.
        wait: Duration,
    },
    /// Any other answer that is not success.
    #[error("GitLab answered {operation} with {status}: {text}")]
    Refused {
        /// What was asked.
        operation: &'static str,
        /// The answer's status.
        status: StatusCode,
        /// The answer's text, cut where it is long.
        text: String,
    },
    /// An answer that is not understood.
    #[error("GitLab's answer to {operation} is not understood")]
    Malformed {
        /// What was asked.
        operation: &'static str,
        /// Why.
        #[source]
        cause: serde_json::Error,
    },
}

impl GitlabError {
    /// True if the same call may succeed later without anybody doing anything.
    pub fn is_worth_a_retry(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Busy { .. } => true,
            // 409: GitLab could not get a lock in time.
            Self::Refused { status, .. } => status.is_server_error() || matches!(status.as_u16(), 408 | 409),
            Self::NotThere { .. } | Self::Malformed { .. } => false,
        }
    }

    /// How long GitLab wants to be left alone.
    pub fn wait(&self) -> Option<Duration> {
        match self {
            Self::Busy { wait, .. } => Some(*wait),
            _ => None,
        }
    }

    /// GitLab's words, where it refused the request as such (400): a transition that there is not, a name that is
    /// taken, a value that it does not know.
    pub fn bad_request(&self) -> Option<&str> {
        match self {
            Self::Refused { status: StatusCode::BAD_REQUEST, text, .. } => Some(text),
            _ => None,
        }
    }
}
