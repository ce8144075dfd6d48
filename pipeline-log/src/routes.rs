//! Signed messages: keep a part or a record, read or follow a log, tell an owner's pushes.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRef, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use http::StatusCode;
use object_store::Store;
use sdk::failure::Failure;
use sdk::history::{HISTORY_FUNCTION, HistoryRequest, PushRecord, RECORD_FUNCTION};
use sdk::pipeline_log::{
    FOLLOW_FUNCTION, LENGTH_HEADER, LogPart, LogRequest, READ_FUNCTION, START_HEADER, STATE_HEADER,
};
use sdk::signing::{Key, Signed};
use secrecy::SecretString;

use crate::follow::Follower;
use crate::log_key::Folder;
use crate::logs::{LogError, Logs};
use crate::reading::Answer;
use crate::records::{RecordError, Records};
use crate::rest;

/// When somebody may find a place who found none.
const NO_PLACE: Duration = Duration::from_secs(5);

/// What a handler needs; the key differs between the routes, so that a message for one is worthless at the others.
struct Desk<S> {
    key: Key,
    logs: Arc<Logs<S>>,
    records: Arc<Records<S>>,
    follow_timeout: Duration,
}

pub(crate) fn router<S: Store>(
    payload_secret: &SecretString,
    logs: Logs<S>,
    records: Records<S>,
    follow_timeout: Duration,
) -> Router {
    let (logs, records) = (Arc::new(logs), Arc::new(records));
    let desk = |purpose| Desk {
        key: Key::derive(payload_secret, purpose),
        logs: Arc::clone(&logs),
        records: Arc::clone(&records),
        follow_timeout,
    };
    Router::new()
        .merge(Router::new().route("/", post(keep::<S>)).with_state(desk("pipeline-log")))
        .merge(Router::new().route("/read", post(read::<S>)).with_state(desk(READ_FUNCTION)))
        .merge(Router::new().route("/follow", post(follow::<S>)).with_state(desk(FOLLOW_FUNCTION)))
        .merge(Router::new().route("/record", post(record::<S>)).with_state(desk(RECORD_FUNCTION)))
        .merge(Router::new().route("/history", post(history::<S>)).with_state(desk(HISTORY_FUNCTION)))
}

async fn keep<S: Store>(State(desk): State<Desk<S>>, Signed { message, call }: Signed<LogPart>) -> Result<(), Failure> {
    let (key, part, last) = (message.key.clone(), message.part, message.last);
    desk.logs.keep(message).await?;
    let (owner, repo, sha, function) = (&key.owner, &key.repo, &key.sha, &key.function);
    tracing::debug!(call_id = %call, %owner, %repo, %sha, %function, part, last, "kept a part of a build log");
    Ok(())
}

async fn read<S: Store>(State(desk): State<Desk<S>>, request: Signed<LogRequest>) -> Result<Response, Failure> {
    let folder = Folder::of(&request.message.key);
    let answer = desk.logs.read(request.message).await?;
    let body = rest::body(Arc::clone(&desk.logs), folder, &answer);
    Ok(log(&answer, body))
}

async fn follow<S: Store>(State(desk): State<Desk<S>>, request: Signed<LogRequest>) -> Result<Response, Failure> {
    let (follower, answer) = Follower::begin(Arc::clone(&desk.logs), request.message, desk.follow_timeout).await?;
    Ok(log(&answer, Body::from_stream(follower.stream())))
}

fn log(answer: &Answer, body: Body) -> Response {
    let headers = [
        ("content-type", "text/plain; charset=utf-8".to_owned()),
        ("cache-control", "no-store".to_owned()),
        (STATE_HEADER, if answer.open { "open" } else { "whole" }.to_owned()),
        (LENGTH_HEADER, answer.length.to_string()),
        (START_HEADER, answer.start.to_string()),
    ];
    (headers, body).into_response()
}

async fn record<S: Store>(
    State(desk): State<Desk<S>>,
    Signed { message, call }: Signed<PushRecord>,
) -> Result<(), Failure> {
    let (owner, repo, sha) = (message.owner.clone(), message.repo.clone(), message.sha.clone());
    desk.records.keep(message).await?;
    tracing::debug!(call_id = %call, %owner, %repo, sha = sha.short(), "kept the record of a push");
    Ok(())
}

async fn history<S: Store>(
    State(desk): State<Desk<S>>,
    request: Signed<HistoryRequest>,
) -> Result<Json<Vec<PushRecord>>, Failure> {
    Ok(Json(desk.records.history(&request.message).await?))
}

impl From<LogError> for Failure {
    fn from(error: LogError) -> Self {
        match error {
            LogError::TooManyParts(_) | LogError::Contradiction(_) => Failure::bad_request(error.to_string()),
            LogError::Unknown(_) => Failure::not_found(error.to_string()),
            LogError::TooManyFollowers(_) => {
                Failure::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()).not_before(NO_PLACE)
            }
            // Of the rest of an answer, whose status is told by then.
            LogError::BegunAgain(_) => Failure::new(StatusCode::CONFLICT, error.to_string()),
            LogError::Broken(..) => Failure::internal("the log cannot be packed or unpacked").because(error),
            LogError::Store(cause) => Failure::upstream("the log store does not work right now").because(cause),
        }
    }
}

impl From<RecordError> for Failure {
    fn from(error: RecordError) -> Self {
        match error {
            RecordError::NoOwner | RecordError::NoTime => Failure::bad_request(error.to_string()),
            RecordError::Encoding(cause) => Failure::internal("the record cannot be encoded").because(cause),
            RecordError::Store(cause) => Failure::upstream("the log store does not work right now").because(cause),
        }
    }
}

impl<S> Clone for Desk<S> {
    fn clone(&self) -> Self {
        Self {
            key: self.key.clone(),
            logs: Arc::clone(&self.logs),
            records: Arc::clone(&self.records),
            follow_timeout: self.follow_timeout,
        }
    }
}

impl<S> FromRef<Desk<S>> for Key {
    fn from_ref(desk: &Desk<S>) -> Self {
        desk.key.clone()
    }
}
