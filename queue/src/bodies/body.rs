//! A stored body, and reading it.

use std::io;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use futures_util::Stream;
use http_body::{Frame, SizeHint};
use tokio::fs::File;
use tokio_util::io::ReaderStream;

use super::BodyName;

/// What is read from a file at once.
const CHUNK: usize = 64 << 10;

/// The body of a call: in memory, or in a file if it is large.
#[derive(Debug, Clone)]
pub struct Body(Place);

#[derive(Debug, Clone)]
enum Place {
    Inline(Bytes),
    File { path: PathBuf, name: BodyName, length: u64 },
}

impl Body {
    pub(crate) fn inline(bytes: Bytes) -> Self {
        Self(Place::Inline(bytes))
    }

    pub(crate) fn file(path: PathBuf, name: BodyName, length: u64) -> Self {
        Self(Place::File { path, name, length })
    }

    /// Its length in bytes.
    pub fn length(&self) -> u64 {
        match &self.0 {
            Place::Inline(bytes) => bytes.len() as u64,
            Place::File { length, .. } => *length,
        }
    }

    /// The file it is in, if it is in one.
    pub fn path(&self) -> Option<&Path> {
        match &self.0 {
            Place::Inline(_) => None,
            Place::File { path, .. } => Some(path),
        }
    }

    /// What the store itself is to keep of it.
    pub(crate) fn inlined(&self) -> Bytes {
        match &self.0 {
            Place::Inline(bytes) => bytes.clone(),
            Place::File { .. } => Bytes::new(),
        }
    }

    pub(crate) fn name(&self) -> Option<&BodyName> {
        match &self.0 {
            Place::Inline(_) => None,
            Place::File { name, .. } => Some(name),
        }
    }

    /// Reads it from its beginning.
    pub async fn open(&self) -> io::Result<BodyStream> {
        Ok(BodyStream(match &self.0 {
            Place::Inline(bytes) => Source::Inline(bytes.clone()),
            Place::File { path, length, .. } => {
                Source::File { chunks: ReaderStream::with_capacity(File::open(path).await?, CHUNK), left: *length }
            }
        }))
    }
}

/// A stored body on its way out.
#[derive(Debug)]
pub struct BodyStream(Source);

#[derive(Debug)]
enum Source {
    Inline(Bytes),
    File { chunks: ReaderStream<File>, left: u64 },
}

impl http_body::Body for BodyStream {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        match &mut self.0 {
            Source::Inline(bytes) if bytes.is_empty() => Poll::Ready(None),
            Source::Inline(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Source::File { chunks, left } => {
                let chunk = match ready!(Pin::new(chunks).poll_next(context)) {
                    Some(Ok(chunk)) if chunk.len() as u64 <= *left => chunk,
                    Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                    None if *left == 0 => return Poll::Ready(None),
                    // Sent as it is, it would pass for the whole.
                    _ => return Poll::Ready(Some(Err(changed()))),
                };
                *left -= chunk.len() as u64;
                Poll::Ready(Some(Ok(Frame::data(chunk))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Source::Inline(bytes) => bytes.is_empty(),
            Source::File { left, .. } => *left == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(match &self.0 {
            Source::Inline(bytes) => bytes.len() as u64,
            Source::File { left, .. } => *left,
        })
    }
}

fn changed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the stored body has not the length it was stored with")
}
