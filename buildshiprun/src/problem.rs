//! Why a function is not live: what the caller is told, and what the author of the push is shown besides.

use sdk::failure::Failure;

pub(crate) struct Problem {
    /// Status and sentence; 5xx is worth another try.
    pub(crate) failure: Failure,
    /// The end of a log, or nothing.
    pub(crate) log: String,
}

impl Problem {
    pub(crate) fn with_log(failure: Failure, log: impl Into<String>) -> Self {
        Self { failure, log: log.into() }
    }

    /// The sentence for the author of the push.
    pub(crate) fn sentence(&self) -> String {
        let sentence = self.failure.public();
        if self.failure.status().is_server_error() { format!("{sentence}; trying again") } else { sentence.to_owned() }
    }
}

impl From<Failure> for Problem {
    fn from(failure: Failure) -> Self {
        Self { failure, log: String::new() }
    }
}
