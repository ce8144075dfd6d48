//! A call as a message: what is known about it in one header, the request itself as the payload.

use async_nats::HeaderMap;
use async_nats::jetstream::message::PublishMessage;
use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::bodies::{Bodies, Body, BodyName};
use crate::call::{Head, Lane, NewCall};
use crate::letters::DeadLetter;
use crate::time::{now_ms, rfc3339};

const HEADER: &str = "Of-Call";
/// The length of a head, before the head.
const LENGTH: usize = 4;

/// What is known about a call.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Meta {
    pub(super) call_id: String,
    /// Attempts made before this message was stored; the server counts those that follow.
    pub(super) attempts: u32,
    pub(super) enqueued_at: i64,
    pub(super) body_bytes: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) body_file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) death: Option<Death>,
}

/// How a call came to be a dead letter.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Death {
    pub(super) status: u16,
    pub(super) reason: String,
    pub(super) died_at: i64,
}

impl Meta {
    pub(super) fn of(call: &NewCall) -> Self {
        Self {
            call_id: call.head.call_id.clone(),
            attempts: 0,
            enqueued_at: now_ms(),
            body_bytes: call.body.length(),
            body_file: call.body.name().map(|name| name.as_str().to_owned()),
            death: None,
        }
    }

    /// Of a message; an empty one if it is not ours, so that it can be shown all the same.
    pub(super) fn read(headers: Option<&HeaderMap>) -> Option<Self> {
        serde_json::from_str(headers?.get(HEADER)?.as_str()).ok()
    }

    pub(super) fn body(&self) -> Option<BodyName> {
        self.body_file.as_deref().and_then(BodyName::parse)
    }

    /// With this meta and payload.
    pub(super) fn message(&self, payload: Bytes) -> PublishMessage {
        // Text without line breaks, whatever is in it: JSON escapes them.
        let text = serde_json::to_string(self).unwrap_or_default();
        PublishMessage::build().header(HEADER, text.as_str()).payload(payload)
    }

    pub(super) fn letter(self, id: u64, lane: &Lane) -> DeadLetter {
        let death = self.death.unwrap_or_default();
        DeadLetter {
            id,
            call_id: self.call_id,
            queue: lane.queue.to_string(),
            function: lane.function.to_string(),
            attempts: self.attempts,
            status: death.status,
            reason: death.reason,
            body_bytes: self.body_bytes,
            enqueued_at: rfc3339(self.enqueued_at),
            died_at: rfc3339(death.died_at),
        }
    }
}

pub(super) fn payload(call: &NewCall) -> Bytes {
    let (head, body) = (call.head.encode(), call.body.inlined());
    let mut payload = BytesMut::with_capacity(LENGTH + head.len() + body.len());
    payload.put_u32(u32::try_from(head.len()).unwrap_or(u32::MAX));
    payload.put_slice(&head);
    payload.put_slice(&body);
    payload.freeze()
}

/// What [`payload`] wrote; `None` if it is something else.
pub(super) fn parse(lane: &Lane, meta: &Meta, payload: &Bytes, bodies: &Bodies) -> Option<(Head, Body)> {
    let (length, rest) = payload.split_first_chunk::<LENGTH>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
    let head = Head::decode(lane.clone(), meta.call_id.clone(), rest.get(..length)?)?;
    let body = match &meta.body_file {
        None => Body::inline(payload.slice(LENGTH + length..)),
        Some(_) => bodies.body(&meta.body()?, meta.body_bytes),
    };
    Some((head, body))
}
