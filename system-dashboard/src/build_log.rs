//! A build's log: read in parts, and followed.

use std::time::Duration;

use http::HeaderMap;
use sdk::call::CallError;
use sdk::pipeline_log::{
    FOLLOW_FUNCTION, LENGTH_HEADER, LogKey, LogRequest, READ_FUNCTION, START_HEADER, STATE_HEADER,
};
use sha2::{Digest, Sha256};
use tokio::time::timeout;

use crate::app::App;
use crate::ask::{self, Answer, Unanswered};
use crate::visitor::Visitor;

/// A page shows at most so many bytes of a log.
pub(crate) const PAGE: u64 = 192 * 1024;

/// A stream is ended by us and not by its request's time, for that would look like the log's end.
pub(crate) const SLACK: Duration = Duration::from_secs(30);

/// A part of a log.
#[derive(Debug, Clone, Default)]
pub(crate) struct Part {
    pub(crate) bytes: Vec<u8>,
    /// At which byte of the log it begins.
    pub(crate) start: u64,
    /// How long the log is so far.
    pub(crate) length: u64,
    /// Whether the build has ended.
    pub(crate) is_whole: bool,
}

/// The log's end, or a page from a byte on. `None` where there is no log.
pub(crate) async fn read(app: &App, visitor: &Visitor, key: &LogKey, from: Option<u64>) -> Answer<Option<Part>> {
    let (tail_bytes, max_bytes) = if from.is_some() { (None, Some(PAGE)) } else { (Some(PAGE), None) };
    ask(app, visitor, LogRequest { key: key.clone(), tail_bytes, from, max_bytes }).await
}

/// What a page that ends before this byte shows, from the beginning of a line. Nothing where there is no log.
pub(crate) async fn before(app: &App, visitor: &Visitor, key: &LogKey, end: u64) -> Answer<Part> {
    // A byte more: it ends the line before.
    let from = end.saturating_sub(PAGE + 1);
    let request = LogRequest { key: key.clone(), tail_bytes: None, from: Some(from), max_bytes: Some(end - from) };
    let mut part = ask(app, visitor, request).await?.unwrap_or_default();
    if part.start > 0 {
        let line = part.bytes.iter().position(|byte| *byte == b'\n').map_or(part.bytes.len(), |at| at + 1);
        part.bytes.drain(..line);
        part.start += line as u64;
    }
    Ok(part)
}

async fn ask(app: &App, visitor: &Visitor, request: LogRequest) -> Answer<Option<Part>> {
    let call = visitor.call.child();
    let read = async {
        match app.functions.invoke(READ_FUNCTION, &request, &call).await {
            Err(CallError::Refused { status: http::StatusCode::NOT_FOUND, .. }) => Ok(None),
            other => part(other?).await.map(Some),
        }
    };
    let answer = timeout(ask::PATIENCE, read).await.map_err(Unanswered::from);
    ask::told("The log", visitor, answer.and_then(|answer| answer))
}

async fn part(mut response: reqwest::Response) -> Result<Part, Unanswered> {
    let headers = response.headers().clone();
    let mut bytes = Vec::new();
    // One that sends more than was asked for is read no further.
    while let Some(chunk) = response.chunk().await? {
        let room = (2 * PAGE as usize).saturating_sub(bytes.len());
        bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if room == 0 {
            break;
        }
    }
    let start = number(&headers, START_HEADER).unwrap_or_default();
    let end = start.checked_add(bytes.len() as u64).ok_or(Unanswered::TooLong)?;
    let length = number(&headers, LENGTH_HEADER).unwrap_or(end).max(end);
    Ok(Part { bytes, start, length, is_whole: is_whole(&headers) })
}

/// The log from a byte on, as it grows, for as long as `time`.
pub(crate) async fn follow(
    app: &App,
    visitor: &Visitor,
    key: &LogKey,
    from: u64,
    time: Duration,
) -> Result<reqwest::Response, CallError> {
    let request = LogRequest { key: key.clone(), tail_bytes: None, from: Some(from), max_bytes: None };
    let encoding = |cause| CallError::Encoding { function: FOLLOW_FUNCTION.to_owned(), cause };
    let body = serde_json::to_vec(&request).map_err(encoding)?;
    let digest = Sha256::digest(&body).into();
    app.functions.send(FOLLOW_FUNCTION, body, digest, time + SLACK, &visitor.call.child()).await
}

/// At which byte a followed log begins.
pub(crate) fn start_of(response: &reqwest::Response) -> Option<u64> {
    number(response.headers(), START_HEADER)
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.parse().ok()
}

fn is_whole(headers: &HeaderMap) -> bool {
    headers.get(STATE_HEADER).is_none_or(|state| state == "whole")
}
