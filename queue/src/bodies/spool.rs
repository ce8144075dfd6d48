//! Taking a body in: in memory while it is small, from then on into a file.

use bytes::{Bytes, BytesMut};
use tempfile::TempPath;
use tokio::fs::File;
use tokio::io::AsyncWriteExt;

use super::{Bodies, Body, BodyName, Reserved};
use crate::call::{Fingerprint, Fingerprinting, Head, NewCall};
use crate::error::QueueError;
use crate::handle::Queue;
use crate::store::Enqueued;

/// A file that a body is written to.
struct Unfinished {
    file: File,
    path: TempPath,
    reserved: Reserved,
}

/// A call whose body comes in. Dropped before its end it leaves nothing behind.
pub struct Spool {
    queue: Queue,
    head: Head,
    fingerprint: Fingerprinting,
    length: u64,
    /// One piece of memory, however small the pieces are that come.
    inline: BytesMut,
    file: Option<Unfinished>,
}

impl Spool {
    pub(crate) fn new(queue: Queue, head: Head) -> Self {
        let fingerprint = Fingerprinting::begin(&head);
        Self { queue, head, fingerprint, length: 0, inline: BytesMut::new(), file: None }
    }

    /// Takes the next piece of the body.
    pub async fn write(&mut self, piece: Bytes) -> Result<(), QueueError> {
        self.fingerprint.add(&piece);
        self.length += piece.len() as u64;
        if self.file.is_none() {
            self.inline.extend_from_slice(&piece);
            if self.length <= self.queue.inline_body() {
                return Ok(());
            }
            let created = self.queue.bodies().create();
            let (file, path, reserved) = created.map_err(|source| self.failed(source))?;
            self.file = Some(Unfinished { file: File::from_std(file), path, reserved });
            let beginning = std::mem::take(&mut self.inline);
            return self.append(&beginning).await;
        }
        self.append(&piece).await
    }

    async fn append(&mut self, piece: &[u8]) -> Result<(), QueueError> {
        let Some(Unfinished { file, reserved, .. }) = &mut self.file else { return Ok(()) };
        reserved.add(piece.len() as u64)?;
        let written = file.write_all(piece).await;
        written.map_err(|source| self.failed(source))
    }

    fn failed(&self, source: std::io::Error) -> QueueError {
        QueueError::body(&self.queue.bodies().directory, source)
    }

    /// Stores the call. When this returns `Ok` it is on the disk.
    pub async fn enqueue(mut self) -> Result<Enqueued, QueueError> {
        if let Some(Unfinished { file, .. }) = &mut self.file {
            let synced = async {
                file.flush().await?;
                file.sync_all().await
            };
            let synced = synced.await;
            synced.map_err(|source| self.failed(source))?;
        }
        let queue = self.queue.clone();
        // Goes to its end even if whoever waits for it leaves: neither a stored call that nobody was told of, nor a
        // file that nobody removes.
        let stored = tokio::spawn(async move {
            let Self { queue, head, fingerprint, length, inline, file } = self;
            let fingerprint = fingerprint.end();
            let body = match file {
                Some(file) => keep(queue.bodies(), file, &fingerprint, length).await?,
                None => Body::inline(inline.freeze()),
            };
            queue.store_call(NewCall { head, body, fingerprint }).await
        });
        drop(queue);
        stored.await.map_err(|_| QueueError::Closed)?
    }
}

async fn keep(bodies: &Bodies, file: Unfinished, fingerprint: &Fingerprint, length: u64) -> Result<Body, QueueError> {
    let name = BodyName::new(fingerprint)
        .map_err(|error| QueueError::body(&bodies.directory, std::io::Error::other(error.to_string())))?;
    bodies.keep(file.path, &name).await?;
    file.reserved.keep();
    Ok(bodies.body(&name, length))
}
