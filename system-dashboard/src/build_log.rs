//! A build's log: read in parts, and followed.

use std::time::Duration;

use http::HeaderMap;
use sdk::call::CallError;
use sdk::pipeline_log::{
    FOLLOW_FUNCTION, LENGTH_HEADER, LogKey, LogRequest, READ_FUNCTION, START_HEADER, STATE_HEADER,
};
use sha2::{Digest, Sha256};

use crate::app::App;
use crate::ask::{Answer, Down};
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
    let request = LogRequest { key: key.clone(), tail_bytes, from, max_bytes };
    let down = |error: &dyn std::error::Error| {
        tracing::warn!(call_id = %visitor.call, error = error.to_string(), "A build's log cannot be shown");
        Down("The log")
    };
    let mut response = match app.functions.invoke(READ_FUNCTION, &request, &visitor.call.child()).await {
        Ok(response) => response,
        Err(CallError::Refused { status, .. }) if status == http::StatusCode::NOT_FOUND => return Ok(None),
        Err(error) => return Err(down(&error)),
    };
    let headers = response.headers().clone();
    let mut bytes = Vec::new();
    // One that sends more than was asked for is read no further.
    while let Some(chunk) = response.chunk().await.map_err(|error| down(&error))? {
        let room = (2 * PAGE as usize).saturating_sub(bytes.len());
        bytes.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if room == 0 {
            break;
        }
    }
    let start = number(&headers, START_HEADER).unwrap_or_default();
    let length = number(&headers, LENGTH_HEADER).unwrap_or(start + bytes.len() as u64);
    Ok(Some(Part { bytes, start, length, is_whole: is_whole(&headers) }))
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
