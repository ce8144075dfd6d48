//! The one thread that writes the queue file: takes whatever waits, puts it into one transaction, commits, answers.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::call::NewCall;
use super::error::QueueError;
use super::store::Store;
use super::{Claimed, DeadLetter, Enqueued, Touched, Verdict, Want};

/// Commands per transaction: enough to share the sync, few enough that nobody waits long for it.
const BATCH: usize = 512;

pub(super) type Reply<T> = oneshot::Sender<Result<T, QueueError>>;
/// Sent once the transaction has ended; carries its failure, if it failed.
type Answer = Box<dyn FnOnce(Option<&QueueError>) + Send>;

pub(super) enum Command {
    Enqueue(Box<NewCall>, Reply<Enqueued>),
    Claim { wants: Vec<Want>, lease: Duration, reply: Reply<Vec<Claimed>> },
    Settle { id: i64, attempt: u32, verdict: Verdict, reply: Reply<()> },
    Extend { running: Vec<i64>, lease: Duration, reply: Reply<Vec<String>> },
    Waiting(Reply<Vec<String>>),
    Dead { function: Option<String>, limit: usize, reply: Reply<Vec<DeadLetter>> },
    Close(Reply<()>),
}

pub(super) struct Writer {
    store: Store,
    commands: mpsc::Receiver<Command>,
    touched: Arc<Touched>,
}

/// What a batch leaves to do after its transaction.
#[derive(Default)]
struct Batch {
    answers: Vec<Answer>,
    enqueued: Vec<String>,
    failed: Option<rusqlite::Error>,
    close: Option<Reply<()>>,
}

impl Writer {
    pub(super) fn spawn(
        store: Store,
        commands: mpsc::Receiver<Command>,
        touched: Arc<Touched>,
    ) -> Result<(), QueueError> {
        let writer = Self { store, commands, touched };
        std::thread::Builder::new()
            .name("queue-writer".to_owned())
            .spawn(move || writer.run())
            .map(drop)
            .map_err(|source| QueueError::Thread(Arc::new(source)))
    }

    /// Ends when it is told to close, or with the last handle on the queue.
    fn run(mut self) {
        while let Some(first) = self.commands.blocking_recv() {
            if let Some(reply) = self.batch(first) {
                drop(self.store);
                let _ = reply.send(Ok(()));
                return;
            }
        }
    }

    fn batch(&mut self, first: Command) -> Option<Reply<()>> {
        let before = self.store.counters();
        let mut batch = Batch::default();
        match self.store.begin() {
            Ok(()) => self.fill(first, &mut batch),
            Err(source) => {
                batch.failed = Some(source);
                batch.close = refuse(first, &mut batch.answers);
            }
        }
        if batch.failed.is_none() {
            batch.failed = self.store.commit().err();
        }
        let failure = batch.failed.map(|source| self.store.error(source));
        if let Some(failure) = &failure {
            self.store.roll_back(before);
            tracing::error!(error = %failure, "A transaction on the queue file failed.");
        }
        for answer in batch.answers {
            answer(failure.as_ref());
        }
        if failure.is_none() && !batch.enqueued.is_empty() {
            self.touched.add(batch.enqueued.iter().map(String::as_str));
        }
        batch.close
    }

    fn fill(&mut self, first: Command, batch: &mut Batch) {
        let mut next = Some(first);
        for _ in 0..BATCH {
            let Some(command) = next.take().or_else(|| self.commands.try_recv().ok()) else { return };
            self.apply(command, batch);
            if batch.failed.is_some() || batch.close.is_some() {
                return;
            }
        }
    }

    fn apply(&mut self, command: Command, batch: &mut Batch) {
        match command {
            Command::Enqueue(call, reply) => {
                let outcome = self.store.enqueue(&call);
                if matches!(outcome, Ok(Ok(Enqueued::New))) && batch.enqueued.last() != Some(&call.function) {
                    batch.enqueued.push(call.function);
                }
                match outcome {
                    Ok(Ok(enqueued)) => batch.later(Ok(enqueued), reply),
                    // Refused alone: no transaction needs to end for that.
                    Ok(Err(refused)) => drop(reply.send(Err(refused))),
                    Err(source) => batch.later(Err(source), reply),
                }
            }
            Command::Claim { wants, lease, reply } => batch.later(self.store.claim(&wants, lease), reply),
            Command::Settle { id, attempt, verdict, reply } => {
                batch.later(self.store.settle(id, attempt, &verdict), reply);
            }
            Command::Extend { running, lease, reply } => batch.later(self.store.extend(&running, lease), reply),
            Command::Waiting(reply) => batch.later(self.store.waiting(), reply),
            Command::Dead { function, limit, reply } => {
                batch.later(self.store.dead(function.as_deref(), limit), reply);
            }
            Command::Close(reply) => batch.close = Some(reply),
        }
    }
}

impl Batch {
    /// Keeps a result back until the transaction has ended.
    fn later<T: Send + 'static>(&mut self, result: rusqlite::Result<T>, reply: Reply<T>) {
        let value = match result {
            Ok(value) => Some(value),
            Err(source) => {
                self.failed = Some(source);
                None
            }
        };
        self.answers.push(Box::new(move |failure| {
            let answer = match (failure, value) {
                (Some(failure), _) => Err(failure.clone()),
                (None, Some(value)) => Ok(value),
                (None, None) => Err(QueueError::Closed),
            };
            // Whoever asked may have gone; a stored call runs all the same.
            let _ = reply.send(answer);
        }));
    }
}

/// Not even a transaction could be begun: everybody is told why.
fn refuse(command: Command, answers: &mut Vec<Answer>) -> Option<Reply<()>> {
    fn fail<T: Send + 'static>(reply: Reply<T>) -> Answer {
        Box::new(move |failure| {
            let _ = reply.send(Err(failure.cloned().unwrap_or(QueueError::Closed)));
        })
    }
    answers.push(match command {
        Command::Enqueue(_, reply) => fail(reply),
        Command::Claim { reply, .. } => fail(reply),
        Command::Settle { reply, .. } => fail(reply),
        Command::Extend { reply, .. } => fail(reply),
        Command::Waiting(reply) => fail(reply),
        Command::Dead { reply, .. } => fail(reply),
        Command::Close(reply) => return Some(reply),
    });
    None
}
