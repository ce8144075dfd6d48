//! How attempts end, and the leases of those that go on.

use std::collections::HashSet;
use std::time::Duration;

use async_nats::jetstream::AckKind;
use bytes::Bytes;
use tokio::time::timeout;

use super::ledger::Running;
use super::message::{Death, Meta};
use super::server::Failure;
use super::{JetStream, names};
use crate::bodies::BodyName;
use crate::call::{Lane, Ticket};
use crate::error::QueueError;
use crate::letters::cut;
use crate::store::Verdict;
use crate::time::now_ms;

const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

impl JetStream {
    pub(super) async fn settle_one(&self, running: Running, verdict: Verdict) -> Result<Vec<BodyName>, QueueError> {
        let settled = match verdict {
            Verdict::Done => self.finish(&running).await.map(|()| file(&running.meta)),
            Verdict::Retry { at, .. } => self.delay(&running, at).await.map(|()| Vec::new()),
            Verdict::Released => self.release(&running).await.map(|()| Vec::new()),
            Verdict::Dead { status, reason } => self.bury(&running, status, &reason).await.map(|()| Vec::new()),
        };
        if settled.is_err() {
            // It comes again when its lease has run out.
            self.ledger.strangers(&running.lane, true);
        }
        settled
    }

    async fn finish(&self, running: &Running) -> Result<(), QueueError> {
        self.acknowledge(running, AckKind::Ack).await
    }

    async fn delay(&self, running: &Running, at: i64) -> Result<(), QueueError> {
        let wait = Duration::from_millis(at.saturating_sub(now_ms()).max(0).unsigned_abs());
        // Noted first: the message may be back before the server has said that it will be.
        self.ledger.delayed(running, at);
        let kind = AckKind::Nak((!wait.is_zero()).then_some(wait));
        let told = self.acknowledge(running, kind).await;
        if told.is_err() {
            self.ledger.gone(&running.lane, running.sequence);
        }
        told
    }

    /// The server counts an attempt when it hands a message out, so a message with the former count takes its place.
    async fn release(&self, running: &Running) -> Result<(), QueueError> {
        let meta = Meta { attempts: running.attempt.saturating_sub(1), ..running.meta.clone() };
        let again = meta.message(running.payload.clone()).message_id(nuid::next().as_str());
        let stored = self.streams.server.publish(running.subject.as_str(), again).await;
        let ended = match stored {
            Ok(_) => self.finish(running).await,
            // Better one attempt too few than a call too few.
            Err(_) => self.delay(running, now_ms()).await,
        };
        self.news.add([&running.lane]);
        ended
    }

    async fn bury(&self, running: &Running, status: u16, reason: &str) -> Result<(), QueueError> {
        let death = Death { status, reason: cut(reason).to_owned(), died_at: now_ms() };
        let meta = Meta { attempts: running.attempt, death: Some(death), ..running.meta.clone() };
        let letter = meta.message(running.payload.clone()).message_id(nuid::next().as_str());
        let mut letters = self.dead_letters.lock().await;
        let bodies = self.make_room(&mut letters).await?;
        let stored = self.streams.server.publish(&names::dead(&running.subject), letter).await;
        *letters += u64::from(stored.is_ok());
        drop(letters);
        // The letters that they belonged to are gone, whatever becomes of this one.
        self.bodies.remove(bodies).await;
        stored.map_err(|failure| self.streams.server.error("store a dead letter", failure))?;
        self.finish(running).await
    }

    async fn acknowledge(&self, running: &Running, kind: AckKind) -> Result<(), QueueError> {
        self.streams.server.acknowledge(&running.reply, Bytes::from(kind), self.lease).await
    }

    pub(super) async fn extend_all(&self, tickets: &[Ticket]) -> Result<Vec<Lane>, QueueError> {
        let client = &self.streams.server.client;
        let all = async {
            for reply in self.ledger.extend(tickets, self.lease) {
                client.publish(reply, AckKind::Progress.into()).await.map_err(|error| error.to_string())?;
            }
            client.flush().await.map_err(|error| error.to_string())
        };
        let connected = self.streams.server.connected("extend leases");
        let sent = match &connected {
            Ok(()) => timeout(SIGN_OF_LIFE, all).await.unwrap_or_else(|_| Err("no answer".to_owned())),
            Err(_) => Ok(()),
        };
        let mut lanes: HashSet<Lane> = self.ledger.expire();
        connected?;
        sent.map_err(|detail| self.streams.server.error("extend leases", Failure::Silent(detail)))?;
        lanes.extend(self.lanes_to_look_at().await?);
        Ok(lanes.into_iter().collect())
    }
}

pub(super) fn file(meta: &Meta) -> Vec<BodyName> {
    meta.body().into_iter().collect()
}
