//! The life of a log: parts while a build runs, one object afterwards.
//!
//! Part 0 stands for an open try. It is written last when a try begins and removed first when one ends, so that
//! wherever this process dies, the next message finds out where it was.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use bytes::Bytes;
use object_store::{Store, StoreError};
use sdk::pipeline_log::LogPart;
use tokio::sync::{RwLock, RwLockReadGuard, Semaphore};

use crate::log_key::{Folder, Name};
use crate::outline::{Outline, Piece};
use crate::packed::Packer;
use crate::retention;
use crate::topics::Topics;

/// A sender of more parts than this has lost its way.
const MAX_PARTS: u32 = 10_000;
/// All parts and a whole log, and room for what somebody else may have put there.
const MAX_OBJECTS: usize = 2 * MAX_PARTS as usize;
/// More than any object has: a part is as long as a message may be, and a log is cut at `max_log_bytes`.
pub(crate) const MAX_OBJECT_BYTES: usize = 1024 * 1024 * 1024;
/// Logs that are packed at the same time have so many MiB together, for a packed log is in memory until it is written. A
/// longer one is packed alone.
const PACKED_AT_ONCE: u32 = 128;
const MIB: u64 = 1024 * 1024;
/// Messages about one build are handled one after another; about different builds, side by side.
const LANES: usize = 64;

/// An object of a build's folder, and its length in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Object {
    pub(crate) name: Name,
    pub(crate) bytes: u64,
}

