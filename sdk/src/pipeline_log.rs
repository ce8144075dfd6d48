//! Build logs on their way to `pipeline-log`.

use serde::{Deserialize, Serialize};

use crate::id::{CommitSha, FunctionName, Owner, RepoName};

/// Which build a log belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LogKey {
    /// The owner's login.
    pub owner: Owner,
    /// The repository's name.
    pub repo: RepoName,
    /// The commit that is built.
    pub sha: CommitSha,
    /// The function that is built.
    pub function: FunctionName,
}

/// A run of lines of one build's log. Sending the same part again replaces it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPart {
    /// The build.
    #[serde(flatten)]
    pub key: LogKey,
    /// 0 for the first part, then one more each time. Part 0 drops what an earlier try left.
    pub part: u32,
    /// Whole lines, each ended by a line feed.
    pub text: String,
    /// No part follows.
    pub last: bool,
}

/// Asks for a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRequest {
    /// The build.
    #[serde(flatten)]
    pub key: LogKey,
    /// Only the last so many bytes, from the start of a line; all where unset.
    #[serde(default)]
    pub tail_bytes: Option<u64>,
}
