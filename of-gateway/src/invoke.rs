//! `/function/NAME/…`: one call, synchronous, to wherever the function runs. The queue's worker comes this way too.

use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use axum::body::Body;
use futures_util::FutureExt;
use http::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HOST, RETRY_AFTER};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::Either;
use tokio::time::timeout;
use tower::ServiceExt;
use tracing::{Instrument as _, Span};
use upstream::{ClientBody, ForwardError, Limits, forward, is_upgrade, strip_hop_by_hop};

use crate::answer::text;
use crate::app::App;
use crate::call_id;
use crate::functions::{Backend, Containers, Function, FunctionId, FunctionRef, InFlight, NoReplica, PlatformFunction};
use crate::metrics::Timer;
use crate::port::threads::at_home;
use crate::reply::{Reply, own};
use crate::scaling::{self, NotWoken};
use crate::transit::{Bare, Payload, streamed};

pub(crate) const X_CALL_ID: HeaderName = HeaderName::from_static("x-call-id");
pub(crate) const X_START_TIME: HeaderName = HeaderName::from_static("x-start-time");
const X_SERVED_BY: HeaderName = HeaderName::from_static("x-served-by");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// Marks an answer as the gateway's own, so that a queue may try again.
pub(crate) const X_INTERNAL: HeaderName = HeaderName::from_static("x-openfaas-internal");
/// Its value where the function did not get to answering.
pub(crate) const INTERNAL_PROXY: HeaderValue = HeaderValue::from_static("proxy");
const SERVED_BY: HeaderValue = HeaderValue::from_static(concat!("of-gateway/", env!("CARGO_PKG_VERSION")));
/// When it may be otherwise, in seconds.
pub(crate) const SOON: HeaderValue = HeaderValue::from_static("2");
const PLAIN: HeaderValue = HeaderValue::from_static("text/plain");
/// The gateway itself speaks no TLS; who stands in front of it sets the header.
const HTTP: HeaderValue = HeaderValue::from_static("http");
/// So often a request that no replica saw is sent again at once; after that with growing pauses.
const AT_ONCE: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(400);

/// Answers a synchronous call. `target` is the path behind `/function/`.
pub(crate) async fn sync(
    app: &Arc<App>,
    target: &str,
    request: Box<Request<ClientBody>>,
    peer: &HeaderValue,
) -> Response<Reply> {
    let target = FunctionRef::parse(target);
    let namespace = target.namespace.unwrap_or(&app.config.namespace);
    let Some(function) = app.functions.find(target.name, namespace) else {
        return own(missing(app, &target));
    };
    let max_body = max_body(app, &function);
    if declared_length(request.headers()) > max_body {
        return own(too_large(max_body));
    }
    let Some(uri) = stripped(target.rest, request.uri().query()) else {
        return own(text(StatusCode::BAD_REQUEST, "the path of this call cannot be passed on"));
    };
    let mut request = request.map(Payload::Client);
    *request.uri_mut() = uri;
    let marks = Marks::stamp(request.headers_mut(), peer);
    let request_type = request.headers().get(CONTENT_TYPE).cloned();
    let span = span(&function.id, marks.call_id.to_str().unwrap_or_default());
    // Pinned before it is wrapped, which would move it.
    let call = pin!(call(app, &function, request));
    let mut response = call.instrument(span).await;
    fall_back_on_type(&mut response, request_type);
    marks.put_on(response.headers_mut());
    response
}

/// What is logged in the course of a call belongs to it.
pub(crate) fn span(function: &FunctionId, call_id: &str) -> Span {
    tracing::debug_span!("call", %function, call_id)
}

/// Calls a function with a request whose path is the function's own.
pub(crate) async fn call(app: &Arc<App>, function: &Function, request: Request<Payload>) -> Response<Reply> {
    let timer = Timer::start(&function.invocations);
    let response = match &function.backend {
        Backend::Containers(containers) => to_container(app, &function.id, containers, request).await,
        Backend::Platform(platform) => {
            let request = request.map(|body| body.boxed(app.config.max_body));
            Box::pin(in_process(app, platform, request)).await.map(Either::Right)
        }
    };
    timer.watch(response)
}

/// How long a function may take to begin its answer.
pub(crate) fn limit(app: &App, function: &Function) -> Duration {
    match &function.backend {
        Backend::Containers(containers) => containers.settings.timeout.unwrap_or(app.config.upstream_timeout),
        Backend::Platform(platform) => platform.timeout,
    }
}

/// The largest body that a function's requests may have.
pub(crate) fn max_body(app: &App, function: &Function) -> u64 {
    function.containers().and_then(|containers| containers.settings.max_body).unwrap_or(app.config.max_body)
}

