//! How a deployed function stands, and what its labels say about where it is from.

use sdk::gateway::{ConditionKind, FunctionStatus};
use sdk::labels;
use sdk::status::is_link;

use crate::words::{self, Moment};

/// How a function stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Standing {
    /// For sorting: what needs somebody comes first.
    rank: u8,
    pub(crate) word: &'static str,
    /// Of the style.
    pub(crate) mark: &'static str,
}

/// How a function stands, by its replicas and what is wrong with them.
pub(crate) fn of(function: &FunctionStatus) -> Standing {
    let has = |kind| function.conditions.iter().any(|condition| condition.kind == kind);
    let (rank, word, mark) = match function {
        _ if has(ConditionKind::CannotStart) => (0, "Cannot start", "bad"),
        _ if has(ConditionKind::CrashLoop) => (0, "Crashing", "bad"),
        f if f.replicas == 0 => (4, "Asleep", "calm"),
        f if f.available_replicas == 0 => (1, "Starting", "busy"),
        f if f.available_replicas < f.replicas => (2, "Partly ready", "busy"),
        f if !f.conditions.is_empty() => (2, "Restarted", "busy"),
        _ => (3, "Running", "good"),
    };
    Standing { rank, word, mark }
}

/// Where a function is from.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origin {
    pub(crate) repo: String,
    pub(crate) repo_url: Option<String>,
    pub(crate) branch: String,
    pub(crate) sha: String,
    pub(crate) short: String,
    pub(crate) is_private: bool,
    /// In milliseconds since 1970.
    pub(crate) deployed_at: u64,
    pub(crate) deployed: Option<Moment>,
}

/// Where a function is from, by its labels. An address is one only if it may be followed.
pub(crate) fn origin(function: &FunctionStatus) -> Origin {
    let label = |name: &str| function.labels.get(name).cloned().unwrap_or_default();
    let seconds = label(labels::GIT_DEPLOY_TIME).parse::<u64>().ok();
    let created = function.created_at.and_then(|at| u64::try_from(at.timestamp_millis()).ok());
    let at = seconds.map(|seconds| seconds.saturating_mul(1000)).or(created);
    let sha = label(labels::GIT_SHA);
    Origin {
        repo: label(labels::GIT_REPO),
        repo_url: function.annotations.get(labels::GIT_REPO_URL).filter(|url| is_link(url)).cloned(),
        branch: label(labels::GIT_BRANCH),
        short: sha.chars().take(7).collect(),
        sha,
        is_private: label(labels::GIT_PRIVATE) == "1",
        deployed_at: at.unwrap_or_default(),
        deployed: at.map(words::moment),
    }
}

/// A function's name in stack.yml, or its whole name where it was deployed under another login.
pub(crate) fn short_name<'a>(name: &'a str, owner: &str) -> &'a str {
    name.strip_prefix(owner).and_then(|rest| rest.strip_prefix('-')).filter(|rest| !rest.is_empty()).unwrap_or(name)
}
