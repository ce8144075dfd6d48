//! The questions about the trail.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::AuditEvent;
use crate::id::{OwnerId, RepoName};

/// Where an [`AuditRequest`] is answered, by [`Functions::invoke`](crate::call::Functions::invoke) and signed for just that name.
/// 501 where an installation keeps no trail that can be read.
pub const READ_AUDIT: &str = "audit-event/read";
/// An answer has at most so many events.
pub const MAX_EVENTS: usize = 100;

/// Asks for what happened at an owner's, the newest first; the answer is an [`AuditAnswer`]. The owner's number decides, also after
/// a change of the login: what is another number's under the same login is somebody else's, and not in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditRequest {
    /// Whose.
    pub owner_id: OwnerId,
    /// Only what concerns this repository.
    #[serde(default)]
    pub repo: Option<RepoName>,
    /// Only what stands behind this: the next page.
    #[serde(default)]
    pub before: Option<AuditMark>,
    /// At most so many, and never more than [`MAX_EVENTS`].
    #[serde(default)]
    pub limit: Option<usize>,
}

/// A page of an owner's trail.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditAnswer {
    /// The newest first.
    pub events: Vec<AuditEvent>,
    /// Where the next page begins, if there is more.
    #[serde(default)]
    pub older: Option<AuditMark>,
}

/// A place in an owner's trail, `<milliseconds since 1970>-<16 hexadecimal digits>`: much can happen in one millisecond, and a page
/// may end in the middle of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AuditMark {
    /// When the event happened.
    pub at: u64,
    /// What tells it apart from others of that millisecond, among which it is the order.
    pub sum: u64,
}

/// Text that is no place in a trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a place in a trail is milliseconds, a hyphen and 16 hexadecimal digits")]
pub struct InvalidMark;

impl fmt::Display for AuditMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:016x}", self.at, self.sum)
    }
}

impl FromStr for AuditMark {
    type Err = InvalidMark;

    fn from_str(text: &str) -> Result<Self, InvalidMark> {
        let (at, sum) = text.split_once('-').ok_or(InvalidMark)?;
        let at = at.parse().map_err(|_| InvalidMark)?;
        let mark = Self { at, sum: u64::from_str_radix(sum, 16).map_err(|_| InvalidMark)? };
        // One place has one name.
        if mark.to_string() == text { Ok(mark) } else { Err(InvalidMark) }
    }
}

impl TryFrom<String> for AuditMark {
    type Error = InvalidMark;

    fn try_from(text: String) -> Result<Self, InvalidMark> {
        text.parse()
    }
}

impl From<AuditMark> for String {
    fn from(mark: AuditMark) -> Self {
        mark.to_string()
    }
}
