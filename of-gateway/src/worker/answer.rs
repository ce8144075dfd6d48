//! A function's answer to a queued call, kept until its callback has been made.

use std::io;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::fs::File;
use tokio::io::{AsyncSeekExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_util::io::ReaderStream;

use crate::reply::Reply;

/// The largest answer that is sent on to a callback.
const MOST: u64 = 64 << 20;
/// Larger answers are kept in a file.
const IN_MEMORY: u64 = 256 << 10;

/// A whole answer, or the beginning of one that nobody wants.
pub(super) enum Kept {
    Memory(Bytes),
    /// Without a name, so it is gone with the process, however that ends.
    File(File),
}

/// Why an answer is not kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotKept {
    #[error("the answer broke off: {0}")]
    BrokenOff(Box<dyn std::error::Error + Send + Sync>),
    #[error("the function paused in its answer for longer than {0:?}")]
    Stalled(Duration),
    /// The same answer would come again.
    #[error("the answer has more than the {MOST} bytes that are sent on to a callback")]
    TooLarge,
    #[error("the answer cannot be kept for its callback")]
    Disk(#[from] io::Error),
}

impl Kept {
    pub(super) const fn nothing() -> Self {
        Self::Memory(Bytes::new())
    }

    /// Reads a body to its end: breaking off would cancel the function. Only its beginning is kept if nobody wants
    /// the whole. Between two parts of it there may be a pause, however many they are.
    pub(super) async fn read(mut body: Reply, whole: bool, folder: &Path, pause: Duration) -> Result<Self, NotKept> {
        let (mut memory, mut file, mut length) = (Vec::new(), None::<File>, 0);
        while let Some(frame) = timeout(pause, body.frame()).await.map_err(|_| NotKept::Stalled(pause))? {
            let Ok(data) = frame.map_err(NotKept::BrokenOff)?.into_data() else { continue };
            if !whole {
                if memory.is_empty() {
                    memory = data.to_vec();
                }
                continue;
            }
            length += data.len() as u64;
            if length > MOST {
                return Err(NotKept::TooLarge);
            }
            match &mut file {
                Some(file) => file.write_all(&data).await?,
                None if length <= IN_MEMORY => memory.extend_from_slice(&data),
                None => {
                    let new = file.insert(File::from_std(tempfile::tempfile_in(folder)?));
                    new.write_all(&std::mem::take(&mut memory)).await?;
                    new.write_all(&data).await?;
                }
            }
        }
        match file {
            Some(mut file) => {
                file.flush().await?;
                Ok(Self::File(file))
            }
            None => Ok(Self::Memory(memory.into())),
        }
    }

    /// The first bytes, for people.
    pub(super) fn beginning(&self) -> &[u8] {
        match self {
            Self::Memory(bytes) => &bytes[..bytes.len().min(500)],
            Self::File(_) => &[],
        }
    }

    /// To be sent, once more each time.
    pub(super) async fn body(&self) -> io::Result<reqwest::Body> {
        match self {
            Self::Memory(bytes) => Ok(bytes.clone().into()),
            Self::File(file) => {
                let mut file = file.try_clone().await?;
                file.rewind().await?;
                Ok(reqwest::Body::wrap_stream(ReaderStream::new(file)))
            }
        }
    }

    pub(super) async fn length(&self) -> io::Result<u64> {
        match self {
            Self::Memory(bytes) => Ok(bytes.len() as u64),
            Self::File(file) => Ok(file.metadata().await?.len()),
        }
    }
}
