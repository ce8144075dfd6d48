//! Reading one commit of a repository over git's smart HTTP protocol.
//!
//! Two requests per push: which commit is the branch's head (`ls-refs`, asked for that branch only, so that
//! twenty thousand other refs cost nothing), then that commit at depth 1 (`fetch`). Protocol version 2 is
//! spoken without asking first; a server that does not know it is asked again in version 0. The pack goes
//! through [`guard`] into libgit2's indexer, and files are read from the object database. There is never a
//! work tree, so links in a repository are only entries with a text.
//!
//! The rejected way, libgit2's own fetch over a registered transport, needs unsafe code, speaks version 0
//! only, lists every ref of the server and blocks a thread while it waits.

mod about;
mod fetch;
mod guard;
mod objects;
mod packet;
mod refs;
mod remote;

use std::time::Duration;

pub(crate) use about::About;
pub(crate) use objects::CommitTree;
pub(crate) use remote::{Credential, Remote};

/// Bounds on what a host may send.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// The pack in bytes.
    pub(crate) max_pack_bytes: u64,
    /// All its objects unpacked, in bytes.
    pub(crate) max_unpacked_bytes: u64,
    /// How many objects it has.
    pub(crate) max_objects: u32,
    /// The whole transfer.
    pub(crate) timeout: Duration,
    /// The longest silence.
    pub(crate) stall: Duration,
}

/// Why a repository cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GitError {
    /// No answer, or one that breaks off.
    #[error("the git host does not answer")]
    Unreachable(#[source] reqwest::Error),
    /// Too slow.
    #[error("the git host took longer than {}", seconds(.0))]
    TimedOut(Duration),
    /// An answer other than 200.
    #[error("the git host answered {0}")]
    Status(http::StatusCode),
    /// Something that is not git's protocol.
    #[error("the git host sent what is not git's protocol: {0}")]
    Protocol(&'static str),
    /// The host's own sentence.
    #[error("the git host refused: {0}")]
    Refused(String),
    /// The host does not have the commit.
    #[error("the commit is not in the repository")]
    UnknownCommit,
    /// A bound was reached.
    #[error("the repository is too big: {0}")]
    TooBig(String),
    /// Ids of another length.
    #[error("the repository uses SHA-256 ids, which are not supported")]
    Sha256,
    /// Broken objects.
    #[error("the repository's objects are broken: {0}")]
    Broken(String),
    /// Our own disk.
    #[error("the repository could not be stored")]
    Store(#[source] std::io::Error),
}

impl GitError {
    /// True if whoever pushed must do something; false if it may pass by itself.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::TimedOut(_) | Self::Store(_) | Self::Protocol(_) => false,
            Self::Status(status) => {
                status.is_redirection() || (status.is_client_error() && !matches!(status.as_u16(), 408 | 429))
            }
            Self::Refused(_) | Self::UnknownCommit | Self::TooBig(_) | Self::Sha256 | Self::Broken(_) => true,
        }
    }
}

fn seconds(time: &Duration) -> String {
    format!("{} seconds", time.as_secs())
}

#[cfg(test)]
mod tests;
