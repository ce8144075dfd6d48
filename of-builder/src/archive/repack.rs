//! The checked context as a new tar, streamed to the engine while it is written.

use std::fs::File;
use std::io::{self, Read, Write};

use bytes::{Bytes, BytesMut};
use tar::{Builder, Entry, EntryType, Header};
use tokio::sync::mpsc;

use super::path::{self, Place};
use super::{Kind, kind, open};

const CHUNK_BYTES: usize = 64 * 1024;
const CHUNKS_WAITING: usize = 16;

/// Starts writing the context of an archive that [`super::inspect`] has accepted. The writer stops when the
/// receiver is dropped.
pub(crate) fn context(file: File) -> mpsc::Receiver<io::Result<Bytes>> {
    let (chunks, received) = mpsc::channel(CHUNKS_WAITING);
    tokio::task::spawn_blocking(move || {
        if let Err(error) = write(&file, Chunks { chunks: chunks.clone(), waiting: BytesMut::new() }) {
            // The receiver may be gone, and that may be the error.
            let _ = chunks.blocking_send(Err(error));
        }
    });
    received
}

fn write(file: &File, chunks: Chunks) -> io::Result<()> {
    let mut tar = Builder::new(chunks);
    let mut archive = open(file).map_err(io::Error::other)?;
    for entry in archive.entries_with_seek()? {
        let mut entry = entry?;
        let place = path::place(&entry.path_bytes(), usize::MAX).map_err(io::Error::other)?;
        let kind = kind::of(&entry, &place).map_err(io::Error::other)?;
        if let Place::Context(path) = place {
            append(&mut tar, &mut entry, &path, kind)?;
        }
    }
    tar.into_inner()?.flush()
}

fn append<R: Read>(tar: &mut Builder<Chunks>, entry: &mut Entry<'_, R>, path: &str, kind: Kind) -> io::Result<()> {
    let mut header = Header::new_gnu();
    // The owner and special bits of the sender's machine mean nothing in an image.
    header.set_uid(0);
    header.set_gid(0);
    header.set_mode(entry.header().mode().unwrap_or(0o644) & 0o777);
    header.set_mtime(entry.header().mtime().unwrap_or_default());
    match kind {
        Kind::File => {
            header.set_size(entry.size());
            tar.append_data(&mut header, path, entry)
        }
        Kind::Folder => {
            header.set_entry_type(EntryType::Directory);
            header.set_size(0);
            tar.append_data(&mut header, path, io::empty())
        }
        Kind::Link(target) => {
            header.set_entry_type(EntryType::Symlink);
            header.set_size(0);
            tar.append_link(&mut header, path, target)
        }
    }
}

/// Gathers small writes into chunks worth sending.
struct Chunks {
    chunks: mpsc::Sender<io::Result<Bytes>>,
    waiting: BytesMut,
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.waiting.extend_from_slice(bytes);
        if self.waiting.len() >= CHUNK_BYTES {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let chunk = self.waiting.split().freeze();
        self.chunks.blocking_send(Ok(chunk)).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }
}
