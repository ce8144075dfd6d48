//! Telling calls that run to stop.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use queue::Ticket;
use tokio_util::sync::CancellationToken;

/// A call that was claimed is begun long before this time is over. One that is not had ended already.
const EARLY: Duration = Duration::from_secs(60);

/// Calls that run may be cancelled by their tickets.
#[derive(Debug, Default)]
pub(crate) struct Cancellations(Mutex<HashMap<Ticket, Entry>>);

#[derive(Debug)]
struct Entry {
    token: CancellationToken,
    /// Until then it is kept although the call was not begun; `None` once it was.
    until: Option<Instant>,
}

impl Cancellations {
    /// The token of a call. It may be cancelled already: the call was claimed, and cancelled before it was begun.
    pub(super) fn token(&self, ticket: Ticket) -> CancellationToken {
        let mut calls = self.calls();
        let entry = calls.entry(ticket).or_insert_with(|| Entry { token: CancellationToken::new(), until: None });
        entry.until = None;
        entry.token.clone()
    }

    /// Whether this call is to stop.
    pub(super) fn is_cancelled(&self, ticket: Ticket) -> bool {
        self.calls().get(&ticket).is_some_and(|entry| entry.token.is_cancelled())
    }

    pub(crate) fn cancel(&self, ticket: Ticket) {
        self.cancel_at(ticket, Instant::now());
    }

    fn cancel_at(&self, ticket: Ticket, now: Instant) {
        let mut calls = self.calls();
        calls.retain(|_, entry| entry.until.is_none_or(|until| now < until));
        let early = || Entry { token: CancellationToken::new(), until: Some(now + EARLY) };
        calls.entry(ticket).or_insert_with(early).token.cancel();
    }

    /// The call has ended.
    pub(super) fn forget(&self, ticket: Ticket) {
        self.calls().remove(&ticket);
    }

    fn calls(&self) -> MutexGuard<'_, HashMap<Ticket, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_call_is_cancelled_before_it_is_begun_and_nothing_is_kept_of_one_that_had_ended() {
        let dir = tempfile::tempdir().unwrap();
        let [early, ended, late] = tickets(dir.path()).await;
        let (all, now) = (Cancellations::default(), Instant::now());
        all.cancel_at(early, now);
        assert!(all.token(early).is_cancelled());
        all.cancel_at(ended, now);
        let token = all.token(late);
        all.cancel_at(late, now + EARLY);
        assert!(token.is_cancelled() && all.is_cancelled(early), "what was begun is kept until it ends");
        assert_eq!(all.calls().len(), 2);
        all.forget(early);
        all.forget(late);
        assert!(all.calls().is_empty());
    }

    /// Only a queue makes tickets.
    async fn tickets(folder: &std::path::Path) -> [Ticket; 3] {
        let queue = queue::embedded(folder, queue::Options::default()).await.unwrap();
        let lane = queue::Lane::new(queue::DEFAULT_QUEUE, "f");
        for call_id in ["1", "2", "3"] {
            let head = queue::Head {
                lane: lane.clone(),
                call_id: call_id.to_owned(),
                method: http::Method::POST,
                path: "/".to_owned(),
                headers: http::HeaderMap::new(),
            };
            queue.spool(head).enqueue().await.unwrap();
        }
        let claimed = queue.claim(vec![queue::Want { lane, calls: 3 }]).await.unwrap().remove(0);
        let tickets: Vec<_> = claimed.calls.iter().map(|call| call.ticket).collect();
        tickets.try_into().unwrap()
    }
}
