//! One attempt at one queued call.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use queue::{Call, Verdict, millis, now_ms};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::annotations::Asynchronous;
use super::answer::{Kept, NotKept};
use super::retry::{asked, may_pass};
use super::{Retry, callback};
use crate::app::App;
use crate::functions::{Backend, Function};
use crate::invoke::{self, Chain, X_INTERNAL};
use crate::transit::Payload;

/// How often this call was tried before.
const X_RETRY: HeaderName = HeaderName::from_static("x-retry");
/// How often it is tried again at most.
const X_RETRY_MAX: HeaderName = HeaderName::from_static("x-retry-max");

/// What an attempt came to.
pub(super) struct Outcome {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Kept,
    pub(super) took: Duration,
    /// Why it failed, if it did.
    reason: Option<String>,
    again: Again,
}

/// Whether a failure may pass.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    /// Its status code tells.
    ByCode,
    /// The function itself did not get to answering.
    Yes,
    /// The next attempt would be just like this one.
    No,
}

/// Makes the attempt; answers with what is to be recorded about it.
pub(super) async fn run(app: Arc<App>, call: Call, cancelled: CancellationToken) -> Verdict {
    cancelled.run_until_cancelled(run_to_its_end(&app, &call)).await.unwrap_or_else(|| {
        let (function, call_id) = (&*call.head.lane.function, call.head.call_id.as_str());
        tracing::info!(function, call_id, "A queued call was cancelled while it ran.");
        Verdict::Done
    })
}

async fn run_to_its_end(app: &Arc<App>, call: &Call) -> Verdict {
    let function = app.functions.get(&app.queued(&call.head.lane.function));
    let (retry, settings) = retry_of(app, function.as_deref());
    let outcome = attempt(app, call, function.as_deref(), retry).await;
    let (function, call_id) = (&*call.head.lane.function, call.head.call_id.as_str());
    let (status, attempt) = (outcome.status.as_u16(), call.ticket.attempt);
    if let Some(wait) = outcome.wait(attempt, retry, settings.codes.as_deref()) {
        tracing::info!(function, call_id, status, attempt, ?wait, "A queued call failed and is tried again.");
        let reason = outcome.reason.unwrap_or_default();
        let at = now_ms().saturating_add(millis(wait));
        return Verdict::Retry { at, status, reason };
    }
    callback::deliver(app, call, &outcome).await;
    app.metrics.queues.processed(&call.head.lane.queue, status);
    match outcome.reason {
        None => Verdict::Done,
        Some(reason) => {
            tracing::warn!(function, call_id, status, attempt, reason, "A queued call was given up.");
            Verdict::Dead { status, reason }
        }
    }
}

impl Outcome {
    /// There is no answer of the function's.
    fn failed(status: StatusCode, reason: String, again: Again, began: Instant) -> Self {
        let (headers, body) = (HeaderMap::new(), Kept::nothing());
        Self { status, headers, body, took: began.elapsed(), reason: Some(reason), again }
    }

    /// How long to wait before the next attempt; `None` if there is to be none.
    fn wait(&self, attempt: u32, retry: Retry, codes: Option<&[u16]>) -> Option<Duration> {
        self.reason.as_ref()?;
        let passes = match self.again {
            Again::ByCode => may_pass(self.status, codes),
            Again::Yes => true,
            Again::No => false,
        };
        passes.then(|| retry.after_asked(attempt, asked(&self.headers, SystemTime::now())))?
    }
}

async fn attempt(app: &Arc<App>, call: &Call, function: Option<&Function>, retry: Retry) -> Outcome {
    let began = Instant::now();
    let Some(function) = function else {
        let reason = format!("the function {} is not deployed", call.head.lane.function);
        return Outcome::failed(StatusCode::SERVICE_UNAVAILABLE, reason, Again::Yes, began);
    };
    let request = match request(call, retry).await {
        Ok(request) => request,
        Err((reason, again)) => return Outcome::failed(StatusCode::BAD_REQUEST, reason, again, began),
    };
    let limit = invoke::limit(app, function);
    let span = invoke::span(&function.id, &call.head.call_id);
    let (head, body) = invoke::call(app, function, request).instrument(span).await.into_parts();
    let body = match timeout(limit, Kept::read(body, callback::is_wanted(call), &app.config.data_dir)).await {
        Ok(Ok(body)) => body,
        Ok(Err(error)) => {
            let again = if matches!(error, NotKept::TooLarge) { Again::No } else { Again::ByCode };
            return Outcome::failed(StatusCode::BAD_GATEWAY, Chain(&error).to_string(), again, began);
        }
        Err(_) => {
            let reason = format!("the function did not end its answer within {limit:?}");
            return Outcome::failed(StatusCode::GATEWAY_TIMEOUT, reason, Again::ByCode, began);
        }
    };
    let reason = (!head.status.is_success()).then(|| reason(head.status, body.beginning()));
    match head.headers.get(&X_INTERNAL) {
        None => {}
        // The gateway's own words are for whoever calls synchronously; a callback learns that nobody was there.
        Some(by) if by == invoke::INTERNAL_PROXY => {
            let reason = reason.unwrap_or_default();
            return Outcome::failed(StatusCode::SERVICE_UNAVAILABLE, reason, Again::Yes, began);
        }
        Some(_) => {
            return Outcome {
                status: head.status,
                headers: head.headers,
                body,
                took: began.elapsed(),
                reason,
                again: Again::Yes,
            };
        }
    }
    Outcome { status: head.status, headers: head.headers, body, took: began.elapsed(), reason, again: Again::ByCode }
}

/// The call as it came in, or why it cannot be made.
async fn request(call: &Call, retry: Retry) -> Result<Request<Payload>, (String, Again)> {
    let body = call.body.open().await.map_err(|error| (format!("the body cannot be read: {error}"), Again::Yes))?;
    let built = Request::builder().method(&call.head.method).uri(&call.head.path).body(Payload::Stored(body));
    let mut request = built.map_err(|error| (error.to_string(), Again::No))?;
    *request.headers_mut() = call.head.headers.clone();
    let headers = request.headers_mut();
    headers.insert(CONTENT_LENGTH, call.body.length().into());
    headers.insert(X_RETRY, HeaderValue::from(call.ticket.attempt.saturating_sub(1)));
    headers.insert(X_RETRY_MAX, HeaderValue::from(retry.attempts.saturating_sub(1)));
    callback::strip(headers);
    Ok(request)
}

fn reason(status: StatusCode, beginning: &[u8]) -> String {
    let text = String::from_utf8_lossy(beginning);
    let text = text.trim();
    if text.is_empty() {
        format!("the function answered {status}")
    } else {
        format!("the function answered {status}: {text}")
    }
}

fn retry_of(app: &App, function: Option<&Function>) -> (Retry, Asynchronous) {
    match function.map(|function| &function.backend) {
        Some(Backend::Platform(platform)) => (platform.retry, Asynchronous::default()),
        Some(Backend::Containers(containers)) => {
            let settings = containers.settings.asynchronous.clone();
            (settings.retry(app.config.retry), settings)
        }
        None => (app.config.retry, Asynchronous::default()),
    }
}
