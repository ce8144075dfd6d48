//! Why a push is not deployed.

use std::collections::BTreeMap;

use github_app::GithubError;
use http::StatusCode;
use sdk::context::{ContextError, Pointer};
use sdk::failure::Failure;
use sdk::gateway::GatewayError;
use sdk::id::FunctionName;
use sdk::secrets::SecretName;
use sdk::stack::StackError;
use sdk::status::Annotation;
use sdk::template::TemplateError;

use crate::git::GitError;

/// Where a repository names its submodules.
pub(crate) const MODULES_FILE: &str = ".gitmodules";

/// Why a push is not deployed, in the pusher's words. One thing decides the rest: whether the same push can
/// succeed later without anybody changing the repository.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Problem {
    /// The repository's content, or a rule of the platform.
    #[error("{0}")]
    Refused(String),
    /// What stack.yml says of one function.
    #[error("{function}: {problem}")]
    Function {
        /// The function.
        function: FunctionName,
        /// What is wrong.
        problem: String,
    },
    /// The stack file.
    #[error("{file}: {problem}")]
    Stack {
        /// Its name.
        file: String,
        /// The line that it is about.
        line: u32,
        /// What is wrong.
        problem: StackError,
    },
    /// A function's files.
    #[error("{function}: {problem}")]
    Context {
        /// The function.
        function: FunctionName,
        /// What is wrong.
        #[source]
        problem: ContextError,
    },
    /// Files that only stand for others.
    #[error("{function}: {}", pointers(.files))]
    Pointers {
        /// The function.
        function: FunctionName,
        /// Which; at least one.
        files: Vec<Pointer>,
    },
    /// A submodule.
    #[error("{MODULES_FILE}: {problem}")]
    Submodule {
        /// The line of the file that names it, where it does.
        line: Option<u32>,
        /// What is wrong.
        problem: String,
    },
    /// The file of sealed secrets, by import-secrets' judgement.
    #[error("{file}: {problem}")]
    Sealed {
        /// Its name.
        file: String,
        /// The line that is at fault; the first where that is not known.
        line: u32,
        /// What is wrong.
        problem: String,
    },
    /// import-secrets does not do what it is asked.
    #[error("secrets: {reason}")]
    Secrets {
        /// Why.
        reason: String,
        /// Another try may help.
        again: bool,
    },
    /// Secrets that were removed from the file are still mounted.
    #[error("deploy failed: {}", in_use(.0))]
    InUse(BTreeMap<SecretName, Vec<String>>),
    /// A function's template.
    #[error("{function}: {problem}")]
    Template {
        /// The function.
        function: FunctionName,
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
    /// GitHub gives no token to read the repository with.
    #[error("{what} is private, and {problem}")]
    Token {
        /// Which repository.
        what: String,
        /// What is wrong.
        #[source]
        problem: GithubError,
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
    #[error("deploy failed: {}", reasons(.failed))]
    Functions {
        /// Which, and why.
        failed: Vec<Failed>,
        /// Another try may help.
        again: bool,
    },
    /// What left the repository is still there.
    #[error("deploy failed: functions that the stack no longer has could not be removed: {reason}")]
    Garbage {
        /// Why.
        reason: String,
        /// Another try may help.
        again: bool,
    },
}

/// One function that failed.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) function: FunctionName,
    pub(crate) reason: String,
    pub(crate) annotations: Vec<Annotation>,
}

impl Problem {
    /// True if the queue should deliver the push again.
    pub(crate) fn is_worth_a_retry(&self) -> bool {
        match self {
            Self::Refused(_)
            | Self::Function { .. }
            | Self::Stack { .. }
            | Self::Context { .. }
            | Self::Pointers { .. }
            | Self::Submodule { .. }
            | Self::Sealed { .. }
            | Self::InUse(_)
            | Self::Template { .. } => false,
            Self::Git { problem, .. } => !problem.is_final(),
            Self::Token { problem, .. } => problem.is_worth_a_retry(),
            Self::Gateway(_) | Self::Machine(_) | Self::Late(_) => true,
            Self::Functions { again, .. } | Self::Garbage { again, .. } | Self::Secrets { again, .. } => *again,
        }
    }

    /// What the status says; a failure that the queue tries again says so.
    pub(crate) fn sentence(&self) -> String {
        sentence(self, self.is_worth_a_retry())
    }

    /// The one function that is at fault.
    pub(crate) fn culprit(&self) -> Option<&FunctionName> {
        match self {
            Self::Function { function, .. }
            | Self::Context { function, .. }
            | Self::Pointers { function, .. }
            | Self::Template { function, .. } => Some(function),
            _ => None,
        }
    }

    /// The lines that it names itself.
    pub(crate) fn places(&self) -> Vec<Annotation> {
        let at = |path: &str, line: u32| Annotation { path: path.to_owned(), line, message: self.to_string() };
        match self {
            Self::Stack { file, line, .. } | Self::Sealed { file, line, .. } => vec![at(file, *line)],
            Self::Submodule { line: Some(line), .. } => vec![at(MODULES_FILE, *line)],
            Self::Pointers { files, .. } => files.iter().map(on_pointer).collect(),
            _ => Vec::new(),
        }
    }
}

/// What is told of something that failed and, perhaps, is tried again.
pub(crate) fn sentence(reason: impl std::fmt::Display, again: bool) -> String {
    if again { format!("{reason}; it will be tried again") } else { reason.to_string() }
}

fn on_pointer(file: &Pointer) -> Annotation {
    Annotation { path: file.path.clone(), line: 1, message: pointers(std::slice::from_ref(file)) }
}

fn pointers(files: &[Pointer]) -> String {
    let Some(first) = files.first() else { return String::new() };
    let more = match files.len() - 1 {
        0 => String::new(),
        1 => ", and so is 1 more file".to_owned(),
        more => format!(", and so are {more} more files"),
    };
    format!(
        "'{}' is only a pointer of Git LFS (to {} bytes){more}: what it stands for is not fetched. Commit the file itself, or download it in the Dockerfile",
        first.path, first.bytes
    )
}

fn in_use(secrets: &BTreeMap<SecretName, Vec<String>>) -> String {
    let one = |(secret, functions): (&SecretName, &Vec<String>)| {
        format!("the secret {secret} was removed from the file and is still mounted by {}", functions.join(", "))
    };
    let all: Vec<String> = secrets.iter().map(one).collect();
    format!("{}: remove it from 'secrets' in their stack.yml first, or put it back", all.join("; "))
}

fn reasons(failed: &[Failed]) -> String {
    let reasons: Vec<String> = failed.iter().map(|one| format!("{}: {}", one.function, one.reason)).collect();
    reasons.join("; ")
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
