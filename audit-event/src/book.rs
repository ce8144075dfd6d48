//! The trail that owners read: one object for each event, in a folder of each owner's.

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use object_store::{AnyStore, Key, Store as _, StoreError};
use sdk::audit::{AuditAnswer, AuditEvent, AuditRequest, MAX_EVENTS};

use crate::book_key::{Name, folder_of};

/// So many are kept of each owner, the newest.
pub(crate) const KEPT: usize = 1000;
/// One event in so many looks for what is too much, so that to keep one costs no list of a thousand.
const LOOK: u64 = 64;
/// So many go at once; what is still too much goes with the next look.
const REMOVED: usize = 256;
/// A list with more than that is an error: many looks must have failed.
const MAX_OBJECTS: usize = 100_000;
/// The longest event in bytes; [`make_plain`](crate::record) leaves less.
const MAX_EVENT: usize = 256 * 1024;
/// Objects that are read or removed at the same time.
const AT_ONCE: usize = 8;

/// Cloning shares it.
#[derive(Clone)]
pub(crate) struct Book {
    store: AnyStore,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum BookError {
    #[error("the owner's host or number is missing")]
    NoOwner,
    #[error("the event cannot be encoded")]
    Encoding(#[from] serde_json::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Book {
    pub(crate) fn new(store: AnyStore) -> Self {
        Self { store }
    }

    /// Keeps an event of a proven owner; the same one again is the same object. Others are not for this book.
    pub(crate) async fn keep(&self, event: &AuditEvent) -> Result<(), BookError> {
        let Some(folder) = event.owner_id.as_ref().and_then(folder_of) else { return Ok(()) };
        let bytes = serde_json::to_vec(event)?;
        let Some(name) = Name::of(event, &bytes) else { return Ok(()) };
        self.store.put(&object(&folder, &name), Bytes::from(bytes)).await?;
        if name.mark.sum.is_multiple_of(LOOK)
            && let Err(error) = self.thin_out(&folder).await
        {
            // The event itself is kept, and another one looks again.
            tracing::warn!(%folder, error = sdk::failure::chain(&error), "old audit events could not be removed");
        }
        Ok(())
    }

    async fn thin_out(&self, folder: &Key) -> Result<(), StoreError> {
        let names = self.list(folder).await?;
        let surplus: Vec<_> = names.iter().skip(KEPT).rev().take(REMOVED).map(|name| object(folder, name)).collect();
        let removed = surplus.into_iter().map(|key| async move { self.store.delete(&key).await });
        stream::iter(removed).buffer_unordered(AT_ONCE).try_collect().await
    }

    /// A page of an owner's events, the newest first. What is yet to be thinned out is in none.
    pub(crate) async fn read(&self, request: &AuditRequest) -> Result<AuditAnswer, BookError> {
        let folder = folder_of(&request.owner_id).ok_or(BookError::NoOwner)?;
        let limit = request.limit.unwrap_or(MAX_EVENTS).clamp(1, MAX_EVENTS);
        let names = self.list(&folder).await?;
        let mut wanted: Vec<_> = names.into_iter().take(KEPT).filter(|name| name.is_wanted(request)).collect();
        let has_more = wanted.len() > limit;
        wanted.truncate(limit);
        let older = wanted.last().filter(|_| has_more).map(|name| name.mark);
        let read = stream::iter(wanted.into_iter().map(|name| self.get(object(&folder, &name)))).buffered(AT_ONCE);
        let events: Vec<_> = read.try_filter_map(|event| std::future::ready(Ok(event))).try_collect().await?;
        let theirs = events.into_iter().filter(|event: &AuditEvent| event.owner_id.as_ref() == Some(&request.owner_id));
        Ok(AuditAnswer { events: theirs.collect(), older })
    }

    /// One that was just removed is none, and one that cannot be read does not hide the others.
    async fn get(&self, key: Key) -> Result<Option<AuditEvent>, StoreError> {
        let Some(object) = self.store.get(&key, MAX_EVENT).await? else { return Ok(None) };
        match serde_json::from_slice(&object.bytes) {
            Ok(event) => Ok(Some(event)),
            Err(error) => {
                tracing::warn!(%key, %error, "an audit event cannot be read");
                Ok(None)
            }
        }
    }

    /// The names of an owner's events, the newest first.
    async fn list(&self, folder: &Key) -> Result<Vec<Name>, StoreError> {
        let listed = self.store.list(folder, MAX_OBJECTS).await?;
        Ok(listed.iter().filter_map(|object| Name::parse(object.key.below(folder)?)).collect())
    }
}

#[expect(clippy::expect_used, reason = "a folder and a name are shorter and stricter than a key")]
fn object(folder: &Key, name: &Name) -> Key {
    folder.join(&name.to_string()).expect("a name in a folder makes a key")
}
