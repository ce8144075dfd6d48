//! The durable queue behind `/async-function/…`: one `SQLite` file, locked by this process alone, written by one
//! thread. A call that [`Queue::enqueue`] confirmed survives `kill -9` and runs at least once.
//!
//! Everybody who waits for the disk at the same moment shares one transaction, so ten thousand callers cost a few
//! dozen commits while a lone caller waits for exactly one. The rejected option was a transaction per call: the
//! disk's sync rate would be the limit.

mod call;
mod error;
mod store;
mod writer;

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tokio::sync::{Notify, mpsc, oneshot};

pub(crate) use self::call::{Call, NewCall};
pub use self::error::QueueError;
use self::store::Store;
use self::writer::{Command, Writer};

/// Commands that may wait for the writer; more callers than this wait in line.
const WAITING_COMMANDS: usize = 2048;

/// A handle on the queue; clones share the file and its writer.
#[derive(Clone)]
pub(crate) struct Queue {
    commands: mpsc::Sender<Command>,
    touched: Arc<Touched>,
}

/// Functions that got a new call since the worker last looked.
#[derive(Default)]
pub(crate) struct Touched {
    functions: Mutex<HashSet<String>>,
    news: Notify,
}

impl Touched {
    fn add<'a>(&self, functions: impl Iterator<Item = &'a str>) {
        let mut set = self.functions.lock().unwrap_or_else(PoisonError::into_inner);
        for function in functions {
            if !set.contains(function) {
                set.insert(function.to_owned());
            }
        }
        drop(set);
        self.news.notify_one();
    }

    fn take(&self) -> HashSet<String> {
        std::mem::take(&mut *self.functions.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// How much the queue may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Calls that wait or run; more are refused.
    pub(crate) calls: usize,
    /// Dead letters kept; the oldest go first.
    pub(crate) dead: usize,
}

/// What became of an enqueued call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Enqueued {
    /// It is stored.
    New,
    /// The same call (function, call id and content) was waiting already.
    Known,
}

/// How many calls of which function the worker could start now.
#[derive(Debug, Clone)]
pub(crate) struct Want {
    pub(crate) function: String,
    pub(crate) calls: usize,
}

/// The answer to one [`Want`].
#[derive(Debug)]
pub(crate) struct Claimed {
    pub(crate) function: String,
    pub(crate) calls: Vec<Call>,
    /// When the function's next waiting call is due (ms since 1970), if there is one.
    pub(crate) next: Option<i64>,
}

/// How one attempt ended. `attempt` fences off a run whose lease was lost meanwhile.
#[derive(Debug, Clone)]
pub(crate) enum Verdict {
    /// The call is finished and forgotten.
    Done,
    /// It is to be tried again at `at` (ms since 1970).
    Retry { at: i64, status: u16, reason: String },
    /// It was given up and stays as a dead letter.
    Dead { status: u16, reason: String },
    /// It did not run to its end through no fault of its own: the attempt does not count.
    Released,
}

/// A call that was given up.
#[derive(Debug, Clone, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// Its call id.
    pub call_id: String,
    /// The function it was for.
    pub function: String,
    /// How often it was tried.
    pub attempts: u32,
    /// The last status code, 0 if there was no answer at all.
    pub status: u16,
    /// Why it was given up.
    pub reason: String,
    /// When it was enqueued (RFC 3339).
    pub enqueued_at: String,
    /// When it was given up (RFC 3339).
    pub died_at: String,
}

impl Queue {
    /// Opens (or makes) the queue file and gives back at once what the former process was running.
    pub(crate) async fn open(path: &Path, limits: Limits) -> Result<Self, QueueError> {
        let path = path.to_owned();
        let store =
            tokio::task::spawn_blocking(move || Store::open(&path, limits)).await.map_err(|_| QueueError::Closed)??;
        let (commands, receiver) = mpsc::channel(WAITING_COMMANDS);
        let touched = Arc::new(Touched::default());
        Writer::spawn(store, receiver, Arc::clone(&touched))?;
        Ok(Self { commands, touched })
    }

    /// Stores a call; when this returns `Ok` it is on the disk.
    pub(crate) async fn enqueue(&self, call: NewCall) -> Result<Enqueued, QueueError> {
        self.ask(|reply| Command::Enqueue(Box::new(call), reply)).await
    }

    /// Takes due calls for as long as `lease`.
    pub(crate) async fn claim(&self, wants: Vec<Want>, lease: Duration) -> Result<Vec<Claimed>, QueueError> {
        self.ask(|reply| Command::Claim { wants, lease, reply }).await
    }

    /// Records how an attempt ended.
    pub(crate) async fn settle(&self, id: i64, attempt: u32, verdict: Verdict) -> Result<(), QueueError> {
        self.ask(|reply| Command::Settle { id, attempt, verdict, reply }).await
    }

    /// Extends the leases of the calls that still run and gives back those whose lease ran out; answers with the
    /// functions that got calls back.
    pub(crate) async fn extend(&self, running: Vec<i64>, lease: Duration) -> Result<Vec<String>, QueueError> {
        self.ask(|reply| Command::Extend { running, lease, reply }).await
    }

    /// The functions that have calls waiting, due or not.
    pub(crate) async fn waiting(&self) -> Result<Vec<String>, QueueError> {
        self.ask(Command::Waiting).await
    }

    /// The newest dead letters, newest first.
    pub(crate) async fn dead(&self, function: Option<String>, limit: usize) -> Result<Vec<DeadLetter>, QueueError> {
        self.ask(|reply| Command::Dead { function, limit, reply }).await
    }

    /// Finishes what was asked before, closes the file and gives up its lock.
    pub(crate) async fn close(&self) -> Result<(), QueueError> {
        self.ask(Command::Close).await
    }

    /// Resolves when calls were enqueued; answers with their functions.
    pub(crate) async fn news(&self) -> HashSet<String> {
        loop {
            let functions = self.touched.take();
            if !functions.is_empty() {
                return functions;
            }
            self.touched.news.notified().await;
        }
    }

    async fn ask<T>(&self, command: impl FnOnce(writer::Reply<T>) -> Command) -> Result<T, QueueError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| QueueError::Closed)?;
        answer.await.map_err(|_| QueueError::Closed)?
    }
}

/// Milliseconds since 1970.
pub(crate) fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

pub(crate) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
