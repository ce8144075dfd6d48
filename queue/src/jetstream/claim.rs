//! Taking messages out.

use std::time::Duration;

use async_nats::jetstream::Message;
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, sleep, timeout};

use super::JetStream;
use super::ledger::Running;
use super::message::{Meta, parse};
use super::server::Failure;
use crate::call::{Call, Lane};
use crate::error::QueueError;
use crate::store::{Claimed, Verdict, Want};
use crate::time::now_ms;

/// How long NATS may take to hand over what it has.
const HAND_OVER: Duration = Duration::from_secs(3);
/// When it is asked whether the consumer is there at all: whoever fetches from one that was removed gets no answer.
const DOUBT: Duration = Duration::from_millis(250);
/// How often a lane is looked at whose messages may come again at a time that nobody here knows.
const STRANGERS_MS: i64 = 500;
/// Lanes asked for at once. To make a consumer on a stream with 150,000 messages takes NATS 2.9 a tenth of a second, in
/// which it does nothing else for the stream. With more lanes at once it makes no more of them, and hands calls over
/// after nobody waits for them any longer.
const AT_ONCE: usize = 8;
/// Lanes that could not be asked for within this time are left for the next claim: what was claimed waits to be
/// started, and leases of what runs to be extended.
const ROUND: Duration = Duration::from_secs(3);
/// When they are asked for: not before whoever claims has looked after the rest.
const NEXT_ROUND_MS: i64 = 20;
/// When a lane is asked for again that could not be claimed.
const TROUBLE_MS: i64 = 500;

/// What became of one want; without an error if there was no time for it.
type Outcome = Result<Claimed, (Lane, Option<QueueError>)>;

/// Messages of a lane, and how many more it had then.
struct Fetched {
    messages: Vec<Message>,
    more: u64,
}

impl JetStream {
    /// Claims from each lane what it has; the answers are in the order of the wants. It fails if every lane does: what
    /// some have handed over must not wait for its leases to run out because of others.
    pub(super) async fn claim_all(&self, wants: Vec<Want>) -> Result<Vec<Claimed>, QueueError> {
        let until = Instant::now() + ROUND;
        let one = |(index, want): (usize, Want)| async move {
            let lane = want.lane.clone();
            if Instant::now() >= until {
                return (index, Err((lane, None)));
            }
            (index, self.claim_one(want).await.map_err(|error| (lane, Some(error))))
        };
        let asked = stream::iter(wants.into_iter().enumerate()).map(one).buffer_unordered(AT_ONCE);
        let mut outcomes: Vec<(usize, Outcome)> = asked.collect().await;
        outcomes.sort_unstable_by_key(|(index, _)| *index);
        unless_all_failed(outcomes.into_iter().map(|(_, outcome)| outcome))
    }

    async fn claim_one(&self, want: Want) -> Result<Claimed, QueueError> {
        let Want { lane, calls: wanted } = want;
        self.streams.server.connected("hand over calls")?;
        let Fetched { messages, more } = match self.fetch(&lane, wanted).await {
            Ok(fetched) => fetched,
            Err(_) => {
                // Somebody may have removed the consumer; it is made again, once.
                self.streams.forget_consumer(&lane);
                self.streams.forget(&lane.queue);
                self.fetch(&lane, wanted).await?
            }
        };
        let full = messages.len() >= wanted;
        let mut calls = Vec::with_capacity(messages.len());
        for message in messages {
            calls.extend(self.start(&lane, message).await);
        }
        let next = if full || more > 0 { Some(now_ms()) } else { self.next(&lane).await };
        Ok(Claimed { lane, calls, next })
    }

