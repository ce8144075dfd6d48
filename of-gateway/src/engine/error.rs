//! Failures of the engine, told apart by who can do something about them.

use std::sync::Arc;

use bollard::errors::Error;

/// Before the path of a file that is to be mounted and does not exist.
const NO_FILE: &str = "bind source path does not exist: ";

/// A failure of the container engine.
#[derive(Debug, Clone, thiserror::Error)]
pub enum EngineError {
    /// No answer at all.
    #[error("the container engine at {address} does not answer; start it, then try again")]
    Unreachable {
        /// Where it should be.
        address: String,
        /// Why.
        #[source]
        source: Arc<Error>,
    },
    /// It answered with an error.
    #[error("the container engine cannot {operation} {object}: {message}")]
    Refused {
        /// What was asked.
        operation: &'static str,
        /// Of what.
        object: String,
        /// Its status code.
        status: u16,
        /// Its sentence.
        message: String,
    },
    /// Functions would reach what they are not to reach, and the configuration forbids that.
    #[error(
        "functions cannot be kept from other services of this machine: {reason}; run the gateway as root with \
         iptables installed, or set isolation=best-effort"
    )]
    Exposed {
        /// Why.
        reason: String,
    },
}

impl EngineError {
    pub(super) fn of(operation: &'static str, object: &str, address: &str, source: Error) -> Self {
        let refused = |status, message| Self::Refused { operation, object: object.to_owned(), status, message };
        match source {
            Error::DockerResponseServerError { status_code, message } => refused(status_code, message),
            Error::DockerStreamError { error } => refused(500, error),
            Error::DockerContainerWaitError { error, .. } => refused(500, error),
            Error::JsonDataError { .. } | Error::JsonSerdeError { .. } | Error::StrParseError { .. } => {
                refused(500, format!("its answer is not understood ({source})"))
            }
            source => Self::Unreachable { address: address.to_owned(), source: Arc::new(source) },
        }
    }

    /// Says what is behind a file that the engine does not see although it is there.
    pub(super) fn at_creation(mut self) -> Self {
        if let Self::Refused { message, .. } = &mut self
            && message.contains(NO_FILE)
        {
            message.push_str(
                "; where the gateway runs in a container, the engine sees only what is mounted at the same path",
            );
        }
        self
    }

    /// Says what is behind a file that was there when the container was made: a secret.
    pub(crate) fn at_start(mut self) -> Self {
        if let Self::Refused { message, .. } = &mut self
            && let Some(name) = message.split(NO_FILE).nth(1).and_then(|path| path.rsplit('/').next())
        {
            *message = format!("the secret {} is gone; create it again, and the function comes back", name.trim());
        }
        self
    }

    /// Whether the engine says that the thing does not exist.
    pub(crate) fn is_missing(&self) -> bool {
        matches!(self, Self::Refused { status: 404, .. })
    }

    /// Whether the engine says that something else still needs the thing.
    pub(crate) fn is_in_use(&self) -> bool {
        matches!(self, Self::Refused { status: 403, .. })
    }

    /// Whether what was asked is so already, or is being done.
    pub(crate) fn is_already(&self) -> bool {
        matches!(self, Self::Refused { status: 304 | 409, .. })
    }
}
