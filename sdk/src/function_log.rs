//! Questions to `function-logs`: what functions write while they run.

use serde::{Deserialize, Serialize};

use crate::id::{OwnerId, ServiceName};

/// The function that answers: at `/` with what is kept and what the gateway has beyond that. An answer is lines of JSON,
/// each a [`Line`], the oldest first: `functions.invoke(FUNCTION_LOGS_FUNCTION, &request, &call)`.
pub const FUNCTION_LOGS_FUNCTION: &str = "function-logs";
/// Where it goes on with what comes, for as long as the caller reads and the function is the owner's, and what a question
/// there is signed for. `until` is not asked there.
///
/// A line without a replica ([`Line::instance`]) says how many were left out, for they came faster than they were read.
pub const FOLLOW_LOGS: &str = "function-logs/follow";
/// An answer has at most so many lines, the newest that there are.
pub const MAX_LINES: usize = 10_000;
/// An answer has at most so many bytes of text, of the newest lines that there are.
pub const MAX_TEXT_BYTES: usize = 8 * 1024 * 1024;
/// An answer that goes on begins with at most so many old lines.
pub const MAX_OLD_LINES: usize = 1000;
/// The longest text that is searched for, in bytes.
pub const MAX_GREP_BYTES: usize = 256;

/// Asks for the log of one function of an owner. Not theirs and not there get the same answer: 404. A question with a longer
/// text than [`MAX_GREP_BYTES`] gets 400, and one too many at the same time 429.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionLogRequest {
    /// Whose.
    pub owner_id: OwnerId,
    /// The function's deployed name.
    pub function: ServiceName,
    /// From then on, in milliseconds since 1970.
    #[serde(default)]
    pub since: Option<u64>,
    /// Before then, in milliseconds since 1970.
    #[serde(default)]
    pub until: Option<u64>,
    /// Only lines with this text, whatever its case. Plain text, not a pattern.
    #[serde(default)]
    pub grep: Option<String>,
    /// Only this replica's.
    #[serde(default)]
    pub instance: Option<String>,
    /// At most so many lines, the newest; never more than [`MAX_LINES`].
    #[serde(default)]
    pub tail: Option<usize>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// When, in milliseconds since 1970.
    pub at: u64,
    /// The replica; empty where the line is no replica's.
    pub instance: String,
    /// The line without its line feed. Anything may be in it but invalid UTF-8.
    pub text: String,
}
