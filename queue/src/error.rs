//! What can go wrong with a queue, in sentences that say what to do.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::ErrorCode;

/// A failure of the queue. Cheap to clone, because all who share a transaction share its failure.
#[derive(Debug, Clone, thiserror::Error)]
pub enum QueueError {
    /// Another process holds the file.
    #[error("the queue file {} is in use by another gateway; stop that one first, or give this one its own data directory", .0.display())]
    InUse(PathBuf),
    /// The file is not what it should be.
    #[error(
        "the queue file {} is damaged ({detail}); put a copy back in its place, or move it and its -wal file away to \
         start with an empty queue (the calls waiting in it are then lost)", .path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        detail: String,
    },
    /// The file belongs to a newer release or to another program.
    #[error("the queue file {} has format {found}, this release reads format {expected} and older; use the release that wrote it", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// Ours.
        expected: i64,
    },
    /// The file cannot be opened or made.
    #[error("cannot open the queue file {}: check that the directory exists and may be written", .path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// The disk is full.
    #[error("the disk of {} is full, but for what the calls need that wait; free some space, nothing queued is lost", .0.display())]
    DiskFull(PathBuf),
    /// Too many calls wait.
    #[error("the queue holds {0} calls and takes no more until some have run")]
    Full(usize),
    /// Large bodies take up all the room they may have.
    #[error(
        "the large bodies of queued calls take up the {0} bytes they may have; no more are taken until some calls have run"
    )]
    NoRoomForBodies(u64),
    /// A statement failed.
    #[error("cannot write the queue file {}", .path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// The queue was closed.
    #[error("the queue is closed, the gateway is shutting down")]
    Closed,
    /// No thread could be started for the writer.
    #[error("cannot start the thread that writes the queue file")]
    Thread(#[source] Arc<io::Error>),
    /// A large body cannot be written or read.
    #[error("cannot use {}, which keeps the large bodies of queued calls: check that it exists and may be written", .path.display())]
    Body {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: Arc<io::Error>,
    },
    /// There is no such queue.
    #[error("\"{0}\" is no name for a queue: use 1 to 63 letters, digits, hyphens and underscores")]
    QueueName(String),
    /// The request's head is too long to be stored.
    #[error("the call's headers do not fit into a message; send less of them")]
    HeadTooLong,
    /// NATS cannot be reached, or did not answer in time.
    #[error("NATS at {address} does not answer ({detail}); start it, or correct the address")]
    Unreachable {
        /// Where.
        address: String,
        /// What happened.
        detail: String,
    },
    /// The credentials for NATS cannot be read.
    #[error("the credentials for NATS are not valid: {0}")]
    Credentials(String),
    /// NATS runs without `JetStream`, or it was switched off because its disk is full.
    #[error("NATS at {0} has no JetStream: start it with -js, and see in its log whether its disk is full")]
    NoJetStream(String),
    /// A stream of this name was made by somebody else.
    #[error(
        "the stream {stream} exists in NATS and is not this gateway's ({detail}); delete it, or use an account of its own for this gateway"
    )]
    ForeignStream {
        /// Its name.
        stream: String,
        /// How that shows.
        detail: String,
    },
    /// NATS has no room left.
    #[error("NATS has no room for more ({0}); free some space on its disk or raise its limits, nothing queued is lost")]
    NoRoom(String),
    /// NATS refused something for another reason.
    #[error("NATS refused to {what}: {detail}")]
    Refused {
        /// What was asked.
        what: &'static str,
        /// Its answer.
        detail: String,
    },
}

impl QueueError {
    /// A failure while opening `path`.
    pub(crate) fn opening(path: &Path, source: rusqlite::Error) -> Self {
        match Self::of(path, source) {
            Self::Store { path, source } => Self::Open { path, source },
            other => other,
        }
    }

    /// A failure while using `path`.
    pub(crate) fn of(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::InUse(path),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged { path, detail: source.to_string() }
            }
            Some(ErrorCode::DiskFull) => Self::DiskFull(path),
            _ => Self::Store { path, source: Arc::new(source) },
        }
    }

    /// Whether it is certain that nothing was stored.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(
            self,
            Self::Full(_)
                | Self::NoRoomForBodies(_)
                | Self::QueueName(_)
                | Self::HeadTooLong
                | Self::DiskFull(_)
                | Self::NoRoom(_)
        )
    }

    /// A failure with a body's file.
    pub(crate) fn body(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull(path),
            _ => Self::Body { path, source: Arc::new(source) },
        }
    }
}
