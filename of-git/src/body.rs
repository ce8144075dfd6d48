//! Request bodies of git clients: perhaps compressed, always counted.

use std::io::Write;

use axum::body::{Body, BodyDataStream};
use bytes::Bytes;
use flate2::write::GzDecoder;
use futures_util::StreamExt;
use http::{HeaderMap, header};

/// Compressed bytes are unpacked in parts of this size, so that one part can never become more than a few MiB.
const PART: usize = 4096;

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    /// The client went away or broke the protocol.
    #[error("the request's body broke off")]
    Broken(#[source] axum::Error),
    /// It is no gzip stream.
    #[error("the request's body is no valid gzip stream")]
    Gzip(#[source] std::io::Error),
    /// Some other encoding.
    #[error("the request's body may be plain or gzip")]
    Encoding,
}

/// A body, unpacked while it comes.
pub(crate) struct PushBody {
    stream: BodyDataStream,
    decoder: Option<GzDecoder<Vec<u8>>>,
    packed: Bytes,
    /// How many bytes have been handed out.
    pub(crate) taken: u64,
}

impl PushBody {
    /// Wraps the body that came with these headers.
    pub(crate) fn new(headers: &HeaderMap, body: Body) -> Result<Self, BodyError> {
        let decoder = match headers.get(header::CONTENT_ENCODING).map(|value| value.as_bytes()) {
            None | Some(b"identity") => None,
            Some(b"gzip" | b"x-gzip") => Some(GzDecoder::new(Vec::new())),
            Some(_) => return Err(BodyError::Encoding),
        };
        Ok(Self { stream: body.into_data_stream(), decoder, packed: Bytes::new(), taken: 0 })
    }

    /// The next bytes; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            if self.packed.is_empty() {
                match self.stream.next().await {
                    Some(chunk) => self.packed = chunk.map_err(BodyError::Broken)?,
                    None => return self.end(),
                }
            }
            let chunk = self.unpack()?;
            if !chunk.is_empty() {
                self.taken += chunk.len() as u64;
                return Ok(Some(chunk));
            }
        }
    }

    fn unpack(&mut self) -> Result<Bytes, BodyError> {
        let Some(decoder) = &mut self.decoder else { return Ok(std::mem::take(&mut self.packed)) };
        let part = self.packed.split_to(self.packed.len().min(PART));
        decoder.write_all(&part).map_err(BodyError::Gzip)?;
        Ok(std::mem::take(decoder.get_mut()).into())
    }

    fn end(&mut self) -> Result<Option<Bytes>, BodyError> {
        let Some(decoder) = self.decoder.take() else { return Ok(None) };
        let rest = decoder.finish().map_err(BodyError::Gzip)?;
        self.taken += rest.len() as u64;
        Ok(if rest.is_empty() { None } else { Some(rest.into()) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(encoding: Option<&'static str>, content: Vec<u8>) -> Result<Vec<u8>, BodyError> {
        let headers: HeaderMap = encoding.into_iter().map(|e| (header::CONTENT_ENCODING, e.parse().unwrap())).collect();
        let mut body = PushBody::new(&headers, Body::from(content))?;
        let mut all = Vec::new();
        while let Some(chunk) = body.next().await? {
            all.extend_from_slice(&chunk);
        }
        assert_eq!(all.len() as u64, body.taken);
        Ok(all)
    }

    #[tokio::test]
    async fn plain_and_compressed_bodies_read_the_same() {
        let text = b"0032want".repeat(10_000);
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&text).unwrap();
        assert_eq!(read(Some("gzip"), encoder.finish().unwrap()).await.unwrap(), text);
        assert_eq!(read(None, text.clone()).await.unwrap(), text);
    }

    #[tokio::test]
    async fn other_encodings_and_broken_ones_are_refused() {
        assert!(matches!(read(Some("br"), vec![]).await, Err(BodyError::Encoding)));
        assert!(matches!(read(Some("gzip"), b"no gzip".to_vec()).await, Err(BodyError::Gzip(_))));
    }
}
