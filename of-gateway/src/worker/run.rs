//! One attempt at one queued call.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use tokio::time::timeout;

use super::{Retry, callback, settle};
use crate::app::App;
use crate::functions::Backend;
use crate::invoke;
use crate::metrics::DEFAULT_QUEUE;
use crate::queue::{Call, Verdict, millis, now_ms};
use crate::reply::Reply;
use crate::transit::Payload;

/// The largest answer that is sent on to a callback.
const MAX_ANSWER: usize = 8 << 20;

/// What an attempt came to.
pub(super) struct Outcome {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    pub(super) took: Duration,
    /// Why it failed, if it did.
    reason: Option<String>,
    /// The function is not there: that may pass, like an answer of 503.
    missing: bool,
}

pub(super) async fn run(app: Arc<App>, call: Call) {
    let outcome = attempt(&app, &call).await;
    let again = if outcome.may_pass() { retry_of(&app, &call.function).after(call.attempt) } else { None };
    let (function, call_id) = (call.function.as_str(), call.call_id.as_str());
    let (status, attempt) = (outcome.status.as_u16(), call.attempt);
    if let Some(wait) = again {
        tracing::info!(function, call_id, status, attempt, ?wait, "A queued call failed and is tried again.");
        let reason = outcome.reason.unwrap_or_default();
        let at = now_ms().saturating_add(millis(wait));
        return settle(&app, &call, Verdict::Retry { at, status, reason }).await;
    }
    callback::deliver(&app, &call, &outcome).await;
    let verdict = match outcome.reason {
        None => Verdict::Done,
        Some(reason) => {
            tracing::warn!(function, call_id, status, attempt, reason, "A queued call was given up.");
            Verdict::Dead { status, reason }
        }
    };
    settle(&app, &call, verdict).await;
    app.metrics.queues.processed(DEFAULT_QUEUE, status);
}

impl Outcome {
    fn failed(status: StatusCode, reason: String, took: Duration) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new(), took, reason: Some(reason), missing: false }
    }

    fn may_pass(&self) -> bool {
        self.missing || matches!(self.status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504)
    }
}

async fn attempt(app: &Arc<App>, call: &Call) -> Outcome {
    let started = Instant::now();
    let Some(function) = app.functions.get(&app.queued(&call.function)) else {
        let reason = format!("the function {} is not deployed", call.function);
        return Outcome {
            missing: true,
            ..Outcome::failed(StatusCode::SERVICE_UNAVAILABLE, reason, started.elapsed())
        };
    };
    let request = match request(call) {
        Ok(request) => request,
        Err(error) => return Outcome::failed(StatusCode::BAD_REQUEST, error.to_string(), started.elapsed()),
    };
    let limit = invoke::limit(app, &function);
    let response = invoke::call(app, &function, request).await;
    let (head, body) = response.into_parts();
    let body = match timeout(limit, read(body, callback::is_wanted(call))).await {
        Ok(Ok(body)) => body,
        Ok(Err(reason)) => return Outcome::failed(StatusCode::BAD_GATEWAY, reason, started.elapsed()),
        Err(_) => {
            let reason = format!("the function did not end its answer within {limit:?}");
            return Outcome::failed(StatusCode::GATEWAY_TIMEOUT, reason, started.elapsed());
        }
    };
    let reason = (!head.status.is_success()).then(|| reason(head.status, &body));
    Outcome { status: head.status, headers: head.headers, body, took: started.elapsed(), reason, missing: false }
}

fn request(call: &Call) -> Result<Request<Payload>, http::Error> {
    let body = Payload::Stored(call.body.clone());
    let mut request = Request::builder().method(&call.method).uri(&call.path).body(body)?;
    *request.headers_mut() = call.headers.clone();
    request.headers_mut().insert(CONTENT_LENGTH, call.body.len().into());
    callback::strip(request.headers_mut());
    Ok(request)
}

/// Reads an answer to its end: breaking off would cancel the function. Only its beginning is kept where no callback
/// wants the whole.
async fn read(body: Reply, whole: bool) -> Result<Bytes, String> {
    if whole {
        let collected = Limited::new(body, MAX_ANSWER).collect().await;
        return collected
            .map(http_body_util::Collected::to_bytes)
            .map_err(|error| format!("the answer cannot be read: {error}"));
    }
    let mut body = body;
    let mut kept = Bytes::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| format!("the answer broke off: {error}"))?;
        if let Ok(data) = frame.into_data()
            && kept.is_empty()
        {
            kept = data;
        }
    }
    Ok(kept)
}

fn reason(status: StatusCode, body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(500)]);
    let text = text.trim();
    if text.is_empty() {
        format!("the function answered {status}")
    } else {
        format!("the function answered {status}: {text}")
    }
}

fn retry_of(app: &App, function: &str) -> Retry {
    match app.functions.get(&app.queued(function)).as_deref().map(|function| &function.backend) {
        Some(Backend::Platform(platform)) => platform.retry,
        _ => app.config.retry,
    }
}