/// A request that no replica saw anything of is sent again, for as long as a container may take to come back.
async fn to_container(
    app: &Arc<App>,
    id: &FunctionId,
    containers: &Containers,
    request: Request<Payload>,
) -> Response<Bare> {
    let limit = containers.settings.timeout.unwrap_or(app.config.upstream_timeout);
    let max_body = containers.settings.max_body.unwrap_or(app.config.max_body);
    // For the log: the request itself may be gone by then.
    let call_id = request.headers().get(X_CALL_ID).cloned();
    let mut tunnel = None;
    if is_upgrade(request.headers()) {
        let Ok(room) = Arc::clone(&app.tunnels).try_acquire_owned() else {
            let sentence = "as many connections as may have left HTTP; try again later";
            return internal(StatusCode::SERVICE_UNAVAILABLE, sentence).map(Either::Right);
        };
        tunnel = Some(room);
    }
    let (request, sender) = streamed(request, max_body, limit);
    let mut request = Some(request);
    let mut tries = Tries::default();
    loop {
        let InFlight { container, claim } = match replica(app, id, containers).await {
            Ok(in_flight) => in_flight,
            Err(refusal) => return refusal.map(Either::Right),
        };
        let replica = claim.replica();
        let limits = Limits { head: limit, pause: limit };
        let guard = claim.with_tunnel(tunnel.take());
        let error = match forward(container.way(), &mut request, guard, limits, &app.closing).await {
            Ok(response) => {
                replica.answered();
                return response.map(Either::Left);
            }
            Err(error) => sender.judge(error),
        };
        if is_of_the_replica(&error) {
            replica.failed();
        }
        if request.is_none() || !Box::pin(tries.again(app.config.scaling.hold)).await {
            tracing::warn!(function = %id, ?call_id, error = %Chain(&error), "A call got no answer.");
            return unanswered_response(max_body, &error).map(Either::Right);
        }
    }
}

/// How often a request was sent in vain, and since when.
#[derive(Default)]
struct Tries {
    count: u32,
    /// Set at the first failure: most requests never look at the clock.
    since: Option<Instant>,
}

impl Tries {
    /// Waits a moment; `false` if it has been tried for long enough.
    async fn again(&mut self, limit: Duration) -> bool {
        let since = *self.since.get_or_insert_with(Instant::now);
        self.count += 1;
        if self.count > AT_ONCE {
            let doublings = (self.count - AT_ONCE - 1).min(8);
            tokio::time::sleep(FIRST_PAUSE.saturating_mul(1 << doublings).min(LONGEST_PAUSE)).await;
        }
        since.elapsed() < limit
    }
}

/// A replica for a request, started or waited for if need be.
async fn replica(app: &Arc<App>, id: &FunctionId, containers: &Containers) -> Result<InFlight, Response<Body>> {
    match containers.choose() {
        Ok(in_flight) => Ok(in_flight),
        Err(NoReplica::Full) => Err(full(id)),
        Err(NoReplica::NotReady) => Box::pin(woken(app, id)).await,
    }
}

async fn woken(app: &Arc<App>, id: &FunctionId) -> Result<InFlight, Response<Body>> {
    let (of_there, name) = (Arc::clone(app), id.clone());
    let woken = at_home(&app.home, async move { scaling::wake(&of_there, &name).await }).await;
    woken.map_err(|reason| match reason {
        NotWoken::Full => full(id),
        NotWoken::Because(sentence) => internal(StatusCode::SERVICE_UNAVAILABLE, &sentence),
    })
}

/// Marks the answer to a call that found all places of its function taken: the function never heard of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Full;

fn full(id: &FunctionId) -> Response<Body> {
    let sentence = format!("the function {id} has as many requests in flight as it takes; try again");
    let mut response = internal(StatusCode::TOO_MANY_REQUESTS, &sentence);
    response.extensions_mut().insert(Full);
    response
}

/// Whether a failure says something about the replica, and not about the client.
fn is_of_the_replica(error: &ForwardError) -> bool {
    match error {
        ForwardError::Connect { .. } | ForwardError::Broken(_) | ForwardError::Timeout(_) => true,
        ForwardError::TooLong | ForwardError::ClientGone | ForwardError::Unasked | ForwardError::Gone => false,
    }
}

/// What a client is told when a container gave no answer.
fn unanswered_response(max_body: u64, error: &ForwardError) -> Response<Body> {
    let sentence = match error {
        ForwardError::TooLong => return too_large(max_body),
        ForwardError::ClientGone => {
            return text(StatusCode::REQUEST_TIMEOUT, "the request's body did not come to its end");
        }
        ForwardError::Connect { .. } => "the function takes no connections".to_owned(),
        ForwardError::Broken(_) => "the function broke the connection before it answered".to_owned(),
        ForwardError::Timeout(limit) => format!("the function did not answer within {limit:?}"),
        ForwardError::Gone => "the call was passed on before".to_owned(),
        ForwardError::Unasked => "the function changed the protocol unasked".to_owned(),
    };
    internal(StatusCode::BAD_GATEWAY, &sentence)
}

async fn in_process(app: &App, platform: &PlatformFunction, mut request: Request<Body>) -> Response<Body> {
    if !is_upgrade(request.headers()) {
        strip_hop_by_hop(request.headers_mut());
    }
    let answer = AssertUnwindSafe(platform.router.clone().oneshot(request)).catch_unwind();
    match timeout(platform.timeout, at_home(&app.home, answer)).await {
        Ok(Ok(Ok(response))) => response,
        Ok(Ok(Err(never))) => match never {},
        Ok(Err(_panic)) => {
            tracing::error!(function = platform.name, "A platform function panicked.");
            internal(StatusCode::INTERNAL_SERVER_ERROR, "the function failed unexpectedly")
        }
        Err(_) => {
            let sentence = format!("the function did not answer within {:?}", platform.timeout);
            internal(StatusCode::BAD_GATEWAY, &sentence)
        }
    }
}

