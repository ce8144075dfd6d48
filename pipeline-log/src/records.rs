//! What became of pushes, one object each.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

use bytes::Bytes;
use futures_util::StreamExt as _;
use object_store::{Key, Store, StoreError};
use sdk::history::{HistoryRequest, MAX_RECORDS, PushRecord};
use sdk::id::{OwnerId, RepoName};
use tokio::sync::Mutex;

use crate::record_key::{Name, folder_of};

/// So many are kept of each repository, the newest, as of its logs.
const PER_REPOSITORY: usize = 100;
/// And of each owner.
const PER_OWNER: usize = 1000;
/// More objects are never in an owner's folder, also if several processes forget to remove some.
const MAX_OBJECTS: usize = 10 * PER_OWNER;
/// The longest record in bytes; [`PushRecord::bounded`] has less.
const MAX_RECORD: usize = 2 * 1024 * 1024;
/// An answer ends after so many bytes.
const MAX_ANSWER: usize = 4 * 1024 * 1024;
/// Objects that are read at the same time.
const AT_ONCE: usize = 8;
/// Records of one owner are kept one after another.
const LANES: usize = 64;

pub(crate) struct Records<S> {
    store: S,
    lanes: [Mutex<()>; LANES],
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error("the owner's host or number is missing")]
    NoOwner,
    #[error("the time at which the push began is none")]
    NoTime,
    #[error("the record cannot be encoded")]
    Encoding(#[from] serde_json::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<S: Store> Records<S> {
    pub(crate) fn new(store: S) -> Self {
        Self { store, lanes: std::array::from_fn(|_| Mutex::default()) }
    }

    /// Keeps a record, in the place of an earlier one of the same push. A push that is tried again began when it was first
    /// tried.
    pub(crate) async fn keep(&self, record: PushRecord) -> Result<(), RecordError> {
        let mut record = record.bounded();
        let folder = folder_of(&record.owner_id).ok_or(RecordError::NoOwner)?;
        let mut name = Name::of(&record).ok_or(RecordError::NoTime)?;
        let _lane = self.lane(&record.owner_id).lock().await;
        let mut names = self.list(&folder).await?;
        match names.iter().find(|known| known.is_same_push(&name)) {
            Some(known) => {
                record.began = known.began;
                name = known.clone();
            }
            None => {
                names.push(name.clone());
                names.sort_by_key(Name::to_string);
            }
        }
        self.store.put(&object(&folder, &name), Bytes::from(serde_json::to_vec(&record)?)).await?;
        for old in surplus(&names) {
            self.store.delete(&object(&folder, old)).await?;
        }
        Ok(())
    }

    /// The records that are asked for, the newest first.
    pub(crate) async fn history(&self, request: &HistoryRequest) -> Result<Vec<PushRecord>, RecordError> {
        let folder = folder_of(&request.owner_id).ok_or(RecordError::NoOwner)?;
        let limit = request.limit.unwrap_or(MAX_RECORDS).min(MAX_RECORDS);
        let names = self.list(&folder).await?;
        let wanted = names.into_iter().filter(|name| name.is_wanted(request)).take(limit);
        let read = futures_util::stream::iter(wanted.map(|name| self.read(object(&folder, &name))));
        let mut read = read.buffered(AT_ONCE);
        let (mut records, mut bytes) = (Vec::new(), 0);
        while let Some(found) = read.next().await {
            let Some((record, length)) = found? else { continue };
            bytes += length;
            if bytes > MAX_ANSWER && !records.is_empty() {
                break;
            }
            records.push(record);
        }
        Ok(records)
    }

    /// A record and its length in bytes. One that was just removed is none, and one that cannot be read does not hide the
    /// others.
    async fn read(&self, key: Key) -> Result<Option<(PushRecord, usize)>, StoreError> {
        let Some(object) = self.store.get(&key, MAX_RECORD).await? else { return Ok(None) };
        match serde_json::from_slice(&object.bytes) {
            Ok(record) => Ok(Some((record, object.bytes.len()))),
            Err(error) => {
                tracing::warn!(%key, %error, "a record of a push cannot be read");
                Ok(None)
            }
        }
    }

    /// The names of an owner's records, the newest first.
    async fn list(&self, folder: &Key) -> Result<Vec<Name>, StoreError> {
        let listed = self.store.list(folder, MAX_OBJECTS).await?;
        Ok(listed.iter().filter_map(|object| Name::parse(object.key.below(folder)?)).collect())
    }

    fn lane(&self, owner: &OwnerId) -> &Mutex<()> {
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(owner);
        &self.lanes[hash as usize % LANES]
    }
}

#[expect(clippy::expect_used, reason = "a folder and a name are shorter and stricter than a key")]
fn object(folder: &Key, name: &Name) -> Key {
    folder.join(&name.to_string()).expect("a name in a folder makes a key")
}

/// What is not kept of these, which are in order.
fn surplus(names: &[Name]) -> Vec<&Name> {
    let (mut kept, mut of) = (0, HashMap::<&RepoName, usize>::new());
    let surplus = names.iter().filter(|name| {
        let of_this = of.entry(&name.repo).or_default();
        let keep = kept < PER_OWNER && *of_this < PER_REPOSITORY;
        kept += usize::from(keep);
        *of_this += usize::from(keep);
        !keep
    });
    surplus.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_of_each_repository_and_owner_are_kept() {
        let name = |number: u64, repo: String| Name {
            began: 1_000_000 - number,
            sha: "a".repeat(40).parse().unwrap(),
            push: "0".repeat(16),
            repo: repo.parse().unwrap(),
        };
        let one: Vec<_> = (0..103).map(|number| name(number, "one".to_owned())).collect();
        assert_eq!(surplus(&one), one[100..].iter().collect::<Vec<_>>());
        let many: Vec<_> = (0..1005).map(|number| name(number, format!("r{}", number % 50))).collect();
        assert_eq!(surplus(&many), many[1000..].iter().collect::<Vec<_>>());
        assert!(surplus(&one[..100]).is_empty());
    }
}
