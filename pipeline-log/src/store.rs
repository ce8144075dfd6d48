//! What a store of logs must do. There are two: a directory and an S3 bucket.

use std::future::Future;

use bytes::Bytes;

use crate::log_key::{Folder, Name};

/// An object in a folder, and its length in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Object {
    pub(crate) name: Name,
    pub(crate) bytes: u64,
}

/// A durable store of small objects.
pub(crate) trait Store: Send + Sync + 'static {
    /// Writes an object, or replaces it; others see the old or the new one, and it stays once this returns.
    fn put(&self, folder: &Folder, name: Name, bytes: Bytes) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Reads an object, if it is there.
    fn get(&self, folder: &Folder, name: Name) -> impl Future<Output = Result<Option<Bytes>, StoreError>> + Send;

    /// The objects of a folder, in order; none where there is no such folder.
    fn list(&self, folder: &Folder) -> impl Future<Output = Result<Vec<Object>, StoreError>> + Send;

    /// Removes an object; one that is not there is no error.
    fn delete(&self, folder: &Folder, name: Name) -> impl Future<Output = Result<(), StoreError>> + Send;
}

/// A store that did not do its part.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} {object} in the log store")]
pub(crate) struct StoreError {
    operation: &'static str,
    object: String,
    source: Box<dyn std::error::Error + Send + Sync>,
}

impl StoreError {
    pub(crate) fn new(
        operation: &'static str,
        object: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { operation, object: object.into(), source: source.into() }
    }
}
