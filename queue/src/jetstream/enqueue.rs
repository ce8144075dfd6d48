//! Storing calls as messages.

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::message::PublishMessage;

use super::message::{Meta, payload};
use super::server::Failure;
use super::{JetStream, names};
use crate::call::{Lane, NewCall};
use crate::error::QueueError;
use crate::store::Enqueued;

/// How the server says that a stream has as many messages as it may have.
const FULL: &str = "maximum messages exceeded";

impl JetStream {
    pub(super) async fn store(&self, call: NewCall) -> Result<Enqueued, QueueError> {
        let subject = names::call(&call.head.lane, &call.head.call_id, &call.fingerprint);
        let meta = Meta::of(&call);
        let stored = self.store_once(&call.head.lane, &subject, &meta.message(payload(&call))).await?;
        // Told even if it is known: whoever stored it may not have got to telling.
        self.news.add([&call.head.lane]);
        if stored == Enqueued::Known
            && meta.body_file.is_some()
            && self.is_stored(&call.head.lane, &subject, &meta).await?
        {
            return Ok(Enqueued::New);
        }
        Ok(stored)
    }

    /// Stores a message unless its subject has one. A server that is just restarting gets a few seconds.
    pub(super) async fn store_once(
        &self,
        lane: &Lane,
        subject: &str,
        message: &PublishMessage,
    ) -> Result<Enqueued, QueueError> {
        // Tells the server that a second try, after its answer got lost, is the same message.
        let message = message.clone().message_id(nuid::next().as_str()).expected_last_subject_sequence(0);
        let mut pauses = self.streams.server.pauses();
        loop {
            match self.streams.ensure(&lane.queue).await {
                Ok(()) => {}
                // It may be starting.
                Err(error @ QueueError::Unreachable { .. }) => {
                    if pauses.next().await {
                        continue;
                    }
                    return Err(error);
                }
                Err(error) => return Err(error),
            }
            let failure = match self.streams.server.publish(subject, message.clone()).await {
                Ok(_) => return Ok(Enqueued::New),
                Err(failure) if failure.is(ErrorCode::STREAM_WRONG_LAST_SEQUENCE) => return Ok(Enqueued::Known),
                Err(failure) => failure,
            };
            if matches!(failure, Failure::Absent) {
                self.streams.forget(&lane.queue);
            }
            if !failure.may_pass() || !pauses.next().await {
                return Err(self.enqueue_error(failure));
            }
        }
    }

    fn enqueue_error(&self, failure: Failure) -> QueueError {
        match &failure {
            Failure::Refused(error) if error.to_string().contains(FULL) => QueueError::Full(self.limits.calls),
            _ => self.streams.server.error("store a call", failure),
        }
    }

    /// Whether the message under this subject is this very one: stored by a try whose answer was lost so long that the
    /// server no longer knew.
    pub(super) async fn is_stored(&self, lane: &Lane, subject: &str, meta: &Meta) -> Result<bool, QueueError> {
        let found = self.message_at(&names::stream(&lane.queue), subject).await?;
        let found = found.and_then(|message| Meta::read(Some(&message.headers)));
        Ok(found.is_some_and(|found| found.body_file == meta.body_file))
    }
}
