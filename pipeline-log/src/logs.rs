//! The life of a log: parts while a build runs, one object afterwards.
//!
//! Part 0 stands for an open try. It is written last when a try begins and removed first when one ends, so that
//! wherever this process dies, the next message finds out where it was.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use bytes::{Bytes, BytesMut};
use object_store::{Store, StoreError};
use sdk::pipeline_log::{LogPart, LogRequest};
use tokio::sync::{Mutex, MutexGuard};

use crate::log_key::{Folder, Name};
use crate::retention;

/// A sender of more parts than this has lost its way.
const MAX_PARTS: u32 = 10_000;
/// All parts and a whole log, and room for what somebody else may have put there.
const MAX_OBJECTS: usize = 2 * MAX_PARTS as usize;
/// More than any object has: a part is as long as a message may be, and a log is cut at `max_log_bytes`.
const MAX_OBJECT_BYTES: usize = 1024 * 1024 * 1024;
/// Messages about one build are handled one after another; about different builds, side by side.
const LANES: usize = 64;

/// An object of a build's folder, and its length in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Object {
    name: Name,
    bytes: u64,
}

pub(crate) struct Logs<S> {
    store: S,
    max_bytes: usize,
    /// Where old logs are removed; a bucket has life-cycle rules for that.
    directory: Option<PathBuf>,
    lanes: [Mutex<()>; LANES],
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    #[error("a log has at most {MAX_PARTS} parts, and this is number {0}")]
    TooManyParts(u32),
    #[error("there is no log of {0}")]
    Unknown(Folder),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<S: Store> Logs<S> {
    pub(crate) fn new(store: S, max_bytes: usize, directory: Option<PathBuf>) -> Self {
        Self { store, max_bytes, directory, lanes: std::array::from_fn(|_| Mutex::default()) }
    }

    /// Keeps a part, and joins all of them when it is the last.
    pub(crate) async fn keep(&self, part: LogPart) -> Result<(), LogError> {
        if part.part >= MAX_PARTS {
            return Err(LogError::TooManyParts(part.part));
        }
        let folder = Folder::of(&part.key);
        let _lane = self.lane(&folder).await;
        let objects = self.list(&folder).await?;
        if part.part == 0 {
            self.drop_parts(&folder, &objects, 1).await?;
        } else if has(&objects, Name::Whole) && !has(&objects, Name::Part(0)) {
            // The try ended already and this message is a repetition; what may be left of it goes too.
            return Ok(self.drop_parts(&folder, &objects, 1).await?);
        }
        let before = if part.part == 0 { 0 } else { bytes_before(&objects, part.part) };
        if let Some(text) = fit(part.text, before, self.max_bytes) {
            self.store.put(&folder.object(Name::Part(part.part)), text).await?;
        }
        if part.last {
            self.join(&folder, part.part).await?;
        }
        Ok(())
    }

    /// The log, or its end from the beginning of a line.
    pub(crate) async fn read(&self, request: LogRequest) -> Result<Bytes, LogError> {
        let folder = Folder::of(&request.key);
        // A log is not read while it is being joined, or a part would be missing.
        let _lane = self.lane(&folder).await;
        let objects = self.list(&folder).await?;
        let log = if has(&objects, Name::Part(0)) {
            self.gather(&folder, &objects, MAX_PARTS).await?
        } else {
            self.get(&folder, Name::Whole).await?.ok_or(LogError::Unknown(folder))?
        };
        Ok(match request.tail_bytes {
            Some(bytes) => tail(log, usize::try_from(bytes).unwrap_or(usize::MAX)),
            None => log,
        })
    }

    async fn lane(&self, folder: &Folder) -> MutexGuard<'_, ()> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(folder);
        self.lanes[hash as usize % LANES].lock().await
    }

    async fn get(&self, folder: &Folder, name: Name) -> Result<Option<Bytes>, StoreError> {
        let object = self.store.get(&folder.object(name), MAX_OBJECT_BYTES).await?;
        Ok(object.map(|object| object.bytes))
    }

    /// The parts and the whole log that there are, in order.
    async fn list(&self, folder: &Folder) -> Result<Vec<Object>, StoreError> {
        let listed = self.store.list(folder.key(), MAX_OBJECTS).await?;
        let ours = listed.into_iter().filter_map(|object| {
            let name = Name::parse(object.key.below(folder.key())?)?;
            Some(Object { name, bytes: object.bytes })
        });
        let mut objects: Vec<_> = ours.collect();
        objects.sort();
        Ok(objects)
    }

    async fn join(&self, folder: &Folder, last: u32) -> Result<(), StoreError> {
        let objects = self.list(folder).await?;
        let log = self.gather(folder, &objects, last).await?;
        self.store.put(&folder.object(Name::Whole), log).await?;
        self.forget_old(folder).await;
        self.drop_parts(folder, &objects, 0).await
    }

