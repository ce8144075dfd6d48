//! What functions are sent.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};

use super::{FakeGateway, Message};
use crate::call::CALL_ID_HEADER;
use crate::identity::IdentityKey;
use crate::labels::GIT_CLOUD;
use crate::signing::Key;

pub(super) async fn invoke(
    State(fake): State<FakeGateway>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if let Some(refusal) = fake.keep("function", &name, &headers, &body) {
        return refusal.into_response();
    }
    let answer = fake.kept().answers.get(&name).cloned();
    answer.map_or_else(|| StatusCode::OK.into_response(), |answer| answer(&body))
}

/// What a person asks a function for.
pub(super) async fn look(State(fake): State<FakeGateway>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    if let Some(refusal) = fake.refusal(&format!("GET /function/{name}")) {
        return refusal.into_response();
    }
    let function = name.split('/').next().unwrap_or_default();
    let Ok(Some(who)) = IdentityKey::derive(&fake.secret, function).read(&headers) else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let answer = fake.kept().answers.get(&name).cloned();
    let who = serde_json::to_vec(&who).unwrap_or_default();
    answer.map_or_else(|| StatusCode::NOT_FOUND.into_response(), |answer| answer(&who))
}

pub(super) async fn enqueue(
    State(fake): State<FakeGateway>,
    Path(name): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let refused = fake.keep("async-function", &name, &headers, &body);
    refused.map_or_else(|| StatusCode::ACCEPTED.into_response(), IntoResponse::into_response)
}

impl FakeGateway {
    fn keep(&self, route: &str, name: &str, headers: &HeaderMap, body: &[u8]) -> Option<(StatusCode, String)> {
        if let Some(refusal) = self.refusal(&format!("POST /{route}/{name}")) {
            return Some(refusal);
        }
        // Tenants' functions are called by anybody, whatever the path below them.
        let is_tenants = self
            .function(name.split('/').next().unwrap_or_default())
            .is_some_and(|found| found.labels.contains_key(GIT_CLOUD));
        if let (false, Err(error)) = (is_tenants, Key::derive(&self.secret, name).verify(&Method::POST, headers, body))
        {
            return Some((StatusCode::UNAUTHORIZED, error.to_string()));
        }
        let call = headers.get(CALL_ID_HEADER).and_then(|id| id.to_str().ok()).unwrap_or_default().to_owned();
        let queued = route == "async-function";
        let mut kept = self.kept();
        // Nothing takes messages out of this queue, so every second one under the same identifier is the same.
        let same = |old: &Message| old.queued && old.function == name && old.call == call;
        if !(queued && kept.messages.iter().any(same)) {
            kept.messages.push(Message { function: name.to_owned(), call, queued, body: body.to_vec() });
        }
        self.arrived.notify_waiters();
        None
    }
}
