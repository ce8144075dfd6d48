//! One attempt at one queued call.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use http::header::CONTENT_LENGTH;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};
use queue::{Call, Verdict, millis, now_ms};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::annotations::Asynchronous;
use super::answer::{Kept, NotKept};
use super::retry::{asked, may_pass};
use super::{Retry, callback};
use crate::app::App;
use crate::functions::{Backend, Containers, Function};
use crate::invoke::{self, Chain, X_INTERNAL};
use crate::reply::Reply;
use crate::transit::Payload;

/// How often this call was tried before.
const X_RETRY: HeaderName = HeaderName::from_static("x-retry");
/// How often it is tried again at most.
const X_RETRY_MAX: HeaderName = HeaderName::from_static("x-retry-max");

/// Pauses between looks at a function that cannot take a call yet.
const FIRST_LOOK: Duration = Duration::from_millis(10);
const LONGEST_LOOK: Duration = Duration::from_millis(250);

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
    let (outcome, retry, settings) = loop {
        let function = awaited(app, call).await;
        let (retry, settings) = retry_of(app, function.as_deref());
        match attempt(app, call, function.as_deref(), retry).await {
            Some(outcome) => break (outcome, retry, settings),
            None => sleep(LONGEST_LOOK).await,
        }
    };
    let (function, call_id) = (&*call.head.lane.function, call.head.call_id.as_str());
    let (status, attempt) = (outcome.status.as_u16(), call.ticket.attempt);
    if let Some(wait) = outcome.wait(attempt, retry, settings.codes.as_deref()) {
        tracing::info!(function, call_id, status, attempt, ?wait, "A queued call failed and is tried again.");
        let reason = outcome.in_full().unwrap_or_default();
        let at = now_ms().saturating_add(millis(wait));
        return Verdict::Retry { at, status, reason };
    }
    callback::deliver(app, call, &outcome).await;
    app.metrics.queues.processed(&call.head.lane.queue, status);
    match outcome.in_full() {
        None => Verdict::Done,
        Some(reason) => {
            // What the function wrote is in the dead letter, and not for the log.
            let why = outcome.reason.unwrap_or_default();
            tracing::warn!(function, call_id, status, attempt, reason = why, "A queued call was given up.");
            Verdict::Dead { status, reason }
        }
    }
}

/// The function, once it can take the call. That the engine has not told yet what is deployed, or that others have all
/// the function's places, is not the call's fault: it waits, and no attempt is lost.
async fn awaited(app: &App, call: &Call) -> Option<Arc<Function>> {
    let id = app.queued(&call.head.lane.function);
    let mut pause = FIRST_LOOK;
    loop {
        let function = app.functions.get(&id);
        let waits = match function.as_deref() {
            None => !app.adopted.initialized(),
            Some(function) => function.containers().is_some_and(Containers::is_full),
        };
        if !waits {
            return function;
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_LOOK);
    }
}

impl Outcome {
    /// There is no answer of the function's.
    fn failed(status: StatusCode, reason: String, again: Again, began: Instant) -> Self {
        let (headers, body) = (HeaderMap::new(), Kept::nothing());
        Self { status, headers, body, took: began.elapsed(), reason: Some(reason), again }
    }

    /// Why it failed, with the beginning of what the function had to say about it.
    fn in_full(&self) -> Option<String> {
        let reason = self.reason.as_ref()?;
        let said = String::from_utf8_lossy(self.body.beginning());
        let said = said.trim();
        Some(if said.is_empty() { reason.clone() } else { format!("{reason}: {said}") })
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

/// `None` if the function had no place for it: that was no attempt.
async fn attempt(app: &Arc<App>, call: &Call, function: Option<&Function>, retry: Retry) -> Option<Outcome> {
    let began = Instant::now();
    let Some(function) = function else {
        let reason = format!("the function {} is not deployed", call.head.lane.function);
        return Some(Outcome::failed(StatusCode::SERVICE_UNAVAILABLE, reason, Again::Yes, began));
    };
    let request = match request(call, retry).await {
        Ok(request) => request,
        Err((reason, again)) => return Some(Outcome::failed(StatusCode::BAD_REQUEST, reason, again, began)),
    };
    let span = invoke::span(&function.id, &call.head.call_id);
    let response = invoke::call(app, function, request).instrument(span).await;
    if response.extensions().get::<invoke::Full>().is_some() {
        return None;
    }
    Some(judge(app, call, invoke::limit(app, function), response, began).await)
}

/// What an answer comes to. The function may pause in it for as long as `pause`.
async fn judge(app: &App, call: &Call, pause: Duration, response: Response<Reply>, began: Instant) -> Outcome {
    let (head, body) = response.into_parts();
    let body = match Kept::read(body, callback::is_wanted(call), &app.config.data_dir, pause).await {
        Ok(body) => body,
        Err(error) => {
            let (status, again) = match error {
                NotKept::TooLarge => (StatusCode::BAD_GATEWAY, Again::No),
                NotKept::Stalled(_) => (StatusCode::GATEWAY_TIMEOUT, Again::ByCode),
                NotKept::BrokenOff(_) | NotKept::Disk(_) => (StatusCode::BAD_GATEWAY, Again::ByCode),
            };
            return Outcome::failed(status, Chain(&error).to_string(), again, began);
        }
    };
    let reason = (!head.status.is_success()).then(|| format!("the function answered {}", head.status));
    let mut outcome = Outcome {
        status: head.status,
        headers: head.headers,
        body,
        took: began.elapsed(),
        reason,
        again: Again::ByCode,
    };
    match outcome.headers.get(&X_INTERNAL) {
        None => {}
        // The gateway's own words are for whoever calls synchronously; a callback learns that nobody was there.
        Some(by) if by == invoke::INTERNAL_PROXY => {
            let reason = outcome.in_full().unwrap_or_default();
            return Outcome::failed(StatusCode::SERVICE_UNAVAILABLE, reason, Again::Yes, began);
        }
        Some(_) => outcome.again = Again::Yes,
    }
    outcome
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
