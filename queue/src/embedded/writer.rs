//! The one thread that writes the queue file: takes whatever waits, puts it into one transaction, commits, answers.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use super::table::Table;
use crate::error::QueueError;
use crate::news::News;
use crate::statistics::Counters;

/// Commands per transaction: enough to share the sync, few enough that nobody waits long for it.
const BATCH: usize = 512;

/// What a piece of work comes to. The inner error refuses this piece alone, the outer one fails the transaction.
pub(super) type Asked<T> = rusqlite::Result<Result<T, QueueError>>;

pub(super) enum Command {
    Do(Box<dyn Job>),
    Close(oneshot::Sender<()>),
}

/// A piece of work, and who waits for its result.
pub(super) trait Job: Send {
    fn apply(&mut self, table: &mut Table) -> rusqlite::Result<()>;
    /// Called once the transaction has ended; with its failure, if it failed.
    fn answer(self: Box<Self>, failure: Option<&QueueError>);
}

struct Ask<F, T> {
    work: Option<F>,
    result: Option<Result<T, QueueError>>,
    reply: oneshot::Sender<Result<T, QueueError>>,
}

/// A command, and the receiver of its result.
pub(super) fn ask<T, F>(work: F) -> (Command, oneshot::Receiver<Result<T, QueueError>>)
where
    T: Send + 'static,
    F: FnOnce(&mut Table) -> Asked<T> + Send + 'static,
{
    let (reply, answer) = oneshot::channel();
    (Command::Do(Box::new(Ask { work: Some(work), result: None, reply })), answer)
}

impl<T, F> Job for Ask<F, T>
where
    T: Send,
    F: FnOnce(&mut Table) -> Asked<T> + Send,
{
    fn apply(&mut self, table: &mut Table) -> rusqlite::Result<()> {
        if let Some(work) = self.work.take() {
            self.result = Some(work(table)?);
        }
        Ok(())
    }

    fn answer(self: Box<Self>, failure: Option<&QueueError>) {
        let answer = match failure {
            Some(failure) => Err(failure.clone()),
            None => self.result.unwrap_or(Err(QueueError::Closed)),
        };
        // Whoever asked may have gone; a stored call runs all the same.
        let _ = self.reply.send(answer);
    }
}

pub(super) struct Writer {
    pub(super) table: Table,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) news: Arc<News>,
    pub(super) counters: Arc<Counters>,
}

impl Writer {
    pub(super) fn spawn(self) -> Result<(), QueueError> {
        std::thread::Builder::new()
            .name("queue-writer".to_owned())
            .spawn(move || self.run())
            .map(drop)
            .map_err(|source| QueueError::Thread(Arc::new(source)))
    }

    /// Ends when it is told to close, or with the last handle on the queue.
    fn run(mut self) {
        while let Some(first) = self.commands.blocking_recv() {
            if let Some(reply) = self.batch(first) {
                drop(self.table);
                let _ = reply.send(());
                return;
            }
        }
    }

    fn batch(&mut self, first: Command) -> Option<oneshot::Sender<()>> {
        let (mut jobs, mut close) = (Vec::new(), None);
        let before = self.table.mark();
        let ended = self.transact(first, &mut jobs, &mut close);
        let failure = ended.err().map(|source| self.table.error(source));
        match &failure {
            Some(failure) => {
                self.table.roll_back(before);
                tracing::error!(error = %failure, "A transaction on the queue file failed.");
            }
            None => {
                let effects = self.table.take_effects();
                self.counters.add(effects.counts);
                if !effects.enqueued.is_empty() {
                    self.news.add(&effects.enqueued);
                }
            }
        }
        for job in jobs {
            job.answer(failure.as_ref());
        }
        close
    }

    fn transact(
        &mut self,
        first: Command,
        jobs: &mut Vec<Box<dyn Job>>,
        close: &mut Option<oneshot::Sender<()>>,
    ) -> rusqlite::Result<()> {
        let mut next = Some(first);
        for _ in 0..BATCH {
            let mut job = match next.take().or_else(|| self.commands.try_recv().ok()) {
                Some(Command::Do(job)) => job,
                Some(Command::Close(reply)) => {
                    *close = Some(reply);
                    break;
                }
                None => break,
            };
            let applied = self.table.begin().and_then(|()| job.apply(&mut self.table));
            jobs.push(job);
            applied?;
        }
        self.table.commit()
    }
}
