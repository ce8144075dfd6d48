//! A log as it grows. A follower sleeps until a part is kept; only where another process may keep one does a follower's
//! log, however many follow it, look into the store each second.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures_util::Stream;
use object_store::Store;
use sdk::pipeline_log::{BEGUN_AGAIN, LogRequest};
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, timeout_at};

use crate::log_key::Folder;
use crate::logs::{LogError, Logs};
use crate::reading::Answer;
use crate::topics::{Change, Chunk, Topic};

/// How much of a log is read and sent at once, in bytes: what a follower who does not read holds in memory.
const CHUNK: u64 = 64 * 1024;
/// How often the store is asked whether another process kept a part.
const LOOK: Duration = Duration::from_secs(1);

/// Somebody who follows a log.
pub(crate) struct Follower<S> {
    logs: Arc<Logs<S>>,
    folder: Folder,
    topic: Arc<Topic>,
    changes: watch::Receiver<Change>,
    position: u64,
    tries: u64,
    until: Instant,
    _place: OwnedSemaphorePermit,
}

impl<S: Store> Follower<S> {
    /// Begins to follow a log for at most `time`. The answer says where, and has no bytes.
    pub(crate) async fn begin(
        logs: Arc<Logs<S>>,
        request: LogRequest,
        time: Duration,
    ) -> Result<(Self, Answer), LogError> {
        if request.max_bytes.is_some() {
            return Err(LogError::Contradiction("a log is followed to its end: max_bytes is for /read"));
        }
        let place = logs.topics.place().ok_or(LogError::TooManyFollowers(logs.topics.max))?;
        let folder = Folder::of(&request.key);
        let (topic, is_new) = logs.topics.join(&folder);
        let changes = topic.changes.subscribe();
        // If the log is begun again before it is looked at, the follower begins again.
        let tries = changes.borrow().tries;
        let answer = logs.read(LogRequest { max_bytes: Some(0), ..request }).await?;
        if is_new && logs.is_shared() {
            tokio::spawn(look(Arc::downgrade(&logs), folder.clone(), Arc::downgrade(&topic)));
        }
        let (position, until) = (answer.start, Instant::now() + time);
        Ok((Self { logs, folder, topic, changes, position, tries, until, _place: place }, answer))
    }

    /// What there is, and then what comes, until the build or the time ends.
    pub(crate) fn stream(self) -> impl Stream<Item = Result<Bytes, LogError>> + Send {
        futures_util::stream::try_unfold(self, |mut follower| async move {
            let next = follower.next().await.inspect_err(|error| {
                let error = sdk::failure::chain(error);
                tracing::warn!(log = %follower.folder, error, "a followed log is broken off");
            });
            Ok(next?.map(|bytes| (bytes, follower)))
        })
    }

    async fn next(&mut self) -> Result<Option<Bytes>, LogError> {
        loop {
            let number = self.changes.borrow_and_update().number;
            let chunk = self.chunk(number).await?;
            // It was begun again, here or, as it is shorter now, by another process.
            if chunk.tries != self.tries || chunk.answer.length < self.position {
                (self.tries, self.position) = (chunk.tries, 0);
                return Ok(Some(Bytes::from_static(BEGUN_AGAIN.as_bytes())));
            }
            if !chunk.answer.bytes.is_empty() {
                self.position += chunk.answer.bytes.len() as u64;
                return Ok(Some(chunk.answer.bytes));
            }
            if !chunk.answer.open {
                return Ok(None);
            }
            if !matches!(timeout_at(self.until, self.changes.changed()).await, Ok(Ok(()))) {
                return Ok(None);
            }
        }
    }

    /// What comes next; what another follower just read from the same place is not read again.
    async fn chunk(&self, number: u64) -> Result<Chunk, LogError> {
        let mut last = self.topic.last.lock().await;
        if let Some((known, position, chunk)) = &*last
            && (*known, *position) == (number, self.position)
        {
            return Ok(chunk.clone());
        }
        let chunk = self.logs.chunk(&self.folder, &self.topic, self.position).await?;
        *last = Some((number, self.position, chunk.clone()));
        Ok(chunk)
    }
}

impl<S: Store> Logs<S> {
    /// What will stay of a log, from a byte on.
    async fn chunk(&self, folder: &Folder, topic: &Topic, position: u64) -> Result<Chunk, LogError> {
        let _lane = self.read_lane(folder).await;
        // Nobody begins it again meanwhile.
        let tries = topic.changes.borrow().tries;
        let log = self.find(folder).await?;
        let end = position.saturating_add(CHUNK).min(log.steady);
        let bytes = self.bytes(folder, &log, position.min(end)..end).await?;
        let answer = Answer { bytes, start: position, end, length: log.length, open: log.is_open() };
        Ok(Chunk { answer, tries })
    }
}

/// Looks whether another process did something to a log, while somebody follows it here.
async fn look<S: Store>(logs: Weak<Logs<S>>, folder: Folder, topic: Weak<Topic>) {
    let mut seen = None;
    while let (Some(logs), Some(topic)) = (logs.upgrade(), topic.upgrade()) {
        match logs.list(&folder).await {
            Ok(objects) => {
                if seen.as_ref() != Some(&objects) {
                    topic.tell(false);
                }
                seen = Some(objects);
            }
            // The followers hear of it when they read.
            Err(_) => topic.tell(false),
        }
        drop((logs, topic));
        tokio::time::sleep(LOOK).await;
    }
}
