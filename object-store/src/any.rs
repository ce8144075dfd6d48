//! The store that the configuration names.

use std::path::PathBuf;

use bytes::Bytes;
use sdk::{Invalid, Reader};

use crate::directory::Directory;
use crate::key::Key;
#[cfg(feature = "s3")]
use crate::s3::{Bucket, BucketConfig};
use crate::store::{Expected, Listed, Object, Piece, Store, StoreError, Swap};

/// What a service calls its variables.
#[derive(Debug, Clone, Copy)]
pub struct Variables {
    /// The one that says `directory` (default) or `s3`: `record_store`.
    pub store: &'static str,
    /// The one that names the directory: `record_directory`.
    pub directory: &'static str,
    /// The bucket where `s3_bucket` says nothing.
    pub bucket: &'static str,
}

/// Where objects are kept.
pub enum Place {
    /// A directory of this machine.
    Directory(PathBuf),
    /// `s3_url` and what goes with it.
    #[cfg(feature = "s3")]
    S3(Box<BucketConfig>),
}

impl Place {
    /// Reads the variables.
    ///
    /// # Errors
    /// When one is missing or malformed; the reader knows which.
    pub fn read(r: &Reader<'_>, names: Variables) -> Result<Self, Invalid> {
        match r.or(names.store, "directory".to_owned())?.as_str() {
            "directory" => r.required(names.directory).map(Self::Directory),
            #[cfg(feature = "s3")]
            "s3" => BucketConfig::read(r, names.bucket).map(Box::new).map(Self::S3),
            #[cfg(not(feature = "s3"))]
            "s3" => Err(r.invalid(names.store, "is s3, and this program was built without the feature 's3'")),
            other => Err(r.invalid(names.store, format!("'{other}' is neither directory nor s3"))),
        }
    }

    /// The store.
    pub fn open(self) -> AnyStore {
        match self {
            Self::Directory(root) => AnyStore::Directory(Directory::new(root)),
            #[cfg(feature = "s3")]
            Self::S3(config) => AnyStore::Bucket(Box::new(Bucket::new(*config))),
        }
    }
}

/// One of the stores that there are.
#[derive(Clone)]
pub enum AnyStore {
    /// A directory.
    Directory(Directory),
    /// An S3 bucket.
    #[cfg(feature = "s3")]
    Bucket(Box<Bucket>),
}

/// Calls a method of whichever store it is.
macro_rules! of_each {
    ($self:ident, $store:ident => $call:expr) => {
        match $self {
            AnyStore::Directory($store) => $call.await,
            #[cfg(feature = "s3")]
            AnyStore::Bucket($store) => $call.await,
        }
    };
}

impl Store for AnyStore {
    async fn put(&self, key: &Key, bytes: Bytes) -> Result<(), StoreError> {
        of_each!(self, store => store.put(key, bytes))
    }

    async fn put_if(&self, key: &Key, bytes: Bytes, expected: Expected) -> Result<Swap, StoreError> {
        of_each!(self, store => store.put_if(key, bytes, expected))
    }

    async fn get(&self, key: &Key, max: usize) -> Result<Option<Object>, StoreError> {
        of_each!(self, store => store.get(key, max))
    }

    async fn get_range(&self, key: &Key, from: u64, max: usize) -> Result<Option<Piece>, StoreError> {
        of_each!(self, store => store.get_range(key, from, max))
    }

    async fn list(&self, folder: &Key, max: usize) -> Result<Vec<Listed>, StoreError> {
        of_each!(self, store => store.list(folder, max))
    }

    async fn delete(&self, key: &Key) -> Result<(), StoreError> {
        of_each!(self, store => store.delete(key))
    }
}
