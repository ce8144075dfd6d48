//! Where records are kept, and who may change one: one message of this process at a time for each owner, and of all
//! processes the one that saw the record last.

use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};
use std::time::Duration;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use object_store::{AnyStore, Expected, Key, Place, Store as _, Swap, Variables};
use sdk::id::{Owner, OwnerId};
use sdk::{Invalid, Reader, labels};
use tokio::sync::{Mutex, MutexGuard};

use crate::problem::Problem;
use crate::record::Record;

/// The variables that say where.
const VARIABLES: Variables = Variables { store: "record_store", directory: "record_directory", bucket: "secrets" };
/// The folder of all records. No login has such a name, so that logs can be in the same bucket.
const FOLDER: &str = "_secrets";
/// The longest record, in bytes.
const MAX_RECORD: usize = 32 * 1024 * 1024;
/// More owners than this are not looked through.
const MAX_OWNERS: usize = 20_000;
/// So many records are read at once.
const AT_ONCE: usize = 16;
/// Owners share so many locks.
const LANES: usize = 64;
/// A message waits so long for the one before it.
const PATIENCE: Duration = Duration::from_secs(25);

/// All records.
pub(crate) struct Records {
    store: AnyStore,
    folder: Key,
    /// True where no other process can be at work on the same records.
    alone: bool,
    lanes: [Mutex<()>; LANES],
}

/// A record that is worked on.
#[derive(Debug)]
pub(crate) struct Open {
    /// As it is to be.
    pub(crate) record: Record,
    saved: Record,
    key: Key,
    expected: Expected,
}

impl Records {
    /// Reads `record_store` and what goes with it.
    ///
    /// # Errors
    /// When a variable is missing or malformed; the reader knows which.
    pub(crate) fn read(r: &Reader<'_>) -> Result<Self, Invalid> {
        let place = Place::read(r, VARIABLES)?;
        let folder = Key::new(FOLDER).map_err(|error| r.invalid("record_store", error.to_string()))?;
        let alone = matches!(place, Place::Directory(_));
        Ok(Self { store: place.open(), folder, alone, lanes: std::array::from_fn(|_| Mutex::default()) })
    }

    /// Whether no other process works on the same records: a directory belongs to one.
    pub(crate) fn are_ours_alone(&self) -> bool {
        self.alone
    }

    /// An owner's turn.
    ///
    /// # Errors
    /// When the messages before this one take too long.
    pub(crate) async fn turn(&self, owner: &OwnerId) -> Result<MutexGuard<'_, ()>, Problem> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(owner);
        let lane = self.lanes[hash as usize % LANES].lock();
        tokio::time::timeout(PATIENCE, lane).await.map_err(|_| Problem::Busy(Duration::from_secs(5)))
    }

    /// The owner's record, or a new one.
    ///
    /// # Errors
    /// When the store does not answer, or the record is not understood.
    pub(crate) async fn open(&self, owner: &OwnerId, login: &Owner) -> Result<Open, Problem> {
        let key = self.folder.join(&format!("{}/{}.json", labels::value(&owner.host), owner.id));
        let key = key.map_err(|error| Problem::Invalid(error.to_string()))?;
        let (record, expected) = match self.store.get(&key, MAX_RECORD).await? {
            Some(object) => (parse(&object.bytes)?, Expected::Version(object.version)),
            None => (Record::new(owner.clone(), login.clone()), Expected::Absent),
        };
        if record.owner != *owner {
            return Err(Problem::Damaged(format!("{key} is another owner's").into()));
        }
        Ok(Open { saved: record.clone(), record, key, expected })
    }

    /// Keeps a record, if it is another than before.
    ///
    /// # Errors
    /// When the store does not take it, it is too long, or another process has changed it in the meantime.
    pub(crate) async fn save(&self, open: &mut Open) -> Result<(), Problem> {
        if open.record == open.saved {
            return Ok(());
        }
        let bytes = serde_json::to_vec(&open.record).map_err(|error| Problem::Damaged(error.into()))?;
        if bytes.len() > MAX_RECORD {
            // It could be written, and never be read again.
            return Err(Problem::TooLarge);
        }
        match self.store.put_if(&open.key, bytes.into(), open.expected.clone()).await? {
            Swap::Done(version) => {
                open.expected = Expected::Version(version);
                open.saved = open.record.clone();
                Ok(())
            }
            Swap::Conflict => Err(Problem::Changed),
        }
    }

    /// What `pick` takes of each record there is; no more of them is kept in memory.
    ///
    /// # Errors
    /// When the store does not answer, or one of them is not understood.
    pub(crate) async fn pick<T>(&self, pick: impl Fn(Record) -> Option<T>) -> Result<Vec<T>, Problem> {
        let listed = self.store.list(&self.folder, MAX_OWNERS).await?;
        let read = |key: Key| async move { self.store.get(&key, MAX_RECORD).await };
        let mut objects = stream::iter(listed).map(|listed| read(listed.key)).buffer_unordered(AT_ONCE);
        let mut picked = Vec::new();
        while let Some(object) = objects.try_next().await? {
            if let Some(object) = object {
                picked.extend(pick(parse(&object.bytes)?));
            }
        }
        Ok(picked)
    }
}

fn parse(bytes: &[u8]) -> Result<Record, Problem> {
    // What is wrong with it, and where, but nothing of what is in it.
    let place = |error: serde_json::Error| {
        format!("{:?} in line {}, column {}", error.classify(), error.line(), error.column())
    };
    serde_json::from_slice(bytes).map_err(|error| Problem::Damaged(place(error).into()))
}
