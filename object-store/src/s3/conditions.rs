//! Whether a service honours conditions. Several that speak S3 do not know `If-Match` and write all the same, so that two
//! writers would overwrite each other in silence. It is tried once, on an object of our own.

use bytes::Bytes;

use super::Bucket;
use crate::store::{Expected, StoreError, Swap, Version};

/// An object that is no log and no record; its name begins with a dot, so that no key is equal.
const OBJECT: &str = ".conditions";

impl Bucket {
    /// # Errors
    /// When the service ignores a condition, or does not answer.
    pub(super) async fn try_conditions(&self) -> Result<(), StoreError> {
        let bytes = || Bytes::from_static(b"tells whether this service honours If-Match and If-None-Match\n");
        // It may be there from an earlier start, and several may try at once: either way, the second is a conflict.
        let _ = self.swap(OBJECT, bytes(), &Expected::Absent).await?;
        let again = self.swap(OBJECT, bytes(), &Expected::Absent).await?;
        let nobodys = Expected::Version(Version("\"00000000000000000000000000000000\"".to_owned()));
        let other = self.swap(OBJECT, bytes(), &nobodys).await?;
        if (again, other) == (Swap::Conflict, Swap::Conflict) {
            Ok(())
        } else {
            Err(StoreError::IgnoresConditions { bucket: self.bucket.clone() })
        }
    }
}
