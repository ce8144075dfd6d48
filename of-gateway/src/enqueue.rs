//! `/async-function/NAME/…`: stores a call and answers 202 once it is on the disk.

use std::time::{Duration, Instant};

use axum::body::Body;
use http::header::{CONTENT_LENGTH, EXPECT, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use queue::{Enqueued, Head, Lane, QueueError, Spool};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;
use upstream::{ClientBody, strip_hop_by_hop};

use crate::answer::{not_one_of, text};
use crate::app::{App, ENQUEUE_MEMORY_KIB};
use crate::complaints::Complaints;
use crate::functions::{Function, FunctionRef};
use crate::inside::Caller;
use crate::invoke::{Chain, Marks, SOON, declared_length, max_body, missing, stripped};
use crate::worker::{BadCallback, Target};

/// The longest call id that is stored.
const MAX_CALL_ID: usize = 256;
/// How long a call waits until others have left the memory for it.
const MEMORY_WAIT: Duration = Duration::from_secs(10);
/// How long a body may take to come in, however steadily it comes: it holds memory that others wait for.
const INTAKE: Duration = Duration::from_secs(600);
/// Of a larger body no more than this is in memory.
const IN_MEMORY: u64 = 256 << 10;

/// Answers an asynchronous call. `target` is the path behind `/async-function/`.
pub(crate) async fn enqueue(
    app: &App,
    target: &str,
    request: Request<ClientBody>,
    peer: &HeaderValue,
    caller: &Caller,
) -> Response<Body> {
    let target = FunctionRef::parse(target);
    if request.method() != Method::POST {
        // Cancelled with DELETE /async-function/CALL-ID.
        return not_one_of("POST, DELETE");
    }
    let Some(function) = app.functions.get(&target.id(&app.config.namespace)) else { return missing(app, &target) };
    if let Err(error) = may_call_back(app, request.headers(), caller).await {
        return text(StatusCode::BAD_REQUEST, error.to_string());
    }
    match store(app, &function, &target, request, peer).await {
        Ok(marks) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::ACCEPTED;
            marks.put_on(response.headers_mut());
            response
        }
        Err(refusal) => refusal.answer(&app.not_queued),
    }
}

/// Nobody gets this gateway to call for them what they may not call themselves.
async fn may_call_back(app: &App, headers: &HeaderMap, caller: &Caller) -> Result<(), BadCallback> {
    match app.callbacks.target(headers)? {
        Some(Target::Own(url)) if caller.refusal(app, url.path()).await.is_some() => Err(BadCallback::Forbidden),
        _ => Ok(()),
    }
}

/// Why a call is not stored.
enum Refusal {
    TooLarge(u64),
    Unreadable,
    Slow(Duration),
    /// It takes too long in all.
    Long,
    /// The memory is others'.
    Busy,
    BadHead(&'static str),
    Queue(QueueError),
}

async fn store(
    app: &App,
    function: &Function,
    target: &FunctionRef<'_>,
    request: Request<ClientBody>,
    peer: &HeaderValue,
) -> Result<Marks, Refusal> {
    let limit = app.config.max_async_body.min(max_body(app, function));
    let length = declared_length(request.headers());
    if length > limit {
        return Err(Refusal::TooLarge(limit));
    }
    let path = stripped(target.rest, request.uri().query()).ok_or(Refusal::BadHead("the path cannot be stored"))?;
    let (mut parts, body) = request.into_parts();
    let known = parts.headers.contains_key(CONTENT_LENGTH);
    // Held until the call is stored, so that a burst of bodies waits in line instead of in memory.
    let _memory = room(&app.enqueue_memory, kib(if known { length } else { limit }), MEMORY_WAIT).await?;
    let marks = Marks::stamp(&mut parts.headers, peer);
    strip_hop_by_hop(&mut parts.headers);
    parts.headers.remove(CONTENT_LENGTH);
    parts.headers.remove(EXPECT);
    let call_id = marks.call_id.to_str().ok().filter(|id| id.len() <= MAX_CALL_ID);
    let call_id = call_id.ok_or(Refusal::BadHead("X-Call-Id must be text of at most 256 characters"))?;
    let queue = function.containers().and_then(|containers| containers.settings.asynchronous.queue.as_deref());
    let mut spool = app.queue.spool(Head {
        lane: Lane::new(queue.unwrap_or(&app.config.queueing.queue), function.id.to_string()),
        call_id: call_id.to_owned(),
        method: parts.method,
        path: path.to_string(),
        headers: parts.headers,
    });
    let taken_in = take_in(&mut spool, body, limit, app.config.upstream_timeout);
    timeout(INTAKE, taken_in).await.map_err(|_| Refusal::Long)??;
    if spool.enqueue().await.map_err(Refusal::Queue)? == Enqueued::New {
        app.metrics.queues.submitted(queue.unwrap_or(&app.config.queueing.queue));
    }
    Ok(marks)
}

/// Memory for a body.
async fn room(memory: &Semaphore, kib: u32, wait: Duration) -> Result<SemaphorePermit<'_>, Refusal> {
    let acquired = timeout(wait, memory.acquire_many(kib)).await;
    acquired.ok().and_then(Result::ok).ok_or(Refusal::Busy)
}

