//! Build logs on their way to `pipeline-log`, and back from it.

use serde::{Deserialize, Serialize};

use crate::id::{CommitSha, FunctionName, Owner, RepoName};

/// Where a [`LogRequest`] is answered at once.
pub const READ_FUNCTION: &str = "pipeline-log/read";
/// Where it is answered with what is there and all that comes. Such an answer takes as long as the build:
/// [`Functions::send`](crate::call::Functions::send) with a long time asks for it, for `invoke` gives up earlier.
pub const FOLLOW_FUNCTION: &str = "pipeline-log/follow";
/// A line of its own in what is followed: all before it is of an earlier try, and the log begins here, at byte 0.
pub const BEGUN_AGAIN: &str = "\n(this build was begun again)\n";
/// Says `open` or `whole`.
pub const STATE_HEADER: &str = "x-log-state";
/// The log's length in bytes.
pub const LENGTH_HEADER: &str = "x-log-length";
/// The answer's first byte's place in the log.
pub const START_HEADER: &str = "x-log-start";

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

/// Asks for a log at `/read`, or at `/follow` for what is there and all that comes, until the build has ended.
///
/// Bytes are counted, so an answer may begin and end inside a character, or a line. An answer to either says in [`STATE_HEADER`] whether the build is under way (`open`) or not (`whole`), in [`LENGTH_HEADER`]
/// how many bytes the whole log has so far, and in [`START_HEADER`] at which of them the answer begins.
/// A log that is followed ends when the build does; one that is broken off is asked for again from where it stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRequest {
    /// The build.
    #[serde(flatten)]
    pub key: LogKey,
    /// Only the last so many bytes, from the start of a line (from the start of a character where the last line has more
    /// than that); all where unset.
    #[serde(default)]
    pub tail_bytes: Option<u64>,
    /// Only from this byte on; not together with `tail_bytes`.
    #[serde(default)]
    pub from: Option<u64>,
    /// At most so many bytes from there; of `/read` only.
    #[serde(default)]
    pub max_bytes: Option<u64>,
}
