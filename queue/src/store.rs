//! What a store of calls does, whatever it keeps them in.

use std::collections::HashSet;

use async_trait::async_trait;

use crate::bodies::BodyName;
use crate::call::{Call, Lane, NewCall, Ticket};
use crate::error::QueueError;
use crate::letters::{DeadLetter, Letters};
use crate::statistics::LaneCounts;

/// What became of an enqueued call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enqueued {
    /// It is stored.
    New,
    /// The same call (function, call id and content) waits or runs already.
    Known,
}

/// How many calls of which lane the worker could start now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// The lane.
    pub lane: Lane,
    /// At most this many.
    pub calls: usize,
}

/// The answer to one [`Want`].
#[derive(Debug)]
pub struct Claimed {
    /// The lane.
    pub lane: Lane,
    /// Its calls, leased.
    pub calls: Vec<Call>,
    /// When to ask for the lane's next waiting call (ms since 1970), if there is one.
    pub next: Option<i64>,
}

/// How one attempt ended.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// The call is finished, or cancelled, and forgotten.
    Done,
    /// It is to be tried again.
    Retry {
        /// When (ms since 1970).
        at: i64,
        /// The status code it failed with.
        status: u16,
        /// Why it failed.
        reason: String,
    },
    /// It was given up and stays as a dead letter.
    Dead {
        /// The status code it failed with, 0 if there was no answer.
        status: u16,
        /// Why it was given up.
        reason: String,
    },
    /// It did not run to its end through no fault of its own: the attempt does not count.
    Released,
}

/// What a cancellation found.
#[derive(Debug, Default)]
pub struct Cancelled {
    /// Calls that waited and are gone.
    pub removed: usize,
    /// Calls that run: whoever runs them is to stop, and to settle them as [`Verdict::Done`].
    pub running: Vec<Ticket>,
}

/// A result, and the files of bodies that nothing refers to any more.
#[derive(Debug, Default)]
pub(crate) struct Swept<T> {
    pub(crate) value: T,
    pub(crate) bodies: Vec<BodyName>,
}

/// Keeps calls. What one of these methods confirmed survives `kill -9`.
#[async_trait]
pub(crate) trait Store: Send + Sync {
    /// Stores a call. A call that turned out to be known, or was refused, keeps no file.
    async fn enqueue(&self, call: NewCall) -> Result<Enqueued, QueueError>;

    /// Takes due calls.
    async fn claim(&self, wants: Vec<Want>) -> Result<Vec<Claimed>, QueueError>;

    /// Records how an attempt ended; of an attempt that lost its lease nothing. Answers with the files that are of no
    /// use any more.
    async fn settle(&self, ticket: Ticket, verdict: Verdict) -> Result<Vec<BodyName>, QueueError>;

    /// Extends the leases of the calls that still run. Answers with the lanes to look at: those that got calls back
    /// because their lease ran out.
    async fn extend(&self, running: Vec<Ticket>) -> Result<Vec<Lane>, QueueError>;

    /// The lanes that have calls waiting, due or not.
    async fn waiting(&self) -> Result<Vec<Lane>, QueueError>;

    /// Removes the waiting calls of this id and names the running ones.
    async fn cancel(&self, call_id: &str) -> Result<Swept<Cancelled>, QueueError>;

    /// The newest dead letters, newest first.
    async fn dead(&self, function: Option<&str>, limit: usize) -> Result<Vec<DeadLetter>, QueueError>;

    /// One dead letter.
    async fn letter(&self, id: u64) -> Result<Option<DeadLetter>, QueueError>;

    /// Lets dead letters wait again, as if they came in now; answers with their lanes, one for each.
    async fn redrive(&self, letters: Letters) -> Result<Swept<Vec<Lane>>, QueueError>;

    /// Deletes dead letters; answers with how many.
    async fn discard(&self, letters: Letters) -> Result<Swept<usize>, QueueError>;

    /// How much waits where.
    async fn statistics(&self) -> Result<Vec<LaneCounts>, QueueError>;

    /// Which of these files belong to a call or a dead letter.
    async fn keeps(&self, bodies: Vec<BodyName>) -> Result<HashSet<BodyName>, QueueError>;

    /// Finishes what was asked before and gives everything up.
    async fn close(&self) -> Result<(), QueueError>;
}
