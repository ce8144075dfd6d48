//! What of a long answer is not read at once. It is read piece by piece while it is sent, so that a long log needs no more memory
//! than a short one, however slowly somebody reads it, and holds up nobody who writes it.

use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures_util::{Stream, StreamExt as _, stream};
use object_store::Store;

use crate::log_key::Folder;
use crate::logs::{LogError, Logs};
use crate::reading::Answer;

/// The answer's bytes and what follows them. It breaks off if the log is begun again meanwhile.
pub(crate) fn body<S: Store>(logs: Arc<Logs<S>>, folder: Folder, answer: &Answer) -> Body {
    let position = answer.start + answer.bytes.len() as u64;
    if position >= answer.end {
        return Body::from(answer.bytes.clone());
    }
    let first = answer.bytes.clone();
    let rest = Rest { logs, folder, position, end: answer.end, open: answer.open };
    Body::from_stream(stream::once(async { Ok(first) }).chain(rest.stream()))
}

struct Rest<S> {
    logs: Arc<Logs<S>>,
    folder: Folder,
    position: u64,
    end: u64,
    /// Whether the build was under way when it was looked at last.
    open: bool,
}

impl<S: Store> Rest<S> {
    fn stream(self) -> impl Stream<Item = Result<Bytes, LogError>> + Send {
        stream::try_unfold(self, |mut rest| async move {
            let next = rest.next().await.inspect_err(|error| {
                let error = sdk::failure::chain(error);
                tracing::warn!(log = %rest.folder, error, "a log that is read is broken off");
            });
            Ok(next?.map(|bytes| (bytes, rest)))
        })
    }

    async fn next(&mut self) -> Result<Option<Bytes>, LogError> {
        if self.position >= self.end {
            return Ok(None);
        }
        let answer = self.logs.more(&self.folder, self.position, self.end, self.open).await?;
        // Less than the lengths promised: it went while it was read.
        if answer.bytes.is_empty() {
            return Err(LogError::BegunAgain(self.folder.clone()));
        }
        self.open = answer.open;
        self.position += answer.bytes.len() as u64;
        Ok(Some(answer.bytes))
    }
}
