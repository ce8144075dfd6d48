//! The queue in one `SQLite` file, locked by this process alone, written by one thread.
//!
//! Everybody who waits for the disk at the same moment shares one transaction, so ten thousand callers cost a few
//! dozen commits while a lone caller waits for exactly one. The rejected option was a transaction per call: the
//! disk's sync rate would be the limit.

mod file;
mod letters;
mod space;
mod table;
mod writer;

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;

use self::file::File;
use self::table::Table;
use self::writer::{Asked, Command, Writer, ask};
use crate::bodies::{Bodies, BodyName};
use crate::call::{Lane, NewCall, Ticket};
use crate::error::QueueError;
use crate::letters::{DeadLetter, Letters};
use crate::news::News;
use crate::options::Options;
use crate::statistics::{Counters, LaneCounts};
use crate::store::{Cancelled, Claimed, Enqueued, Store, Swept, Verdict, Want};

/// Commands that may wait for the writer; more callers than this wait in line.
const WAITING_COMMANDS: usize = 2048;

/// A handle on the writer.
pub(crate) struct Embedded {
    commands: mpsc::Sender<Command>,
    counters: Arc<Counters>,
    bodies: Arc<Bodies>,
    lease: Duration,
}

impl Embedded {
    /// Opens (or makes) the file, and checks it.
    pub(crate) fn check(directory: &Path, options: &Options) -> Result<File, QueueError> {
        File::open(&directory.join(file::NAME), options)
    }

    pub(crate) fn start(file: File, bodies: Arc<Bodies>, news: Arc<News>) -> Result<Self, QueueError> {
        let (commands, receiver) = mpsc::channel(WAITING_COMMANDS);
        let (counters, lease) = (Arc::new(Counters::default()), file.lease());
        let table = Table::over(file, Arc::clone(&bodies), &counters)?;
        Writer { table, commands: receiver, news, counters: Arc::clone(&counters) }.spawn()?;
        Ok(Self { commands, counters, bodies, lease })
    }

    async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Table) -> Asked<T> + Send + 'static,
    ) -> Result<T, QueueError> {
        let (command, answer) = ask(work);
        self.commands.send(command).await.map_err(|_| QueueError::Closed)?;
        answer.await.map_err(|_| QueueError::Closed)?
    }
}

#[async_trait]
impl Store for Embedded {
    async fn enqueue(&self, call: NewCall) -> Result<Enqueued, QueueError> {
        self.ask(move |table| table.enqueue(&call)).await
    }

    async fn claim(&self, wants: Vec<Want>) -> Result<Vec<Claimed>, QueueError> {
        let lease = self.lease;
        let swept = self.ask(move |table| table.claim(&wants, lease).map(Ok)).await?;
        self.bodies.remove(swept.bodies).await;
        Ok(swept.value)
    }

    async fn settle(&self, ticket: Ticket, verdict: Verdict) -> Result<Vec<BodyName>, QueueError> {
        self.ask(move |table| table.settle(ticket, &verdict).map(Ok)).await
    }

    async fn extend(&self, running: Vec<Ticket>) -> Result<Vec<Lane>, QueueError> {
        let lease = self.lease;
        self.ask(move |table| table.extend(&running, lease).map(Ok)).await
    }

    async fn waiting(&self) -> Result<Vec<Lane>, QueueError> {
        self.ask(|table| table.waiting().map(Ok)).await
    }

    async fn cancel(&self, call_id: &str) -> Result<Swept<Cancelled>, QueueError> {
        let call_id = call_id.to_owned();
        self.ask(move |table| table.cancel(&call_id).map(Ok)).await
    }

    async fn dead(&self, function: Option<&str>, limit: usize) -> Result<Vec<DeadLetter>, QueueError> {
        let function = function.map(str::to_owned);
        self.ask(move |table| table.dead(function.as_deref(), limit).map(Ok)).await
    }

    async fn letter(&self, id: u64) -> Result<Option<DeadLetter>, QueueError> {
        self.ask(move |table| table.letter(id).map(Ok)).await
    }

    async fn redrive(&self, letters: Letters) -> Result<Swept<Vec<Lane>>, QueueError> {
        self.ask(move |table| table.redrive(&letters)).await
    }

    async fn discard(&self, letters: Letters) -> Result<Swept<usize>, QueueError> {
        self.ask(move |table| table.discard(&letters).map(Ok)).await
    }

    async fn statistics(&self) -> Result<Vec<LaneCounts>, QueueError> {
        Ok(self.counters.read())
    }

    async fn keeps(&self, bodies: Vec<BodyName>) -> Result<HashSet<BodyName>, QueueError> {
        self.ask(move |table| table.keeps(bodies).map(Ok)).await
    }

    async fn close(&self) -> Result<(), QueueError> {
        let (reply, closed) = tokio::sync::oneshot::channel();
        self.commands.send(Command::Close(reply)).await.map_err(|_| QueueError::Closed)?;
        closed.await.map_err(|_| QueueError::Closed)
    }
}
