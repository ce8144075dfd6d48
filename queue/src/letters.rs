//! Dead letters: calls that were given up and wait for somebody to look at them.

use serde::Serialize;

/// A call that was given up.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// What to name it by.
    pub id: u64,
    /// The call's id.
    pub call_id: String,
    /// The queue it was in.
    pub queue: String,
    /// The function it was for.
    pub function: String,
    /// How often it was tried.
    pub attempts: u32,
    /// The last status code, 0 if there was no answer at all.
    pub status: u16,
    /// Why it was given up.
    pub reason: String,
    /// The length of its body.
    pub body_bytes: u64,
    /// When it was enqueued (RFC 3339).
    pub enqueued_at: String,
    /// When it was given up (RFC 3339).
    pub died_at: String,
}

/// Which dead letters something is done with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Letters {
    /// This one.
    One(u64),
    /// All of a function.
    Of(String),
    /// All.
    All,
}

/// Reasons are for people; a function's whole error page is not.
const REASON_LIMIT: usize = 2000;

/// The beginning of a reason, never half a character.
pub(crate) fn cut(reason: &str) -> &str {
    let mut end = reason.len().min(REASON_LIMIT);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    &reason[..end]
}
