//! `/async-function/NAME/…`: stores a call and answers 202 once it is on the disk.

use axum::body::Body;
use bytes::Bytes;
use http::header::{CONTENT_LENGTH, EXPECT};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use upstream::strip_hop_by_hop;

use crate::answer::text;
use crate::app::{App, ENQUEUE_MEMORY_KIB};
use crate::functions::FunctionRef;
use crate::invoke::{Chain, Marks, declared_length, missing, stripped};
use crate::metrics::DEFAULT_QUEUE;
use crate::queue::{Enqueued, NewCall, QueueError};
use crate::worker::callback_address;

/// The longest call id that is stored.
const MAX_CALL_ID: usize = 256;

/// Answers an asynchronous call. `target` is the path behind `/async-function/`.
pub(crate) async fn enqueue(app: &App, target: &str, request: Request<Incoming>, peer: &HeaderValue) -> Response<Body> {
    let target = FunctionRef::parse(target);
    if request.method() != Method::POST {
        return text(StatusCode::METHOD_NOT_ALLOWED, "asynchronous calls are made with POST");
    }
    if app.functions.get(&target.id(&app.config.namespace)).is_none() {
        return missing(app, &target);
    }
    if let Err(sentence) = callback_address(request.headers()) {
        return text(StatusCode::BAD_REQUEST, sentence);
    }
    match store(app, &target, request, peer).await {
        Ok(marks) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::ACCEPTED;
            marks.put_on(response.headers_mut());
            response
        }
        Err(refusal) => refusal.answer(),
    }
}

/// Why a call is not stored.
enum Refusal {
    TooLarge(u64),
    Unreadable,
    BadHead(&'static str),
    Queue(QueueError),
}

async fn store(
    app: &App,
    target: &FunctionRef<'_>,
    request: Request<Incoming>,
    peer: &HeaderValue,
) -> Result<Marks, Refusal> {
    let limit = app.config.max_async_body;
    let length = declared_length(request.headers());
    if length > limit {
        return Err(Refusal::TooLarge(limit));
    }
    let path = stripped(target.rest, request.uri().query()).ok_or(Refusal::BadHead("the path cannot be stored"))?;
    let (mut head, body) = request.into_parts();
    let known = head.headers.contains_key(CONTENT_LENGTH);
    // Held until the call is stored, so that a burst of large bodies waits in line instead of in memory.
    let _memory = app.enqueue_memory.acquire_many(kib(if known { length } else { limit })).await;
    let body = read(body, limit).await?;
    let marks = Marks::stamp(&mut head.headers, peer);
    strip_hop_by_hop(&mut head.headers);
    head.headers.remove(CONTENT_LENGTH);
    head.headers.remove(EXPECT);
    let call_id = marks.call_id.to_str().ok().filter(|id| id.len() <= MAX_CALL_ID);
    let call = NewCall {
        function: target.id(&app.config.namespace).to_string(),
        call_id: call_id.ok_or(Refusal::BadHead("X-Call-Id must be text of at most 256 characters"))?.to_owned(),
        method: head.method,
        path: path.to_string(),
        headers: head.headers,
        body,
    };
    if app.queue.enqueue(call).await.map_err(Refusal::Queue)? == Enqueued::New {
        app.metrics.queues.submitted(DEFAULT_QUEUE);
    }
    Ok(marks)
}

async fn read(body: Incoming, limit: u64) -> Result<Bytes, Refusal> {
    let limited = Limited::new(body, usize::try_from(limit).unwrap_or(usize::MAX));
    match limited.collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(Refusal::TooLarge(limit)),
        Err(_) => Err(Refusal::Unreadable),
    }
}

fn kib(bytes: u64) -> u32 {
    u32::try_from((bytes >> 10) + 1).unwrap_or(u32::MAX).min(u32::try_from(ENQUEUE_MEMORY_KIB).unwrap_or(u32::MAX))
}

impl Refusal {
    fn answer(self) -> Response<Body> {
        match self {
            Self::TooLarge(limit) => text(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!(
                    "the body is larger than the {limit} bytes an asynchronous call may have; store it elsewhere and \
                     send its address, or call synchronously"
                ),
            ),
            Self::Unreadable => text(StatusCode::BAD_REQUEST, "the body ended before it was complete"),
            Self::BadHead(sentence) => text(StatusCode::BAD_REQUEST, sentence),
            Self::Queue(error) => {
                tracing::error!(error = %Chain(&error), "A call could not be queued.");
                text(StatusCode::SERVICE_UNAVAILABLE, format!("the call is not queued: {error}"))
            }
        }
    }
}
