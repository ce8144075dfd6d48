//! Objects as files in a directory of this machine, for its user only.
//!
//! Writers of one folder take turns by a lock on the folder itself, so that what is compared is still there when it is
//! swapped; that holds for threads and for processes. Readers need no lock, for a file is replaced by a rename.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

use crate::key::Key;
use crate::store::{Expected, Listed, Object, Piece, Store, StoreError, Swap, Version};

/// How long a writer waits for its turn. To write a small object takes milliseconds.
const TURN_TIME: Duration = Duration::from_secs(10);
/// How often it looks whether it is its turn.
const TURN_STEP: Duration = Duration::from_millis(1);

/// A directory that is ours. It is made when the first object is written.
#[derive(Debug, Clone)]
pub struct Directory {
    root: PathBuf,
}

impl Directory {
    /// Objects in this directory.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The file or folder of a key.
    pub fn path(&self, key: &Key) -> PathBuf {
        self.root.join(key.as_str())
    }
}

impl Store for Directory {
    async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        let path = self.path(key);
        blocking(move || write(&path, &bytes, None)).await.map(drop).map_err(|e| StoreError::failed("write", key, e))
    }

    async fn put_if(&self, key: &Key, bytes: Bytes, expected: Expected) -> Result<Swap, StoreError> {
        let path = self.path(key);
        let written = blocking(move || write(&path, &bytes, Some(&expected))).await;
        written.map_err(|e| StoreError::failed("write", key, e))
    }

    async fn get(&self, key: &Key, max: usize) -> Result<Option<Object>, StoreError> {
        let path = self.path(key);
        let read =
            blocking(move || if_there(read(&path, max))).await.map_err(|e| StoreError::failed("read", key, e))?;
        match read {
            Some(bytes) if bytes.len() > max => Err(StoreError::TooLong { key: key.clone(), max }),
            bytes => Ok(bytes.map(|bytes| Object { version: version(&bytes), bytes: bytes.into() })),
        }
    }

    async fn get_range(&self, key: &Key, from: u64, max: usize) -> Result<Option<Piece>, StoreError> {
        let path = self.path(key);
        let read = blocking(move || if_there(read_range(&path, from, max))).await;
        read.map_err(|e| StoreError::failed("read", key, e))
    }

    async fn list(&self, folder: &Key, max: usize) -> Result<Vec<Listed>, StoreError> {
        let (root, key) = (self.root.clone(), folder.clone());
        let listed =
            blocking(move || list(&root, key, max)).await.map_err(|e| StoreError::failed("list", folder, e))?;
        listed.ok_or_else(|| StoreError::TooMany { folder: folder.clone(), max })
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        let path = self.path(key);
        blocking(move || delete(&path)).await.map_err(|e| StoreError::failed("delete", key, e))
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

fn if_there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn version(bytes: &[u8]) -> Version {
    Version(hex::encode(Sha256::digest(bytes)))
}

/// At most one byte more than `max`, by which one sees that it is too long.
fn read(path: &Path, max: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take((max as u64).saturating_add(1)).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn read_range(path: &Path, from: u64, max: usize) -> io::Result<Piece> {
    let mut file = File::open(path)?;
    let whole = file.metadata()?.len();
    let mut bytes = Vec::new();
    if from < whole {
        file.seek(SeekFrom::Start(from))?;
        file.take(max as u64).read_to_end(&mut bytes)?;
    }
    Ok(Piece { bytes: bytes.into(), whole })
}

/// Writes beside the object, then takes its place, so that nobody ever reads half of it.
fn write(path: &Path, bytes: &[u8], expected: Option<&Expected>) -> io::Result<Swap> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return Err(ErrorKind::InvalidFilename.into());
    };
    make(folder)?;
    let folder = File::open(folder).and_then(|opened| my_turn(opened, folder, TURN_TIME))?;
    if expected.map(|expected| is_as_expected(path, expected)).transpose()? == Some(false) {
        return Ok(Swap::Conflict);
    }
    // Always the same name, which no key has, so that what a crash leaves is overwritten by the next try.
    let unfinished = path.with_file_name(format!(".{name}.new"));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    // The new name is durable only once its folder is.
    folder.sync_all()?;
    Ok(Swap::Done(version(bytes)))
}

fn delete(path: &Path) -> io::Result<()> {
    let Some(folder) = path.parent() else { return Err(ErrorKind::InvalidFilename.into()) };
    let Some(opened) = if_there(File::open(folder))? else { return Ok(()) };
    let folder = my_turn(opened, folder, TURN_TIME)?;
    match if_there(fs::remove_file(path))? {
        Some(()) => folder.sync_all(),
        None => Ok(()),
    }
}

/// Makes a folder and those above it. Each new name is durable before something is put below it.
fn make(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or(Path::new("."));
    make(above)?;
    match DirBuilder::new().mode(0o700).create(folder) {
        // Somebody else was quicker, or a file is in the way, which the next step will say.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
        Ok(()) => File::open(above)?.sync_all(),
    }
}

/// Locks a folder until the handle is closed.
fn my_turn(opened: File, folder: &Path, patience: Duration) -> io::Result<File> {
    let begin = Instant::now();
    loop {
        match opened.try_lock() {
            Ok(()) => return Ok(opened),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if begin.elapsed() < patience => std::thread::sleep(TURN_STEP),
            Err(TryLockError::WouldBlock) => {
                let reason = format!("another writer holds {} for {patience:?}", folder.display());
                return Err(io::Error::new(ErrorKind::TimedOut, reason));
            }
        }
    }
}

fn is_as_expected(path: &Path, expected: &Expected) -> io::Result<bool> {
    let Some(mut file) = if_there(File::open(path))? else { return Ok(*expected == Expected::Absent) };
    let Expected::Version(Version(wanted)) = expected else { return Ok(false) };
    let mut digest = Sha256::new();
    let mut part = [0; 16 * 1024];
    loop {
        match file.read(&mut part)? {
            0 => return Ok(hex::encode(digest.finalize()) == *wanted),
            bytes => digest.update(&part[..bytes]),
        }
    }
}

/// What is below a folder; `None` if that is more than `max`. Something that goes meanwhile was not there.
fn list(root: &Path, folder: Key, max: usize) -> io::Result<Option<Vec<Listed>>> {
    let (mut objects, mut folders) = (Vec::new(), vec![folder]);
    while let Some(folder) = folders.pop() {
        let Some(entries) = if_there(fs::read_dir(root.join(folder.as_str())))? else { continue };
        for entry in entries {
            let entry = entry?;
            let Some(key) = entry.file_name().to_str().and_then(|name| folder.join(name).ok()) else { continue };
            match if_there(entry.metadata())? {
                Some(metadata) if metadata.is_dir() => folders.push(key),
                Some(metadata) if metadata.is_file() => objects.push(Listed { key, bytes: metadata.len() }),
                // A link leads out of this directory; ours has none.
                _ => {}
            }
            if objects.len() > max {
                return Ok(None);
            }
        }
    }
    objects.sort();
    Ok(Some(objects))
}

#[cfg(test)]
mod tests;