    /// The parts up to `last`, joined; a gap is said, unless the log was full by then.
    async fn gather(&self, folder: &Folder, objects: &[Object], last: u32) -> Result<Bytes, StoreError> {
        let mut log = BytesMut::new();
        let mut expected = 0;
        for number in numbers(objects).filter(|number| *number <= last) {
            if number != expected {
                log.extend_from_slice(b"(a part of this log did not arrive)\n");
            }
            expected = number + 1;
            log.extend_from_slice(&self.get(folder, Name::Part(number)).await?.unwrap_or_default());
        }
        Ok(log.freeze())
    }

    /// Removes the parts from `first` on, the lowest first.
    async fn drop_parts(&self, folder: &Folder, objects: &[Object], first: u32) -> Result<(), StoreError> {
        for number in numbers(objects).filter(|number| *number >= first) {
            self.store.delete(&folder.object(Name::Part(number))).await?;
        }
        Ok(())
    }

    /// Nobody waits for this, and the log is kept whether it works or not.
    async fn forget_old(&self, folder: &Folder) {
        let Some(root) = &self.directory else { return };
        let path = root.join(folder.key().as_str());
        let _ = tokio::task::spawn_blocking(move || path.parent().map(forget_old)).await;
    }
}

/// Another function's log may be removing the same ones, so that one is not there any more is no trouble.
fn forget_old(commit: &Path) {
    if let Err(error) = retention::apply(retention::USUAL, commit)
        && error.kind() != ErrorKind::NotFound
    {
        tracing::warn!(commit = %commit.display(), %error, "old build logs could not be removed");
    }
}

fn has(objects: &[Object], name: Name) -> bool {
    objects.iter().any(|object| object.name == name)
}

/// The parts' numbers, in order.
fn numbers(objects: &[Object]) -> impl Iterator<Item = u32> {
    objects.iter().filter_map(|object| match object.name {
        Name::Part(number) => Some(number),
        Name::Whole => None,
    })
}

fn bytes_before(objects: &[Object], part: u32) -> usize {
    let before = objects.iter().filter(|object| matches!(object.name, Name::Part(number) if number < part));
    usize::try_from(before.map(|object| object.bytes).sum::<u64>()).unwrap_or(usize::MAX)
}

/// The text as far as there is room. Only earlier parts count, so a repetition is cut at the same place; the line
/// about the cut fills up the log, so that nothing follows it.
fn fit(mut text: String, before: usize, max: usize) -> Option<Bytes> {
    let room = max.saturating_sub(before);
    if text.len() > room {
        if room == 0 {
            return None;
        }
        text.truncate(text.floor_char_boundary(room));
        text.push_str(&format!("\n… this log is cut here: a build keeps {max} bytes …\n"));
    }
    Some(Bytes::from(text))
}

/// The last bytes, without the beginning of the first line.
fn tail(log: Bytes, bytes: usize) -> Bytes {
    if bytes >= log.len() {
        return log;
    }
    let start = log.len() - bytes;
    // A line feed just before means that the cut is the start of a line.
    let line = log[start - 1..].iter().position(|byte| *byte == b'\n').map_or(log.len(), |feed| start + feed);
    log.slice(line..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn logs_of_old_commits_go_when_one_is_whole() {
        let root = tempfile::tempdir().unwrap();
        let repository = root.path().join("alice/shop");
        for number in 0..150 {
            std::fs::create_dir_all(repository.join(number.to_string()).join("cart")).unwrap();
        }
        let logs = Logs::new(object_store::Directory::new(root.path()), 1024, Some(root.path().to_owned()));
        let key = sdk::pipeline_log::LogKey {
            owner: "alice".parse().unwrap(),
            repo: "shop".parse().unwrap(),
            sha: "a".repeat(40).parse().unwrap(),
            function: "cart".parse().unwrap(),
        };
        let commits = || std::fs::read_dir(&repository).unwrap().count();
        let part = |part, last| LogPart { key: key.clone(), part, text: "x".to_owned(), last };
        logs.keep(part(0, false)).await.unwrap();
        assert_eq!(commits(), 151);
        logs.keep(part(1, true)).await.unwrap();
        assert_eq!(commits(), 100);
        let request = LogRequest { key, tail_bytes: None };
        assert_eq!(logs.read(request).await.unwrap(), "xx");
    }

    #[test]
    fn a_tail_begins_with_a_line() {
        let log = || Bytes::from_static(b"one\ntwo\nthree\n");
        assert_eq!(tail(log(), 100), log());
        assert_eq!(tail(log(), 14), log());
        assert_eq!(tail(log(), 13), "two\nthree\n");
        assert_eq!(tail(log(), 10), "two\nthree\n");
        assert_eq!(tail(log(), 6), "three\n");
        assert_eq!(tail(log(), 3), "");
        assert_eq!(tail(log(), 0), "");
        assert_eq!(tail(Bytes::new(), 0), "");
    }

    #[test]
    fn a_full_log_is_cut_once_and_never_inside_a_character() {
        assert_eq!(fit("abc".to_owned(), 0, 3).unwrap(), "abc");
        assert_eq!(fit("abé".to_owned(), 0, 3).unwrap(), "ab\n… this log is cut here: a build keeps 3 bytes …\n");
        assert_eq!(fit("x".to_owned(), 3, 3), None);
        assert_eq!(fit(String::new(), 9, 3).unwrap(), "");
    }
}