/// Takes a body in. Its sender may pause for as long as a function may.
async fn take_in(spool: &mut Spool, mut body: ClientBody, limit: u64, pause: Duration) -> Result<(), Refusal> {
    let mut length = 0;
    while let Some(frame) = timeout(pause, body.frame()).await.map_err(|_| Refusal::Slow(pause))? {
        let Ok(data) = frame.map_err(|_| Refusal::Unreadable)?.into_data() else { continue };
        length += data.len() as u64;
        if length > limit {
            return Err(Refusal::TooLarge(limit));
        }
        spool.write(data).await.map_err(Refusal::Queue)?;
    }
    Ok(())
}

fn kib(bytes: u64) -> u32 {
    let kib = (bytes.min(IN_MEMORY) >> 10) + 1;
    u32::try_from(kib).unwrap_or(u32::MAX).min(u32::try_from(ENQUEUE_MEMORY_KIB).unwrap_or(u32::MAX))
}

impl Refusal {
    fn answer(self, complaints: &Complaints) -> Response<Body> {
        match self {
            Self::TooLarge(limit) => text(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!(
                    "the body is larger than the {limit} bytes an asynchronous call may have; store it elsewhere and \
                     send its address, or call synchronously"
                ),
            ),
            Self::Unreadable => text(StatusCode::BAD_REQUEST, "the body ended before it was complete"),
            Self::Slow(pause) => {
                text(StatusCode::REQUEST_TIMEOUT, format!("nothing of the body came for {pause:?}; send it faster"))
            }
            Self::Long => {
                text(StatusCode::REQUEST_TIMEOUT, format!("the body was not complete after {INTAKE:?}; send it faster"))
            }
            Self::Busy => again_later("too many calls with bodies are being taken in; try again"),
            Self::BadHead(sentence) => text(StatusCode::BAD_REQUEST, sentence),
            Self::Queue(QueueError::HeadTooLong) => {
                text(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, QueueError::HeadTooLong.to_string())
            }
            Self::Queue(error) => {
                if let Some(others) = complaints.due(Instant::now()) {
                    tracing::error!(error = %Chain(&error), others, "A call could not be queued.");
                }
                again_later(why_not_queued(&error))
            }
        }
    }
}

fn again_later(sentence: impl Into<String>) -> Response<Body> {
    let mut response = text(StatusCode::SERVICE_UNAVAILABLE, sentence);
    response.headers_mut().insert(RETRY_AFTER, SOON);
    response
}

/// For whoever may call functions: without the paths and addresses that the log has.
fn why_not_queued(error: &QueueError) -> String {
    match error {
        QueueError::Full(_) | QueueError::NoRoomForBodies(_) | QueueError::Closed => {
            format!("the call is not queued: {error}")
        }
        QueueError::DiskFull(_) | QueueError::NoRoom(_) => "the call is not queued: there is no room for it".to_owned(),
        _ => "the call is not queued: the queue is out of order; the gateway's log says why".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_call_does_not_wait_for_memory_for_ever() {
        let memory = Semaphore::new(10);
        let held = room(&memory, 8, MEMORY_WAIT).await.ok();
        assert!(held.is_some());
        let refused = room(&memory, 3, MEMORY_WAIT).await;
        let Err(refusal) = refused else { panic!("there is no room") };
        let answer = refusal.answer(&Complaints::default());
        assert_eq!((answer.status(), &answer.headers()[RETRY_AFTER]), (StatusCode::SERVICE_UNAVAILABLE, &SOON));
        drop(held);
        assert!(room(&memory, 10, MEMORY_WAIT).await.is_ok());
    }

    #[test]
    fn callers_are_not_told_where_the_queue_is() {
        let unreachable = QueueError::Unreachable { address: "nats://10.0.0.7".into(), detail: "refused".into() };
        let open = QueueError::DiskFull("/data/secret-place".into());
        for error in [unreachable, open] {
            let sentence = why_not_queued(&error);
            assert!(!sentence.contains("10.0.0.7") && !sentence.contains("secret-place"), "{sentence}");
        }
        assert!(why_not_queued(&QueueError::Full(5)).contains("holds 5 calls"));
    }
}
