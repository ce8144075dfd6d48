//! Two signed messages: keep a part, read a log.

use std::sync::Arc;

use axum::Router;
use axum::extract::{FromRef, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use object_store::Store;
use sdk::failure::Failure;
use sdk::pipeline_log::{LogPart, LogRequest};
use sdk::signing::{Key, Signed};
use secrecy::SecretString;

use crate::logs::{LogError, Logs};

/// What a handler needs; the key differs between the two routes, so that a message for one is worthless at the other.
struct Desk<S> {
    key: Key,
    logs: Arc<Logs<S>>,
}

pub(crate) fn router<S: Store>(payload_secret: &SecretString, logs: Logs<S>) -> Router {
    let logs = Arc::new(logs);
    let desk = |purpose| Desk { key: Key::derive(payload_secret, purpose), logs: Arc::clone(&logs) };
    let keeping = Router::new().route("/", post(keep::<S>)).with_state(desk("pipeline-log"));
    let reading = Router::new().route("/read", post(read::<S>)).with_state(desk("pipeline-log/read"));
    keeping.merge(reading)
}

async fn keep<S: Store>(State(desk): State<Desk<S>>, Signed { message, call }: Signed<LogPart>) -> Result<(), Failure> {
    let (key, part, last) = (message.key.clone(), message.part, message.last);
    desk.logs.keep(message).await?;
    let (owner, repo, sha, function) = (&key.owner, &key.repo, &key.sha, &key.function);
    tracing::debug!(call_id = %call, %owner, %repo, %sha, %function, part, last, "kept a part of a build log");
    Ok(())
}

async fn read<S: Store>(State(desk): State<Desk<S>>, request: Signed<LogRequest>) -> Result<Response, Failure> {
    let log = desk.logs.read(request.message).await?;
    Ok(([("content-type", "text/plain; charset=utf-8"), ("cache-control", "no-store")], log).into_response())
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        match error {
            LogError::TooManyParts(_) => Failure::bad_request(error.to_string()),
            LogError::Unknown(_) => Failure::not_found(error.to_string()),
            LogError::Store(cause) => Failure::upstream("the log store does not work right now").because(cause),
        }
    }
}

impl<S> Clone for Desk<S> {
    fn clone(&self) -> Self {
        Self { key: self.key.clone(), logs: Arc::clone(&self.logs) }
    }
}

impl<S> FromRef<Desk<S>> for Key {
    fn from_ref(desk: &Desk<S>) -> Self {
        desk.key.clone()
    }
}
