//! Why a push is not deployed.

use http::StatusCode;
use sdk::context::ContextError;
use sdk::failure::Failure;
use sdk::gateway::GatewayError;
use sdk::stack::StackError;
use sdk::template::TemplateError;

use crate::git::GitError;

/// Why a push is not deployed, in the pusher's words. One thing decides the rest: whether the same push can
/// succeed later without anybody changing the repository.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// The repository's content, or a rule of the platform.
    #[error("{0}")]
    Refused(String),
    /// The stack file.
    #[error("{file}: {problem}")]
    Stack {
        /// Its name.
        file: String,
        /// What is wrong.
        problem: StackError,
    },
    /// A function's files.
    #[error("{function}: {problem}")]
    Context {
        /// The function.
        function: String,
        /// What is wrong.
        #[source]
        problem: ContextError,
    },
    /// A function's template.
    #[error("{function}: {problem}")]
    Template {
        /// The function.
        function: String,
        /// What is wrong.
        #[source]
        problem: TemplateError,
    },
    /// The repository cannot be read.
    #[error("{what}: {problem}")]
    Git {
        /// Which repository.
        what: String,
        /// What is wrong.
        #[source]
        problem: GitError,
    },
    /// The gateway cannot be asked.
    #[error("the gateway does not say what is deployed")]
    Gateway(#[source] GatewayError),
    /// Our own machine.
    #[error("the machine that deploys could not do its work")]
    Machine(#[source] std::io::Error),
    /// The whole push took too long; what is live by now is found unchanged by the next try.
    #[error("the push was not deployed within {} s", .0.as_secs())]
    Late(std::time::Duration),
    /// Functions that failed.
    #[error("deploy failed: {summary}")]
    Functions {
        /// Which, and why.
        summary: String,
        /// Another try may help.
        again: bool,
    },
}

impl Problem {
    /// True if the queue should deliver the push again.
    pub(crate) fn is_worth_a_retry(&self) -> bool {
        match self {
            Self::Refused(_) | Self::Stack { .. } | Self::Context { .. } | Self::Template { .. } => false,
            Self::Git { problem, .. } => !problem.is_final(),
            Self::Gateway(_) | Self::Machine(_) | Self::Late(_) => true,
            Self::Functions { again, .. } => *again,
        }
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let status = match &problem {
            Problem::Machine(_) => StatusCode::INTERNAL_SERVER_ERROR,
            _ if problem.is_worth_a_retry() => StatusCode::BAD_GATEWAY,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        Failure::new(status, problem.to_string()).because(problem)
    }
}
