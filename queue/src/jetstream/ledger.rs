//! What this process knows of messages that NATS has handed to it: which run, and which are to come again when.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::Subject;
use bytes::Bytes;

use super::message::Meta;
use crate::call::{Lane, Ticket};
use crate::time::{millis, now_ms};

/// The server wakes delayed messages a little later than asked.
const TARDINESS_MS: i64 = 20;
/// A delayed message that has not come by then is somebody else's, or gone.
const GIVE_UP_MS: i64 = 10_000;

/// A message that runs here.
pub(super) struct Running {
    pub(super) lane: Lane,
    /// Its number in the stream.
    pub(super) sequence: u64,
    pub(super) subject: Subject,
    /// Where it is acknowledged.
    pub(super) reply: Subject,
    pub(super) attempt: u32,
    pub(super) meta: Meta,
    pub(super) payload: Bytes,
}

#[derive(Default)]
pub(super) struct Ledger(Mutex<Book>);

#[derive(Default)]
struct Book {
    next_id: u64,
    running: HashMap<u64, (Running, i64)>,
    by_message: HashMap<(Arc<str>, u64), u64>,
    lanes: HashMap<Lane, Waits>,
}

#[derive(Default)]
struct Waits {
    /// Messages that were given back, and when they come again.
    delayed: HashMap<u64, i64>,
    running: usize,
    /// There may be messages that were handed out and that we do not know: of a former process, or of before a
    /// connection was lost. They come again when their lease has run out.
    strangers: bool,
}

impl Ledger {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a message that was handed to us. If it runs already, its lease was lost, and the old ticket is void.
    pub(super) fn started(&self, running: Running, lease: Duration) -> Ticket {
        let mut book = self.book();
        let key = (Arc::clone(&running.lane.queue), running.sequence);
        if let Some(old) = book.by_message.get(&key).copied() {
            book.forget(old);
        }
        book.next_id += 1;
        let (id, attempt) = (book.next_id, running.attempt);
        let waits = book.lanes.entry(running.lane.clone()).or_default();
        waits.delayed.remove(&running.sequence);
        waits.running += 1;
        book.by_message.insert(key, id);
        book.running.insert(id, (running, now_ms().saturating_add(millis(lease))));
        Ticket { id, attempt }
    }

    /// Takes a running message out to settle it; `None` if its lease was lost.
    pub(super) fn take(&self, ticket: Ticket) -> Option<Running> {
        self.book().forget(ticket.id)
    }

    pub(super) fn delayed(&self, running: &Running, at: i64) {
        self.book().lanes.entry(running.lane.clone()).or_default().delayed.insert(running.sequence, at);
    }

    /// A waiting message is gone.
    pub(super) fn gone(&self, lane: &Lane, sequence: u64) {
        if let Some(waits) = self.book().lanes.get_mut(lane) {
            waits.delayed.remove(&sequence);
        }
    }

    /// When the next delayed message of a lane comes, if one is known.
    pub(super) fn next(&self, lane: &Lane) -> Option<i64> {
        let now = now_ms();
        let mut book = self.book();
        let waits = book.lanes.get_mut(lane)?;
        let before = waits.delayed.len();
        waits.delayed.retain(|_, at| *at + GIVE_UP_MS > now);
        waits.strangers |= waits.delayed.len() < before;
        let earliest = waits.delayed.values().min()?;
        Some((*earliest + TARDINESS_MS).max(now + TARDINESS_MS))
    }

    /// Messages of a lane that were handed out to us and not acknowledged.
    pub(super) fn known(&self, lane: &Lane) -> u64 {
        self.book().lanes.get(lane).map_or(0, |waits| (waits.running + waits.delayed.len()) as u64)
    }

    pub(super) fn running(&self, lane: &Lane) -> u64 {
        self.book().lanes.get(lane).map_or(0, |waits| waits.running as u64)
    }

    /// The ticket of a message, if it runs here.
    pub(super) fn ticket(&self, queue: &Arc<str>, sequence: u64) -> Option<Ticket> {
        let book = self.book();
        let id = *book.by_message.get(&(Arc::clone(queue), sequence))?;
        Some(Ticket { id, attempt: book.running.get(&id)?.0.attempt })
    }

    pub(super) fn has_strangers(&self, lane: &Lane) -> bool {
        self.book().lanes.get(lane).is_some_and(|waits| waits.strangers)
    }

    pub(super) fn strangers(&self, lane: &Lane, any: bool) {
        let mut book = self.book();
        book.lanes.entry(lane.clone()).or_default().strangers = any;
        if !any {
            book.tidy(lane);
        }
    }

    /// After a lost connection nothing is certain; answers with the lanes that are known.
    pub(super) fn doubt(&self) -> Vec<Lane> {
        let mut book = self.book();
        book.lanes.values_mut().for_each(|waits| waits.strangers = true);
        book.lanes.keys().cloned().collect()
    }

    /// Notes new leases; answers with where to confirm them.
    pub(super) fn extend(&self, tickets: &[Ticket], lease: Duration) -> Vec<Subject> {
        let until = now_ms().saturating_add(millis(lease));
        let mut book = self.book();
        let mut replies = Vec::with_capacity(tickets.len());
        for ticket in tickets {
            if let Some((running, lease_until)) = book.running.get_mut(&ticket.id) {
                *lease_until = until;
                replies.push(running.reply.clone());
            }
        }
        replies
    }

    /// Forgets what nobody has extended in time; answers with the lanes.
    pub(super) fn expire(&self) -> HashSet<Lane> {
        let now = now_ms();
        let mut book = self.book();
        let lost: Vec<u64> = book.running.iter().filter(|(_, (_, until))| *until < now).map(|(id, _)| *id).collect();
        let mut lanes = HashSet::new();
        for id in lost {
            if let Some(running) = book.forget(id) {
                book.lanes.entry(running.lane.clone()).or_default().strangers = true;
                lanes.insert(running.lane);
            }
        }
        lanes
    }
}

impl Book {
    fn forget(&mut self, id: u64) -> Option<Running> {
        let (running, _) = self.running.remove(&id)?;
        self.by_message.remove(&(Arc::clone(&running.lane.queue), running.sequence));
        if let Some(waits) = self.lanes.get_mut(&running.lane) {
            waits.running = waits.running.saturating_sub(1);
        }
        self.tidy(&running.lane);
        Some(running)
    }

    /// A lane of which nothing is known costs nothing.
    fn tidy(&mut self, lane: &Lane) {
        if self.lanes.get(lane).is_some_and(|waits| !waits.strangers && waits.running == 0 && waits.delayed.is_empty())
        {
            self.lanes.remove(lane);
        }
    }
}