pub(crate) struct Logs<S> {
    pub(crate) store: S,
    max_bytes: usize,
    /// Where old logs are removed; a bucket has life-cycle rules for that.
    directory: Option<PathBuf>,
    lanes: [RwLock<()>; LANES],
    packing: Semaphore,
    /// Who is to hear of a part.
    pub(crate) topics: Topics,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum LogError {
    #[error("a log has at most {MAX_PARTS} parts, and this is number {0}")]
    TooManyParts(u32),
    #[error("there is no log of {0}")]
    Unknown(Folder),
    #[error("{0}")]
    Contradiction(&'static str),
    #[error("{0} logs are followed already: ask again later")]
    TooManyFollowers(usize),
    #[error("the log of {0} was begun again while it was read")]
    BegunAgain(Folder),
    #[error("the log of {0} cannot be packed or unpacked")]
    Broken(Folder, #[source] io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<S: Store> Logs<S> {
    pub(crate) fn new(store: S, max_bytes: usize, directory: Option<PathBuf>, max_followers: usize) -> Self {
        let (lanes, topics) = (std::array::from_fn(|_| RwLock::default()), Topics::new(max_followers));
        let packing = Semaphore::new(PACKED_AT_ONCE as usize);
        Self { store, max_bytes, directory, lanes, packing, topics }
    }

    /// True if another process may write logs, too.
    pub(crate) fn is_shared(&self) -> bool {
        self.directory.is_none()
    }

    /// Keeps a part, and joins all of them when it is the last.
    pub(crate) async fn keep(&self, part: LogPart) -> Result<(), LogError> {
        if part.part >= MAX_PARTS {
            return Err(LogError::TooManyParts(part.part));
        }
        let folder = Folder::of(&part.key);
        let _lane = self.lane(&folder).write().await;
        let objects = self.list(&folder).await?;
        let begins_again = part.part == 0 && !objects.is_empty() && !self.is_there(&folder, &objects, &part).await?;
        if part.part == 0 {
            self.drop_parts(&folder, &objects, 1).await?;
        } else if is_whole(&objects) && !has(&objects, Name::Part(0)) {
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
        self.topics.tell(&folder, begins_again);
        Ok(())
    }

    /// True if a first part is all that there is of a try, and the same: the message came twice.
    async fn is_there(&self, folder: &Folder, objects: &[Object], part: &LogPart) -> Result<bool, StoreError> {
        let [Object { name: Name::Part(0), .. }] = objects else { return Ok(false) };
        let kept = self.get(folder, Name::Part(0)).await?;
        Ok(kept.is_some_and(|kept| Some(kept) == fit(part.text.clone(), 0, self.max_bytes)))
    }

    fn lane(&self, folder: &Folder) -> &RwLock<()> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(folder);
        &self.lanes[hash as usize % LANES]
    }

    /// A log is not read while it is being joined, or a part would be missing.
    pub(crate) async fn read_lane(&self, folder: &Folder) -> RwLockReadGuard<'_, ()> {
        self.lane(folder).read().await
    }

    async fn get(&self, folder: &Folder, name: Name) -> Result<Option<Bytes>, StoreError> {
        let object = self.store.get(&folder.object(name), MAX_OBJECT_BYTES).await?;
        Ok(object.map(|object| object.bytes))
    }

    /// The parts and the whole log that there are, in order.
    pub(crate) async fn list(&self, folder: &Folder) -> Result<Vec<Object>, StoreError> {
        let listed = self.store.list(folder.key(), MAX_OBJECTS).await?;
        let ours = listed.into_iter().filter_map(|object| {
            let name = Name::parse(object.key.below(folder.key())?)?;
            Some(Object { name, bytes: object.bytes })
        });
        let mut objects: Vec<_> = ours.collect();
        objects.sort();
        Ok(objects)
    }

    async fn join(&self, folder: &Folder, last: u32) -> Result<(), LogError> {
        let objects = self.list(folder).await?;
        let outline = Outline::of(&objects, last);
        let room = self.packing.acquire_many(mebibytes(outline.bytes)).await;
        let log = self.pack(folder, &outline).await?;
        self.store.put(&folder.object(Name::Packed), log).await?;
        drop(room);
        if has(&objects, Name::Whole) {
            self.store.delete(&folder.object(Name::Whole)).await?;
        }
        self.forget_old(folder).await;
        Ok(self.drop_parts(folder, &objects, 0).await?)
    }

    /// The parts, joined and packed, without having all of them in memory. Only the answer is there whole.
    async fn pack(&self, folder: &Folder, outline: &Outline) -> Result<Bytes, LogError> {
        let broken = |error| LogError::Broken(folder.clone(), error);
        let mut packer = Packer::default();
        for piece in &outline.pieces {
            let bytes = match piece {
                Piece::Gap => Bytes::from_static(Outline::GAP),
                Piece::Part { number, .. } => self.get(folder, Name::Part(*number)).await?.unwrap_or_default(),
            };
            packer = blocking(move || packer.add(&bytes).map(|()| packer)).await.map_err(broken)?;
        }
        blocking(move || packer.finish()).await.map_err(broken)
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

/// Of the room for packing: at least one, and no more than there is.
fn mebibytes(bytes: u64) -> u32 {
    u32::try_from(bytes.div_ceil(MIB)).unwrap_or(u32::MAX).clamp(1, PACKED_AT_ONCE)
}

/// Runs what takes long off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

pub(crate) fn has(objects: &[Object], name: Name) -> bool {
    objects.iter().any(|object| object.name == name)
}

fn is_whole(objects: &[Object]) -> bool {
    has(objects, Name::Packed) || has(objects, Name::Whole)
}

/// The parts' numbers, in order.
fn numbers(objects: &[Object]) -> impl Iterator<Item = u32> {
    objects.iter().filter_map(|object| match object.name {
        Name::Part(number) => Some(number),
        Name::Whole | Name::Packed => None,
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
        let logs = Logs::new(object_store::Directory::new(root.path()), 1024, Some(root.path().to_owned()), 1);
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
        let request = sdk::pipeline_log::LogRequest { key, tail_bytes: None, from: None, max_bytes: None };
        assert_eq!(logs.read(request).await.unwrap().bytes, "xx");
    }

    #[test]
    fn every_log_finds_room_to_be_packed_in() {
        let taken = [0, 1, MIB, MIB + 1, 64 * MIB, 1024 * MIB, u64::MAX].map(mebibytes);
        assert_eq!(taken, [1, 1, 1, 2, 64, PACKED_AT_ONCE, PACKED_AT_ONCE]);
    }

    #[test]
    fn a_full_log_is_cut_once_and_never_inside_a_character() {
        assert_eq!(fit("abc".to_owned(), 0, 3).unwrap(), "abc");
        assert_eq!(fit("abé".to_owned(), 0, 3).unwrap(), "ab\n… this log is cut here: a build keeps 3 bytes …\n");
        assert_eq!(fit("x".to_owned(), 3, 3), None);
        assert_eq!(fit(String::new(), 9, 3).unwrap(), "");
    }
}
