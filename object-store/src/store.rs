//! What a store of small objects must do. There are two: a directory and an S3 bucket.

use std::fmt;
use std::future::Future;

use bytes::Bytes;

use crate::key::Key;

/// What an object's bytes are told apart by. Equal bytes may have equal versions, at whatever time they were written.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Version(pub(crate) String);

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An object as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// What is in it.
    pub bytes: Bytes,
    /// What [`Store::put_if`] wants to know to replace just this.
    pub version: Version,
}

/// Some of an object's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// Those that were asked for, as far as there are any.
    pub bytes: Bytes,
    /// The whole object's length in bytes.
    pub whole: u64,
}

/// An object in a list, and its length in bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// Its name.
    pub key: Key,
    /// Its length in bytes.
    pub bytes: u64,
}

/// What must be in a key's place for [`Store::put_if`] to write there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expected {
    /// Nothing.
    Absent,
    /// The object as it was when it had this version.
    Version(Version),
}

/// How a compare-and-swap went.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Swap {
    /// The object is written, and has this version now.
    Done(Version),
    /// Something else is there than was expected, and nothing was written: read it again.
    Conflict,
}

/// A durable store of small objects.
///
/// What a method did stays once it has returned `Ok`; after an error it may have been done or not. Readers see an old object
/// or a new one, never parts of both.
pub trait Store: Send + Sync + 'static {
    /// Writes an object, or replaces it.
    fn put(&self, key: &Key, bytes: Bytes) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Writes an object if what is in its place is what is expected. Of several that expect the same, one gets through.
    fn put_if(
        &self,
        key: &Key,
        bytes: Bytes,
        expected: Expected,
    ) -> impl Future<Output = Result<Swap, StoreError>> + Send;

    /// Reads an object of at most `max` bytes, if it is there.
    fn get(&self, key: &Key, max: usize) -> impl Future<Output = Result<Option<Object>, StoreError>> + Send;

    /// Reads at most `max` bytes of an object from byte `from` on, if it is there, without reading what is before or behind.
    /// From its end on there are none.
    fn get_range(
        &self,
        key: &Key,
        from: u64,
        max: usize,
    ) -> impl Future<Output = Result<Option<Piece>, StoreError>> + Send;

    /// All objects below a folder, in the order of their keys; none where there is no such folder. What has a name that is no
    /// [`Key`] is none of ours. More than `max` are an error, not a list that is cut.
    fn list(&self, folder: &Key, max: usize) -> impl Future<Output = Result<Vec<Listed>, StoreError>> + Send;

    /// Removes an object; one that is not there is no error.
    fn delete(&self, key: &Key) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// A store that did not do its part. All but [`StoreError::Failed`] will be the same at the next try.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The disk or the service refused, or did not answer in time.
    #[error("cannot {operation} {object} in the object store")]
    Failed {
        /// What was to be done.
        operation: &'static str,
        /// The key, folder or bucket.
        object: String,
        /// Why it was not.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// An object that is longer than the caller takes.
    #[error("the object {key} has more than {max} bytes")]
    TooLong {
        /// Its name.
        key: Key,
        /// The bytes that it may have.
        max: usize,
    },
    /// A folder with more in it than the caller takes.
    #[error("there are more than {max} objects in {folder}")]
    TooMany {
        /// The folder.
        folder: Key,
        /// The objects that it may have.
        max: usize,
    },
    /// A service that says yes to every condition: with it, whoever writes last would win.
    #[error(
        "the S3 service of bucket {bucket} ignores If-Match or If-None-Match: use one that honours both, or a directory"
    )]
    IgnoresConditions {
        /// The bucket.
        bucket: String,
    },
}

impl StoreError {
    pub(crate) fn failed(
        operation: &'static str,
        object: impl fmt::Display,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Failed { operation, object: object.to_string(), source: source.into() }
    }
}