/// Headers that the request gets and the answer repeats.
pub(crate) struct Marks {
    pub(crate) call_id: HeaderValue,
    start: HeaderValue,
}

impl Marks {
    /// Puts the call id (if it has none), the start time and where it came from on a request.
    pub(crate) fn stamp(headers: &mut HeaderMap, peer: &HeaderValue) -> Self {
        let call_id = match headers.get(X_CALL_ID).filter(|id| !id.is_empty()) {
            Some(id) => id.clone(),
            None => {
                let id = call_id::random();
                headers.insert(X_CALL_ID, id.clone());
                id
            }
        };
        let nanos = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let start = HeaderValue::from(u64::try_from(nanos).unwrap_or(u64::MAX));
        headers.insert(X_START_TIME, start.clone());
        keep_marks(headers);
        if !headers.contains_key(X_FORWARDED_HOST)
            && let Some(host) = headers.get(HOST).cloned()
        {
            headers.insert(X_FORWARDED_HOST, host);
        }
        if !headers.contains_key(X_FORWARDED_FOR) {
            headers.insert(X_FORWARDED_FOR, peer.clone());
        }
        if !headers.contains_key(X_FORWARDED_PROTO) {
            headers.insert(X_FORWARDED_PROTO, HTTP);
        }
        Self { call_id, start }
    }

    pub(crate) fn put_on(self, headers: &mut HeaderMap) {
        headers.insert(X_CALL_ID, self.call_id);
        headers.insert(X_START_TIME, self.start);
        headers.insert(X_SERVED_BY, SERVED_BY);
    }
}

/// What a caller lists as headers of its connection is not passed on; these are, whoever wishes otherwise.
fn keep_marks(headers: &mut HeaderMap) {
    if !headers.contains_key(CONNECTION) {
        return;
    }
    let marks = [X_CALL_ID, X_START_TIME, X_FORWARDED_HOST, X_FORWARDED_FOR, X_FORWARDED_PROTO];
    let is_mark = |option: &&str| marks.iter().any(|mark| option.eq_ignore_ascii_case(mark.as_str()));
    let lists = headers.get_all(CONNECTION).iter().filter_map(|list| list.to_str().ok());
    let (listed, others): (Vec<_>, Vec<_>) = lists.flat_map(|list| list.split(',')).map(str::trim).partition(is_mark);
    if listed.is_empty() {
        return;
    }
    match HeaderValue::from_str(&others.join(", ")) {
        Ok(rest) if !rest.is_empty() => drop(headers.insert(CONNECTION, rest)),
        _ => drop(headers.remove(CONNECTION)),
    }
}

/// The function's own path: what follows its name, at least a slash, and the query.
pub(crate) fn stripped(rest: &str, query: Option<&str>) -> Option<Uri> {
    let rest = if rest.is_empty() { "/" } else { rest };
    let path = match query {
        Some(query) => PathAndQuery::from_maybe_shared(format!("{rest}?{query}")),
        None => rest.parse(),
    };
    path.ok().map(Uri::from)
}

pub(crate) fn declared_length(headers: &HeaderMap) -> u64 {
    headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok()).unwrap_or(0)
}

pub(crate) fn missing(app: &App, target: &FunctionRef<'_>) -> Response<Body> {
    let id = target.id(&app.config.namespace);
    if app.adopted.initialized() {
        return text(StatusCode::NOT_FOUND, format!("error finding function {id}: it is not deployed"));
    }
    let sentence =
        format!("whether the function {id} is deployed is not known yet: the container engine has to answer");
    let mut response = internal(StatusCode::SERVICE_UNAVAILABLE, &sentence);
    response.headers_mut().insert(RETRY_AFTER, SOON);
    response
}

pub(crate) fn too_large(limit: u64) -> Response<Body> {
    text(StatusCode::PAYLOAD_TOO_LARGE, format!("the body is larger than the {limit} bytes this gateway takes"))
}

fn internal(status: StatusCode, sentence: &str) -> Response<Body> {
    let mut response = text(status, sentence.to_owned());
    response.headers_mut().insert(X_INTERNAL, INTERNAL_PROXY);
    response
}

fn fall_back_on_type(response: &mut Response<Reply>, request_type: Option<HeaderValue>) {
    let status = response.status();
    let bodiless = status.is_informational() || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
    if !bodiless && !response.headers().contains_key(CONTENT_TYPE) {
        response.headers_mut().insert(CONTENT_TYPE, request_type.unwrap_or(PLAIN));
    }
}

/// An error with its causes, for the log.
pub(crate) struct Chain<'a>(pub(crate) &'a dyn std::error::Error);

impl std::fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(inner) = cause {
            write!(f, ": {inner}")?;
            cause = inner.source();
        }
        Ok(())
    }
}
