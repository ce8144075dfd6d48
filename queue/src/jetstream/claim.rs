//! Taking messages out.

use std::time::Duration;

use async_nats::jetstream::Message;
use futures_util::StreamExt;
use tokio::time::timeout;

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
/// How often a lane is looked at whose messages may come again at a time that nobody here knows.
const STRANGERS_MS: i64 = 500;

/// Messages of a lane, and how many more it had then.
struct Fetched {
    messages: Vec<Message>,
    more: u64,
}

impl JetStream {
    pub(super) async fn claim_one(&self, want: Want) -> Result<Claimed, QueueError> {
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
            calls.extend(self.start(&lane, message).await?);
        }
        let next = if full || more > 0 { Some(now_ms()) } else { self.next(&lane).await? };
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
        match timeout(HAND_OVER, all).await {
            Ok(Ok(())) => Ok(fetched),
            // What has come all the same would otherwise wait for its lease to run out.
            _ if !fetched.messages.is_empty() => Ok(fetched),
            Ok(Err(detail)) => Err(failed(detail)),
            Err(_) => Err(failed("no answer".to_owned())),
        }
    }

    /// Notes a message as running. One that cannot be read becomes a dead letter.
    async fn start(&self, lane: &Lane, message: Message) -> Result<Option<Call>, QueueError> {
        let Ok(info) = message.info() else { return Ok(None) };
        let (sequence, delivered) = (info.stream_sequence, u32::try_from(info.delivered).unwrap_or(u32::MAX));
        let Some(reply) = message.reply.clone() else { return Ok(None) };
        let meta = Meta::read(message.headers.as_ref());
        let readable = meta.as_ref().and_then(|meta| parse(lane, meta, &message.payload, &self.bodies));
        let meta = meta.unwrap_or_default();
        let attempt = meta.attempts.saturating_add(delivered.max(1));
        let (subject, payload) = (message.subject.clone(), message.payload.clone());
        let running = Running { lane: lane.clone(), sequence, subject, reply, attempt, meta, payload };
        if let Some((head, body)) = readable {
            let ticket = self.ledger.started(running, self.lease);
            return Ok(Some(Call { ticket, head, body }));
        }
        let reason = "the stored request cannot be read".to_owned();
        self.settle_one(running, Verdict::Dead { status: 0, reason }).await?;
        Ok(None)
    }

    /// When a lane that has nothing due is to be looked at again.
    async fn next(&self, lane: &Lane) -> Result<Option<i64>, QueueError> {
        let next = self.ledger.next(lane);
        if !self.ledger.has_strangers(lane) {
            return Ok(next);
        }
        let mut consumer = self.streams.consumer(lane).await?;
        let info = consumer.info().await;
        let info =
            info.map_err(|error| self.streams.server.error("describe a consumer", Failure::Silent(error.to_string())))?;
        if info.num_ack_pending as u64 <= self.ledger.known(lane) && info.num_pending == 0 {
            self.ledger.strangers(lane, false);
            return Ok(next);
        }
        let soon = now_ms() + STRANGERS_MS;
        Ok(Some(next.map_or(soon, |at| at.min(soon))))
    }
}
