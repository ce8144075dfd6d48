#![doc = include_str!("../README.md")]

mod any;
mod directory;
mod key;
#[cfg(feature = "s3")]
mod s3;
mod store;
#[cfg(any(test, feature = "test-servers"))]
pub mod test_servers;
#[cfg(all(test, feature = "s3"))]
mod tests;

pub use any::{AnyStore, Place, Variables};
pub use directory::Directory;
pub use key::{InvalidKey, Key};
#[cfg(feature = "s3")]
pub use s3::{Bucket, BucketConfig};
pub use store::{Expected, Listed, Object, Piece, Store, StoreError, Swap, Version};
