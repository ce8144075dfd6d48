//! The queue as everybody sees it: a store, and the directory of large bodies beside it.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;

use crate::bodies::{Bodies, BodyName, Spool};
use crate::call::{Head, Lane, NewCall, Ticket, valid_queue};
use crate::embedded::Embedded;
use crate::error::QueueError;
use crate::jetstream::JetStream;
use crate::letters::{DeadLetter, Letters};
use crate::news::News;
use crate::options::{Nats, Options};
use crate::statistics::LaneCounts;
use crate::store::{Cancelled, Claimed, Enqueued, Store, Verdict, Want};

/// A handle on the queue; clones share it.
#[derive(Clone)]
pub struct Queue(Arc<Shared>);

struct Shared {
    store: Box<dyn Store>,
    bodies: Arc<Bodies>,
    news: Arc<News>,
    options: Options,
}

/// Opens (or makes) a queue in a file within `directory` and gives back at once what the former process was running.
pub async fn embedded(directory: &Path, options: Options) -> Result<Queue, QueueError> {
    let (directory, news) = (directory.to_owned(), Arc::new(News::default()));
    let (to_open, to_tell) = (options.clone(), Arc::clone(&news));
    let opened = spawn_blocking(move || {
        // The file first: its name in the complaint about a second process tells an operator more.
        let file = Embedded::check(&directory, &to_open)?;
        let bodies = Arc::new(Bodies::open(&directory, to_open.limits.body_files)?);
        Ok((Embedded::start(file, Arc::clone(&bodies), to_tell)?, bodies))
    });
    let (store, bodies) = opened.await.map_err(|_| QueueError::Closed)??;
    Queue::over(Box::new(store), bodies, news, options).await
}

/// Opens a queue kept by NATS; large bodies stay in files within `directory`. What a former process was running comes
/// back when its lease has run out.
pub async fn jetstream(directory: &Path, nats: Nats, options: Options) -> Result<Queue, QueueError> {
    let (directory, most) = (directory.to_owned(), options.limits.body_files);
    let bodies = spawn_blocking(move || Bodies::open(&directory, most)).await.map_err(|_| QueueError::Closed)??;
    let (bodies, news) = (Arc::new(bodies), Arc::new(News::default()));
    let store = JetStream::open(nats, &options, Arc::clone(&bodies), Arc::clone(&news)).await?;
    Queue::over(Box::new(store), bodies, news, options).await
}

impl Queue {
    async fn over(
        store: Box<dyn Store>,
        bodies: Arc<Bodies>,
        news: Arc<News>,
        options: Options,
    ) -> Result<Self, QueueError> {
        let there = bodies.finished()?;
        let kept = if there.is_empty() { HashSet::new() } else { store.keeps(there).await? };
        let removed = bodies.collect(&kept)?;
        if removed > 0 {
            tracing::info!(files = removed, "Bodies that belong to no queued call were removed.");
        }
        Ok(Self(Arc::new(Shared { store, bodies, news, options })))
    }

    /// Begins to take a call in; its body follows piece by piece.
    pub fn spool(&self, head: Head) -> Spool {
        Spool::new(self.clone(), head)
    }

    /// How long a claimed call belongs to who claimed it without a sign of life.
    pub fn lease(&self) -> Duration {
        self.0.options.lease
    }

    pub(crate) fn inline_body(&self) -> u64 {
        self.0.options.limits.inline_body as u64
    }

    pub(crate) fn bodies(&self) -> &Arc<Bodies> {
        &self.0.bodies
    }

    pub(crate) async fn store_call(&self, call: NewCall) -> Result<Enqueued, QueueError> {
        let file = call.body.name().cloned();
        let stored = if valid_queue(&call.head.lane.queue) {
            self.0.store.enqueue(call).await
        } else {
            Err(QueueError::QueueName(call.head.lane.queue.to_string()))
        };
        // Where nobody can tell whether the call is stored, the file stays until the next start.
        let unused = match &stored {
            Ok(enqueued) => *enqueued == Enqueued::Known,
            Err(error) => error.is_refusal(),
        };
        if let Some(file) = file.filter(|_| unused) {
            self.remove(vec![file]).await;
        }
        stored
    }

