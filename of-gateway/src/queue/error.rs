//! What can go wrong with the queue file, in sentences that say what to do.

use std::path::PathBuf;
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
    #[error("the queue file {} has format {found}, this release reads format {expected}; use the release that wrote it", .path.display())]
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
    #[error("the disk of the queue file {} is full; free some space, nothing queued is lost", .0.display())]
    DiskFull(PathBuf),
    /// Too many calls wait.
    #[error("the queue holds {0} calls and takes no more until some have run")]
    Full(usize),
    /// A statement failed.
    #[error("cannot write the queue file {}", .path.display())]
    Store {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// The writer has stopped: the gateway is shutting down.
    #[error("the queue is closed, the gateway is shutting down")]
    Closed,
    /// No thread could be started for the writer.
    #[error("cannot start the thread that writes the queue file")]
    Thread(#[source] Arc<std::io::Error>),
}

impl QueueError {
    /// A failure while opening `path`.
    pub(super) fn opening(path: &std::path::Path, source: rusqlite::Error) -> Self {
        match Self::of(path, source) {
            Self::Store { path, source } => Self::Open { path, source },
            other => other,
        }
    }

    /// A failure while using `path`.
    pub(super) fn of(path: &std::path::Path, source: rusqlite::Error) -> Self {
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
}
