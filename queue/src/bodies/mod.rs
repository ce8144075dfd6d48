//! Large bodies, in files beside the store: it would copy each of them several times, and hold it in memory.
//!
//! A file is written and synced, gets its name, and only then is the call stored that refers to it; it goes after the
//! call has gone. So a call never lacks its body, and a file that a crash left behind is known by nothing referring to it.

mod body;
mod name;
mod spool;

use std::collections::HashSet;
use std::fs::{File, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tempfile::TempPath;
use tokio::task::spawn_blocking;

pub use self::body::{Body, BodyStream};
pub(crate) use self::name::BodyName;
pub use self::spool::Spool;
use crate::disk::Disk;
use crate::error::QueueError;

const DIRECTORY: &str = "bodies";
const LOCK: &str = ".lock";
/// What files are called while they are written.
const UNFINISHED: &str = ".incoming-";

/// The directory of large bodies. One process at a time has it.
#[derive(Debug)]
pub(crate) struct Bodies {
    directory: PathBuf,
    disk: Disk,
    lock: File,
    /// Bytes that all files may have together.
    most: u64,
    /// Bytes that they have, those that are being written included.
    used: AtomicU64,
}

/// Bytes that were counted for a file that is being written. Given back when dropped.
#[derive(Debug)]
pub(crate) struct Reserved {
    bodies: Arc<Bodies>,
    bytes: u64,
}

impl Reserved {
    fn add(&mut self, bytes: u64) -> Result<(), QueueError> {
        let used = self.bodies.used.fetch_add(bytes, Ordering::Relaxed);
        self.bytes += bytes;
        if used.saturating_add(bytes) > self.bodies.most {
            return Err(QueueError::NoRoomForBodies(self.bodies.most));
        }
        if self.bodies.disk.room() < bytes {
            return Err(QueueError::DiskFull(self.bodies.directory.clone()));
        }
        Ok(())
    }

    /// The file has come to stay: its removal gives its bytes back.
    fn keep(mut self) {
        self.bytes = 0;
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.bodies.used.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Bodies {
    /// Opens (or makes) the directory within `parent`.
    pub(crate) fn open(parent: &Path, most: u64) -> Result<Self, QueueError> {
        let directory = parent.join(DIRECTORY);
        let failed = |source| QueueError::body(&directory, source);
        std::fs::create_dir_all(&directory).map_err(failed)?;
        // What callers sent is for nobody else on this machine to read.
        std::fs::set_permissions(&directory, Permissions::from_mode(0o700)).map_err(failed)?;
        let lock = File::options().create(true).append(true).open(directory.join(LOCK)).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { disk: Disk::of(&directory), directory, lock, most, used: AtomicU64::new(0) }),
            Err(TryLockError::WouldBlock) => Err(QueueError::InUse(directory)),
            Err(TryLockError::Error(source)) => Err(failed(source)),
        }
    }

    /// Lets another process have it.
    pub(crate) fn release(&self) {
        // If this fails, the end of the process does it.
        let _ = self.lock.unlock();
    }

    pub(crate) fn path(&self, name: &BodyName) -> PathBuf {
        self.directory.join(name.as_str())
    }

    /// A body as the stores know it.
    pub(crate) fn body(&self, name: &BodyName, length: u64) -> Body {
        Body::file(self.path(name), name.clone(), length)
    }

    /// A file to write a body to. Gone with its path, unless it is kept.
    fn create(self: &Arc<Self>) -> io::Result<(File, TempPath, Reserved)> {
        let (file, path) = self.unfinished()?;
        Ok((file, path, Reserved { bodies: Arc::clone(self), bytes: 0 }))
    }

    fn unfinished(&self) -> io::Result<(File, TempPath)> {
        Ok(tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&self.directory)?.into_parts())
    }

    /// Gives a written and synced file its name, durably.
    async fn keep(&self, path: TempPath, name: &BodyName) -> Result<(), QueueError> {
        let (directory, target) = (self.directory.clone(), self.path(name));
        let kept = spawn_blocking(move || {
            path.persist(&target).map_err(|error| error.error)?;
            File::open(&directory)?.sync_all()
        });
        match kept.await {
            Ok(kept) => kept.map_err(|source| QueueError::body(&self.path(name), source)),
            Err(_) => Err(QueueError::Closed),
        }
    }

    /// Removes files. One that cannot be removed takes up room until the next start, no more.
    pub(crate) async fn remove(self: &Arc<Self>, names: Vec<BodyName>) {
        if names.is_empty() {
            return;
        }
        let bodies = Arc::clone(self);
        let removed = spawn_blocking(move || {
            for name in names {
                let freed = remove(&bodies.path(&name));
                bodies.used.fetch_sub(freed, Ordering::Relaxed);
            }
        });
        // It only fails if the process ends; then the next one clears up.
        let _ = removed.await;
    }

    /// The finished files that are there.
    pub(crate) fn finished(&self) -> Result<Vec<BodyName>, QueueError> {
        Ok(self.entries()?.iter().filter_map(|name| BodyName::parse(name)).collect())
    }

    /// Removes what nothing refers to: files that were never finished, and those not in `kept`. Counts the others.
    pub(crate) fn collect(&self, kept: &HashSet<BodyName>) -> Result<usize, QueueError> {
        let ours = |name: &String| match BodyName::parse(name) {
            Some(body) => !kept.contains(&body),
            None => name.starts_with(UNFINISHED),
        };
        let orphans: Vec<_> = self.entries()?.into_iter().filter(ours).collect();
        for name in &orphans {
            remove(&self.directory.join(name));
        }
        let length = |name| std::fs::metadata(self.path(name)).map_or(0, |metadata| metadata.len());
        self.used.store(kept.iter().map(length).sum(), Ordering::Relaxed);
        Ok(orphans.len())
    }

    fn entries(&self) -> Result<Vec<String>, QueueError> {
        let list = || -> io::Result<Vec<String>> {
            let mut names = Vec::new();
            for entry in std::fs::read_dir(&self.directory)? {
                names.extend(entry?.file_name().into_string());
            }
            Ok(names)
        };
        list().map_err(|source| QueueError::body(&self.directory, source))
    }
}

/// Answers with the bytes that this has freed.
fn remove(path: &Path) -> u64 {
    let length = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    match std::fs::remove_file(path) {
        Ok(()) => return length,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(path = %path.display(), %error, "The body of an ended call cannot be removed."),
    }
    0
}