    /// Takes due calls for as long as the lease.
    pub async fn claim(&self, wants: Vec<Want>) -> Result<Vec<Claimed>, QueueError> {
        let mut claimed = self.0.store.claim(wants).await?;
        for lane in &mut claimed {
            let calls = std::mem::take(&mut lane.calls);
            for call in calls {
                match call.body.path().map(Path::try_exists) {
                    // Where it cannot be told, the attempt tells, and another may follow.
                    None | Some(Ok(true) | Err(_)) => lane.calls.push(call),
                    Some(Ok(false)) => {
                        let reason = "the file with its body is gone".to_owned();
                        if let Err(error) = self.settle(call.ticket, Verdict::Dead { status: 0, reason }).await {
                            // The others are leased already, and must reach whoever asked.
                            tracing::warn!(%error, "A call whose body is gone comes again: it cannot be given up.");
                        }
                    }
                }
            }
        }
        Ok(claimed)
    }

    /// Records how an attempt ended. Of an attempt that lost its lease nothing is recorded.
    pub async fn settle(&self, ticket: Ticket, verdict: Verdict) -> Result<(), QueueError> {
        let bodies = self.0.store.settle(ticket, verdict).await?;
        self.remove(bodies).await;
        Ok(())
    }

    /// Extends the leases of the calls that still run and gives back those whose lease ran out; answers with the
    /// lanes that have something to claim.
    pub async fn extend(&self, running: Vec<Ticket>) -> Result<Vec<Lane>, QueueError> {
        self.0.store.extend(running).await
    }

    /// The lanes that have calls waiting, due or not.
    pub async fn waiting(&self) -> Result<Vec<Lane>, QueueError> {
        self.0.store.waiting().await
    }

    /// Resolves when calls were enqueued; answers with their lanes.
    pub async fn news(&self) -> HashSet<Lane> {
        self.0.news.next().await
    }

    /// Removes the waiting calls with this id and tells which run.
    pub async fn cancel(&self, call_id: &str) -> Result<Cancelled, QueueError> {
        let swept = self.0.store.cancel(call_id).await?;
        self.remove(swept.bodies).await;
        Ok(swept.value)
    }

    /// The newest dead letters, newest first; of one function if it is named.
    pub async fn dead(&self, function: Option<&str>, limit: usize) -> Result<Vec<DeadLetter>, QueueError> {
        self.0.store.dead(function, limit).await
    }

    /// One dead letter.
    pub async fn letter(&self, id: u64) -> Result<Option<DeadLetter>, QueueError> {
        self.0.store.letter(id).await
    }

    /// Lets dead letters wait again as if they came in now; answers with how many.
    pub async fn redrive(&self, letters: Letters) -> Result<usize, QueueError> {
        let swept = self.0.store.redrive(letters).await?;
        self.0.news.add(&swept.value);
        self.remove(swept.bodies).await;
        Ok(swept.value.len())
    }

    /// Deletes dead letters; answers with how many.
    pub async fn discard(&self, letters: Letters) -> Result<usize, QueueError> {
        let swept = self.0.store.discard(letters).await?;
        self.remove(swept.bodies).await;
        Ok(swept.value)
    }

    /// How much waits where; cheap enough to be asked every few seconds.
    pub async fn statistics(&self) -> Result<Vec<LaneCounts>, QueueError> {
        self.0.store.statistics().await
    }

    /// Finishes what was asked before and gives everything up.
    pub async fn close(&self) -> Result<(), QueueError> {
        let closed = self.0.store.close().await;
        self.0.bodies.release();
        closed
    }

    async fn remove(&self, bodies: Vec<BodyName>) {
        self.0.bodies.remove(bodies).await;
    }
}
