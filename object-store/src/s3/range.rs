//! Some of an object's bytes, by an HTTP range.

use aws_sdk_s3::error::ProvideErrorMetadata as _;
use bytes::{Bytes, BytesMut};

use super::{Bucket, failed, is_absent};
use crate::key::Key;
use crate::store::{Piece, StoreError};

impl Bucket {
    pub(super) async fn read_range(&self, key: &Key, from: u64, max: usize) -> Result<Option<Piece>, StoreError> {
        // A number that no service takes for a byte's is behind every object.
        if max == 0 || from > i64::MAX as u64 / 2 {
            return self.length(key).await.map(nothing_of);
        }
        // Both ends are in it; the service takes one behind the object for the object's end.
        let range = format!("bytes={from}-{}", from.saturating_add(max as u64 - 1));
        let asked = self.client.get_object().bucket(&self.bucket).key(key.as_str()).range(range).send().await;
        let mut object = match asked {
            Ok(object) => object,
            Err(error) if is_absent(&error) => return Ok(None),
            // There is no such byte, so there is nothing to send.
            Err(error) if error.code() == Some("InvalidRange") => return self.length(key).await.map(nothing_of),
            Err(error) => return Err(failed("read", key.as_str(), error)),
        };
        let Some(whole) = object.content_range().and_then(length_in) else {
            return Err(StoreError::failed("read", key, "the service does not answer with a range"));
        };
        let mut bytes = BytesMut::new();
        while let Some(part) = object.body.next().await {
            bytes.extend_from_slice(&part.map_err(|error| StoreError::failed("read", key, error))?);
            if bytes.len() > max {
                return Err(StoreError::failed("read", key, "the service sends more than was asked for"));
            }
        }
        Ok(Some(Piece { bytes: bytes.freeze(), whole }))
    }

    /// The object's length in bytes, if it is there.
    async fn length(&self, key: &Key) -> Result<Option<u64>, StoreError> {
        match self.client.head_object().bucket(&self.bucket).key(key.as_str()).send().await {
            Ok(head) => Ok(Some(head.content_length().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or_default())),
            Err(error) if is_absent(&error) || error.as_service_error().is_some_and(|e| e.is_not_found()) => Ok(None),
            Err(error) => Err(failed("read", key.as_str(), error)),
        }
    }
}

fn nothing_of(whole: Option<u64>) -> Option<Piece> {
    whole.map(|whole| Piece { bytes: Bytes::new(), whole })
}

/// The length in `bytes 0-9/1234`.
fn length_in(content_range: &str) -> Option<u64> {
    content_range.rsplit_once('/')?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_length_stands_behind_the_range() {
        assert_eq!(length_in("bytes 0-9/1234"), Some(1234));
        for text in ["", "bytes 0-9", "bytes 0-9/*", "bytes */-1"] {
            assert_eq!(length_in(text), None, "{text}");
        }
    }
}
