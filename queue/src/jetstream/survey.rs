//! Looking over everything that the streams hold.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::{ErrorCode, stream};

use super::message::Meta;
use super::server::Failure;
use super::settle::file;
use super::{JetStream, names};
use crate::bodies::BodyName;
use crate::call::Lane;
use crate::error::QueueError;
use crate::statistics::{Counts, LaneCounts};
use crate::store::{Cancelled, Swept};

/// For so long figures are given out again.
const FRESH: Duration = Duration::from_secs(2);

/// The figures of a moment.
#[derive(Default)]
pub(super) struct Survey(Option<(Instant, Vec<LaneCounts>)>);

impl JetStream {
    /// At the start: whatever is there, handed out or not, may be to be done.
    pub(super) async fn lanes_with_messages(&self) -> Result<Vec<Lane>, QueueError> {
        let mut lanes = HashSet::new();
        for queue in self.streams.queues().await? {
            let contents = self.streams.contents(&names::stream(&queue), ">").await?;
            lanes.extend(contents.subjects.keys().filter_map(|subject| names::lane(subject)));
        }
        lanes.iter().for_each(|lane| self.ledger.strangers(lane, true));
        Ok(lanes.into_iter().collect())
    }

    /// Lanes with messages that nobody has claimed, or that somebody claimed whom we do not know.
    pub(super) async fn lanes_to_look_at(&self) -> Result<Vec<Lane>, QueueError> {
        let mut lanes = Vec::new();
        for (lane, waiting, handed_out) in self.consumers().await? {
            let strangers = handed_out > self.ledger.known(&lane);
            if strangers {
                self.ledger.strangers(&lane, true);
            }
            if strangers || waiting > 0 {
                lanes.push(lane);
            }
        }
        Ok(lanes)
    }

    pub(super) async fn count(&self) -> Result<Vec<LaneCounts>, QueueError> {
        let mut survey = self.survey.lock().await;
        if let Some((at, figures)) = &survey.0
            && at.elapsed() < FRESH
        {
            return Ok(figures.clone());
        }
        let mut counts: HashMap<Lane, Counts> = HashMap::new();
        for (lane, waiting, handed_out) in self.consumers().await? {
            let running = self.ledger.running(&lane);
            let waiting = waiting + handed_out.saturating_sub(running);
            let these = Counts::waiting(signed(waiting)).and(Counts::running(signed(running)));
            counts.insert(lane, these);
        }
        for (subject, number) in self.streams.contents(names::DEAD_STREAM, ">").await?.subjects {
            if let Some(lane) = names::lane(&subject) {
                let sum = counts.entry(lane).or_default();
                *sum = sum.and(Counts::dead(signed(number)));
            }
        }
        counts.retain(|_, counts| *counts != Counts::default());
        let mut figures: Vec<_> = counts.into_iter().map(|(lane, counts)| counts.of(lane)).collect();
        figures.sort_by(|a, b| a.lane.cmp(&b.lane));
        survey.0 = Some((Instant::now(), figures.clone()));
        Ok(figures)
    }

    /// Per lane the messages that wait for the first time, and those that were handed out and not acknowledged.
    async fn consumers(&self) -> Result<Vec<(Lane, u64, u64)>, QueueError> {
        let mut all = Vec::new();
        for queue in self.streams.queues().await? {
            for consumer in self.streams.consumers(&queue).await? {
                if let Some(function) = names::untoken(&consumer.name) {
                    let lane = Lane { queue: Arc::clone(&queue), function: function.into() };
                    all.push((lane, consumer.num_pending, consumer.num_ack_pending));
                }
            }
        }
        Ok(all)
    }

    pub(super) async fn cancel_calls(&self, call_id: &str) -> Result<Swept<Cancelled>, QueueError> {
        let mut swept = Swept::<Cancelled>::default();
        for queue in self.streams.queues().await? {
            let stream = names::stream(&queue);
            let found = self.streams.contents(&stream, &names::calls_of_id(&queue, call_id)).await?;
            for subject in found.subjects.into_keys() {
                let Some(message) = self.message_at(&stream, &subject).await? else { continue };
                let Some(meta) = Meta::read(Some(&message.headers)).filter(|meta| meta.call_id == call_id) else {
                    continue;
                };
                if let Some(ticket) = self.ledger.ticket(&queue, message.sequence) {
                    swept.value.running.push(ticket);
                } else if self.delete(&stream, message.sequence).await? {
                    if let Some(lane) = names::lane(&subject) {
                        self.ledger.gone(&lane, message.sequence);
                    }
                    swept.value.removed += 1;
                    swept.bodies.extend(file(&meta));
                }
            }
        }
        Ok(swept)
    }

    pub(super) async fn kept(&self, bodies: Vec<BodyName>) -> Result<HashSet<BodyName>, QueueError> {
        let mut streams: Vec<String> = self.streams.queues().await?.iter().map(|queue| names::stream(queue)).collect();
        streams.push(names::DEAD_STREAM.to_owned());
        let mut kept = HashSet::new();
        for stream in streams {
            let contents = self.streams.contents(&stream, ">").await?;
            if (contents.subjects.len() as u64) < contents.all {
                tracing::warn!(stream, "NATS does not name all messages; left-over bodies are not collected.");
                return Ok(bodies.into_iter().collect());
            }
            let alive: HashSet<&str> =
                contents.subjects.keys().filter_map(|subject| names::fingerprint(subject)).collect();
            kept.extend(bodies.iter().filter(|body| alive.contains(body.fingerprint())).cloned());
        }
        Ok(kept)
    }

    /// The newest message of a subject.
    pub(super) async fn message_at(&self, stream: &str, subject: &str) -> Result<Option<StreamMessage>, QueueError> {
        let handle = self.handle(stream).await?;
        match handle.get_last_raw_message_by_subject(subject).await {
            Ok(message) => Ok(Some(message)),
            Err(error) if error.kind() == stream::LastRawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(self.silent("show a message", error)),
        }
    }

    /// Deletes a message; false if it was gone.
    pub(super) async fn delete(&self, stream: &str, sequence: u64) -> Result<bool, QueueError> {
        let question = serde_json::json!({ "seq": sequence });
        let asked = self.streams.server.api(format!("STREAM.MSG.DELETE.{stream}"), &question).await;
        match asked {
            Ok(serde_json::Value::Object(answer)) => Ok(answer.get("success").is_some_and(|done| done == true)),
            Ok(_) => Ok(false),
            Err(failure) if failure.is(GONE) => Ok(false),
            Err(failure) => Err(self.streams.server.error("delete a message", failure)),
        }
    }

    pub(super) async fn handle(&self, stream: &str) -> Result<stream::Stream<()>, QueueError> {
        let handle = self.streams.server.context.get_stream_no_info(stream).await;
        handle.map_err(|error| self.silent("find a stream", error))
    }

    pub(super) fn silent(&self, what: &'static str, error: impl std::error::Error) -> QueueError {
        self.streams.server.error(what, Failure::Silent(error.to_string()))
    }
}

/// How the server says that there was no such message to delete.
const GONE: ErrorCode = ErrorCode(10_057);

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