    async fn fetch(&self, lane: &Lane, wanted: usize) -> Result<Fetched, QueueError> {
        let failed = |detail: String| self.streams.server.error("hand over calls", Failure::Silent(detail));
        let consumer = self.streams.consumer(lane).await?;
        let mut fetched = Fetched { messages: Vec::new(), more: 0 };
        let all = async {
            let mut batch =
                consumer.fetch().max_messages(wanted).messages().await.map_err(|error| error.to_string())?;
            while let Some(message) = batch.next().await {
                let message = message.map_err(|error| error.to_string())?;
                fetched.more = message.info().map_err(|error| error.to_string())?.pending;
                fetched.messages.push(message);
            }
            Ok::<_, String>(())
        };
        let outcome = tokio::select! {
            outcome = timeout(HAND_OVER, all) => outcome,
            () = self.gone(lane) => Ok(Err("the consumer is gone".to_owned())),
        };
        match outcome {
            Ok(Ok(())) => Ok(fetched),
            // What has come all the same would otherwise wait for its lease to run out.
            _ if !fetched.messages.is_empty() => Ok(fetched),
            Ok(Err(detail)) => Err(failed(detail)),
            Err(_) => Err(failed("no answer".to_owned())),
        }
    }

    /// Ends only if a lane turns out to have no consumer.
    async fn gone(&self, lane: &Lane) {
        sleep(DOUBT).await;
        if !self.streams.lacks_consumer(lane).await {
            std::future::pending().await
        }
    }

    /// Notes a message as running. One that cannot be read becomes a dead letter.
    async fn start(&self, lane: &Lane, message: Message) -> Option<Call> {
        let info = message.info().ok()?;
        let (sequence, delivered) = (info.stream_sequence, u32::try_from(info.delivered).unwrap_or(u32::MAX));
        let reply = message.reply.clone()?;
        let meta = Meta::read(message.headers.as_ref());
        let readable = meta.as_ref().and_then(|meta| parse(lane, meta, &message.payload, &self.bodies));
        let meta = meta.unwrap_or_default();
        let attempt = meta.attempts.saturating_add(delivered.max(1));
        let (subject, payload) = (message.subject.clone(), message.payload.clone());
        let running = Running { lane: lane.clone(), sequence, subject, reply, attempt, meta, payload };
        if let Some((head, body)) = readable {
            let ticket = self.ledger.started(running, self.lease);
            return Some(Call { ticket, head, body });
        }
        let reason = "the stored request cannot be read".to_owned();
        if let Err(error) = self.settle_one(running, Verdict::Dead { status: 0, reason }).await {
            tracing::warn!(%error, sequence, "A stored request that cannot be read comes again; giving it up failed.");
            self.ledger.strangers(lane, true);
        }
        None
    }

    /// When a lane that has nothing due is to be looked at again.
    async fn next(&self, lane: &Lane) -> Option<i64> {
        let next = self.ledger.next(lane);
        if !self.ledger.has_strangers(lane) {
            return next;
        }
        // Where nobody says that there is nothing, there may be something.
        if self.has_only_known(lane).await.unwrap_or(false) {
            self.ledger.strangers(lane, false);
            return next;
        }
        let soon = now_ms() + STRANGERS_MS;
        Some(next.map_or(soon, |at| at.min(soon)))
    }

    async fn has_only_known(&self, lane: &Lane) -> Result<bool, QueueError> {
        let mut consumer = self.streams.consumer(lane).await?;
        let info = consumer.info().await.map_err(|error| self.silent("describe a consumer", error))?;
        Ok(info.num_ack_pending as u64 <= self.ledger.known(lane) && info.num_pending == 0)
    }
}

/// Lanes that failed, or that there was no time for, are to be asked for again soon.
fn unless_all_failed(outcomes: impl Iterator<Item = Outcome>) -> Result<Vec<Claimed>, QueueError> {
    let (mut claimed, mut missed, mut failures) = (Vec::new(), 0, Vec::new());
    for outcome in outcomes {
        claimed.push(outcome.unwrap_or_else(|(lane, failure)| {
            missed += 1;
            let pause = if failure.is_some() { TROUBLE_MS } else { NEXT_ROUND_MS };
            failures.extend(failure);
            Claimed { lane, calls: Vec::new(), next: Some(now_ms() + pause) }
        }));
    }
    let lanes = failures.len();
    match failures.into_iter().next() {
        Some(error) if missed == claimed.len() => Err(error),
        Some(error) => {
            tracing::warn!(%error, lanes, "Queued calls of some functions cannot be claimed; they are tried again.");
            Ok(claimed)
        }
        None => Ok(claimed),
    }
}
