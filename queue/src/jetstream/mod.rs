//! The queue in NATS `JetStream`: one work-queue stream per queue, one durable consumer per lane, explicit
//! acknowledgements.
//!
//! NATS keeps the calls; this process keeps only what it was handed and has not acknowledged (the [`Ledger`]), and can
//! do without that: what it forgets comes again when the lease has run out.

mod claim;
mod dead;
mod enqueue;
mod ledger;
mod message;
mod names;
mod server;
mod settle;
mod streams;
mod survey;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;
use tokio::time::timeout;

use self::ledger::Ledger;
use self::server::Server;
use self::streams::Streams;
use self::survey::Survey;
use crate::bodies::{Bodies, BodyName};
use crate::call::{Lane, NewCall, Ticket};
use crate::error::QueueError;
use crate::letters::{DeadLetter, Letters};
use crate::news::News;
use crate::options::{Limits, Nats, Options};
use crate::statistics::LaneCounts;
use crate::store::{Cancelled, Claimed, Enqueued, Store, Swept, Verdict, Want};

/// How long NATS gets to take what was sent last.
const FAREWELL: Duration = Duration::from_secs(5);

/// A connection to NATS and what is known of the calls in it.
pub(crate) struct JetStream {
    streams: Streams,
    ledger: Arc<Ledger>,
    bodies: Arc<Bodies>,
    news: Arc<News>,
    limits: Limits,
    lease: Duration,
    /// How many dead letters there are. Held while one is added, so that the oldest goes with its body.
    dead_letters: Mutex<u64>,
    survey: Mutex<Survey>,
}

impl JetStream {
    pub(crate) async fn open(
        nats: Nats,
        options: &Options,
        bodies: Arc<Bodies>,
        news: Arc<News>,
    ) -> Result<Self, QueueError> {
        let ledger = Arc::new(Ledger::default());
        let (doubted, told) = (Arc::clone(&ledger), Arc::clone(&news));
        let server = Server::connect(&nats, move || told.add(&doubted.doubt())).await?;
        let streams = Streams::new(server, &nats, options);
        streams.ensure_dead().await?;
        let dead_letters = Mutex::new(streams.contents(names::DEAD_STREAM, "none").await?.messages);
        let survey = Mutex::default();
        let (limits, lease) = (options.limits, options.lease);
        Ok(Self { streams, ledger, bodies, news, limits, lease, dead_letters, survey })
    }
}

#[async_trait]
impl Store for JetStream {
    async fn enqueue(&self, call: NewCall) -> Result<Enqueued, QueueError> {
        self.store(call).await
    }

    async fn claim(&self, wants: Vec<Want>) -> Result<Vec<Claimed>, QueueError> {
        self.claim_all(wants).await
    }

    async fn settle(&self, ticket: Ticket, verdict: Verdict) -> Result<Vec<BodyName>, QueueError> {
        match self.ledger.take(ticket) {
            Some(running) => self.settle_one(running, verdict).await,
            None => Ok(Vec::new()),
        }
    }

    async fn extend(&self, running: Vec<Ticket>) -> Result<Vec<Lane>, QueueError> {
        self.extend_all(&running).await
    }

    async fn waiting(&self) -> Result<Vec<Lane>, QueueError> {
        self.lanes_with_messages().await
    }

    async fn cancel(&self, call_id: &str) -> Result<Swept<Cancelled>, QueueError> {
        self.cancel_calls(call_id).await
    }

    async fn dead(&self, function: Option<&str>, limit: usize) -> Result<Vec<DeadLetter>, QueueError> {
        self.list_dead(function, limit).await
    }

    async fn letter(&self, id: u64) -> Result<Option<DeadLetter>, QueueError> {
        self.read_letter(id).await
    }

    async fn redrive(&self, letters: Letters) -> Result<Swept<Vec<Lane>>, QueueError> {
        self.redrive_letters(letters).await
    }

    async fn discard(&self, letters: Letters) -> Result<Swept<usize>, QueueError> {
        self.discard_letters(letters).await
    }

    async fn statistics(&self) -> Result<Vec<LaneCounts>, QueueError> {
        self.count().await
    }

    async fn keeps(&self, bodies: Vec<BodyName>) -> Result<HashSet<BodyName>, QueueError> {
        self.kept(bodies).await
    }

    async fn close(&self) -> Result<(), QueueError> {
        let client = &self.streams.server.client;
        // What does not get through in time runs again, which is what happens to a process that is killed too.
        let _ = timeout(FAREWELL, client.flush()).await;
        let _ = client.drain().await;
        Ok(())
    }
}
