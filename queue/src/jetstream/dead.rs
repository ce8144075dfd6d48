//! The stream of dead letters.

use std::collections::VecDeque;
use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, PullConsumer, pull};
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::RawMessageErrorKind;
use futures_util::StreamExt;
use serde_json::json;
use tokio::time::timeout;

use super::message::Meta;
use super::settle::file;
use super::{JetStream, names};
use crate::bodies::BodyName;
use crate::call::Lane;
use crate::error::QueueError;
use crate::letters::{DeadLetter, Letters};
use crate::store::{Enqueued, Swept};

/// Letters read at once.
const PAGE: usize = 500;
const READING: Duration = Duration::from_secs(10);

/// A dead letter without its request.
struct Letter {
    sequence: u64,
    subject: String,
    meta: Meta,
}

impl JetStream {
    pub(super) async fn list_dead(&self, function: Option<&str>, limit: usize) -> Result<Vec<DeadLetter>, QueueError> {
        let newest = self.read_letters(function, limit).await?;
        let shown = newest.into_iter().rev().filter_map(|letter| {
            let lane = names::lane(&letter.subject)?;
            Some(letter.meta.letter(letter.sequence, &lane))
        });
        Ok(shown.collect())
    }

    pub(super) async fn read_letter(&self, id: u64) -> Result<Option<DeadLetter>, QueueError> {
        Ok(self.letter_at(id).await?.and_then(|message| {
            let meta = Meta::read(Some(&message.headers)).unwrap_or_default();
            Some(meta.letter(id, &names::lane(&message.subject)?))
        }))
    }

    pub(super) async fn redrive_letters(&self, letters: Letters) -> Result<Swept<Vec<Lane>>, QueueError> {
        let mut swept = Swept::<Vec<Lane>>::default();
        for id in self.chosen(&letters).await?.into_iter().map(|letter| letter.sequence) {
            let Some(message) = self.letter_at(id).await? else { continue };
            let Some(lane) = names::lane(&message.subject) else { continue };
            let meta = Meta::read(Some(&message.headers)).unwrap_or_default();
            let fresh = Meta { attempts: 0, death: None, ..meta.clone() };
            let subject = names::alive(&message.subject);
            let stored = self.store_once(&lane, &subject, &fresh.message(message.payload)).await?;
            // The same call came in again meanwhile and waits already, with a body of its own; or it is this very
            // letter, put back by a try that did not get to removing it.
            if stored == Enqueued::Known && !self.is_stored(&lane, &subject, &meta).await? {
                swept.bodies.extend(file(&meta));
            }
            self.remove_letter(id).await?;
            swept.value.push(lane);
        }
        Ok(swept)
    }

    pub(super) async fn discard_letters(&self, letters: Letters) -> Result<Swept<usize>, QueueError> {
        let mut swept = Swept::<usize>::default();
        for letter in self.chosen(&letters).await? {
            if self.remove_letter(letter.sequence).await? {
                swept.value += 1;
                swept.bodies.extend(file(&letter.meta));
            }
        }
        Ok(swept)
    }

    async fn remove_letter(&self, id: u64) -> Result<bool, QueueError> {
        let removed = self.delete(names::DEAD_STREAM, id).await?;
        if removed {
            let mut letters = self.dead_letters.lock().await;
            *letters = letters.saturating_sub(1);
        }
        Ok(removed)
    }

    /// Removes the oldest letters with their bodies before the server would remove them without.
    pub(super) async fn make_room(&self, letters: &mut u64) -> Result<Vec<BodyName>, QueueError> {
        let mut bodies = Vec::new();
        while *letters >= self.limits.dead.max(1) as u64 {
            let contents = self.streams.contents(names::DEAD_STREAM, "none").await?;
            *letters = contents.messages;
            if contents.messages == 0 {
                break;
            }
            let oldest = self.letter_at(contents.first).await?;
            let meta = oldest.and_then(|message| Meta::read(Some(&message.headers)));
            if self.delete(names::DEAD_STREAM, contents.first).await? {
                *letters -= 1;
                bodies.extend(meta.iter().flat_map(file));
            }
        }
        Ok(bodies)
    }

    async fn chosen(&self, letters: &Letters) -> Result<Vec<Letter>, QueueError> {
        let found = match letters {
            Letters::One(id) => {
                let found = self.letter_at(*id).await?;
                return Ok(found.iter().map(Letter::of).collect());
            }
            Letters::Of(function) => self.read_letters(Some(function), usize::MAX).await?,
            Letters::All => self.read_letters(None, usize::MAX).await?,
        };
        Ok(found.into())
    }

    async fn letter_at(&self, id: u64) -> Result<Option<StreamMessage>, QueueError> {
        match self.handle(names::DEAD_STREAM).await?.get_raw_message(id).await {
            Ok(message) => Ok(Some(message)),
            Err(error) if error.kind() == RawMessageErrorKind::NoMessageFound => Ok(None),
            Err(error) => Err(self.silent("show a dead letter", error)),
        }
    }

    /// The newest letters, oldest first. Reads the headers of all: there is no way to read a stream backwards.
    async fn read_letters(&self, function: Option<&str>, limit: usize) -> Result<VecDeque<Letter>, QueueError> {
        let config = pull::Config {
            ack_policy: AckPolicy::None,
            headers_only: true,
            filter_subject: function.map_or_else(|| names::DEAD.to_owned(), names::dead_of),
            inactive_threshold: READING,
            ..pull::Config::default()
        };
        let made = self.streams.server.context.create_consumer_on_stream(config, names::DEAD_STREAM).await;
        let consumer = made.map_err(|error| self.silent("read the dead letters", error))?;
        let read = timeout(READING, read(&consumer, limit)).await;
        let name = &consumer.cached_info().name;
        // If that fails it goes by itself after a while.
        let subject = format!("CONSUMER.DELETE.{}.{name}", names::DEAD_STREAM);
        let _ = self.streams.server.api::<_, serde_json::Value>(subject, &json!({})).await;
        let failed =
            |detail| self.streams.server.error("read the dead letters", super::server::Failure::Silent(detail));
        read.map_err(|_| failed("no answer".to_owned()))?.map_err(failed)
    }
}

async fn read(consumer: &PullConsumer, limit: usize) -> Result<VecDeque<Letter>, String> {
    let mut letters = VecDeque::new();
    let mut left = consumer.cached_info().num_pending;
    while left > 0 {
        let mut page = consumer.fetch().max_messages(PAGE).messages().await.map_err(|error| error.to_string())?;
        let before = left;
        while let Some(message) = page.next().await {
            let message = message.map_err(|error| error.to_string())?;
            let info = message.info().map_err(|error| error.to_string())?;
            let (sequence, pending) = (info.stream_sequence, info.pending);
            left = pending;
            let meta = Meta::read(message.headers.as_ref()).unwrap_or_default();
            letters.push_back(Letter { sequence, subject: message.subject.to_string(), meta });
            if letters.len() > limit {
                letters.pop_front();
            }
        }
        if left == before {
            // Deleted while they were read.
            break;
        }
    }
    Ok(letters)
}

impl Letter {
    fn of(message: &StreamMessage) -> Self {
        let meta = Meta::read(Some(&message.headers)).unwrap_or_default();
        Self { sequence: message.sequence, subject: message.subject.to_string(), meta }
    }
}
