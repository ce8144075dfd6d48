//! Live pages: server-sent events, bounded in number and in time.
//!
//! A stream ends when it has to be proven anew who reads: browsers ask again by themselves and say how far they were, and the
//! router looks again who they are.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, StatusCode};
use sdk::call::CallError;
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::refusal::Refusal;
use crate::visitor::Visitor;

/// One person has at most so many.
const PER_PERSON: usize = 20;
/// So many events wait for a slow reader. Nothing is read for whoever does not read these.
const WAITING: usize = 4;
/// How soon a browser asks again, in milliseconds.
const AGAIN: std::time::Duration = std::time::Duration::from_millis(500);
/// By browsers that ask again.
const LAST_ID: HeaderName = HeaderName::from_static("last-event-id");

/// How a stream's work ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// There is no more.
    Ended,
    /// There may be more, for who asks again.
    BrokenOff,
}

/// Places of live pages.
#[derive(Clone)]
pub(crate) struct Streams {
    all: Arc<Semaphore>,
    by_person: Arc<Mutex<HashMap<String, usize>>>,
}

/// One place; it is free again when this is dropped.
struct Seat {
    streams: Streams,
    subject: String,
    _of_all: OwnedSemaphorePermit,
}

impl Streams {
    pub(crate) fn new(limit: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(limit.min(Semaphore::MAX_PERMITS))), by_person: Arc::default() }
    }

    fn seat(&self, subject: String) -> Option<Seat> {
        let of_all = Arc::clone(&self.all).try_acquire_owned().ok()?;
        let mut people = self.people();
        let taken = people.entry(subject.clone()).or_default();
        if *taken >= PER_PERSON {
            return None;
        }
        *taken += 1;
        drop(people);
        Some(Seat { streams: self.clone(), subject, _of_all: of_all })
    }

    fn people(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.by_person.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers with the events that `work` sends. The last one says that there are no more, unless time was up or `work` broke
    /// off; browsers ask again then.
    pub(crate) fn open<F, W>(&self, visitor: &Visitor, work: F) -> Result<Response, Refusal>
    where
        F: FnOnce(Sender<Event>) -> W,
        W: Future<Output = Outcome> + Send + 'static,
    {
        let seat = self.seat(visitor.who.subject()).ok_or(Refusal::Crowded)?;
        let (events, out) = channel(WAITING);
        let (work, time) = (work(events.clone()), visitor.remaining());
        tokio::spawn(async move {
            let _seat = seat;
            tokio::select! {
                () = send(work, &events) => {}
                () = events.closed() => {}
                () = tokio::time::sleep(time) => {}
            }
        });
        let begin = Event::default().retry(AGAIN).comment("live");
        Ok(Sse::new(futures_util::stream::unfold((Some(begin), out), next))
            .keep_alive(KeepAlive::default())
            .into_response())
    }
}

async fn send(work: impl Future<Output = Outcome>, events: &Sender<Event>) {
    if work.await == Outcome::Ended {
        // Whoever left needs no end.
        let _ = events.send(Event::default().event("end").data("end")).await;
    }
}

/// Says why a log is not followed.
pub(crate) async fn not_followed(events: &Sender<Event>, visitor: &Visitor, error: &CallError) -> Outcome {
    tracing::warn!(call_id = %visitor.call, error = sdk::failure::chain(error), "A log cannot be followed");
    let sentence = match error {
        CallError::Refused { status: StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS, .. } => {
            "Too many people follow logs at the moment. Load the page again soon."
        }
        _ => "The log cannot be followed at the moment.",
    };
    // As above.
    let _ = events.send(Event::default().event("down").data(sentence)).await;
    Outcome::Ended
}

type Out = (Option<Event>, Receiver<Event>);

async fn next((begin, mut out): Out) -> Option<(Result<Event, Infallible>, Out)> {
    let event = match begin {
        Some(event) => event,
        None => out.recv().await?,
    };
    Some((Ok(event), (None, out)))
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut people = self.streams.people();
        if let Some(taken) = people.get_mut(&self.subject) {
            *taken -= 1;
            if *taken == 0 {
                people.remove(&self.subject);
            }
        }
    }
}

/// How far a browser was that asks again.
pub(crate) fn last_id(headers: &HeaderMap) -> Option<&str> {
    headers.get(LAST_ID)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_few_for_one_and_bounded_for_all_and_free_again_afterwards() {
        let streams = Streams::new(PER_PERSON + 1);
        let mut seats: Vec<_> = (0..PER_PERSON).map(|_| streams.seat("a".to_owned()).unwrap()).collect();
        assert!(streams.seat("a".to_owned()).is_none());
        let other = streams.seat("b".to_owned()).unwrap();
        assert!(streams.seat("c".to_owned()).is_none());
        seats.pop();
        assert!(streams.seat("a".to_owned()).is_some());
        drop((seats, other));
        assert!(streams.people().is_empty());
    }
}
