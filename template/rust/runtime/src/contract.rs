//! What happens to one request, in order: probe, limit, deadline, function, record.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use tokio::time::Instant;
use tower::Service;
use tracing::Instrument;

use crate::access_log::AccessLog;
use crate::body::{Watch, Watched};
use crate::config::Config;
use crate::deadline::Deadline;
use crate::health::{Health, Probe};
use crate::in_flight::InFlight;
use crate::metrics::Metrics;
use crate::panics;
use crate::record::{Observers, Record};
use crate::request_body::impatient;

/// Marks an answer of the runtime's own, so that a queue knows that the function did not see the request.
static INTERNAL: HeaderName = HeaderName::from_static("x-openfaas-internal");
static DURATION: HeaderName = HeaderName::from_static("x-duration-seconds");
static CALL_ID: HeaderName = HeaderName::from_static("x-call-id");

/// The function behind the container contract.
#[derive(Debug)]
pub(crate) struct Contract {
    router: Router,
    pub(crate) health: Health,
    pub(crate) in_flight: Arc<InFlight>,
    pub(crate) observers: Arc<Observers>,
    exec_timeout: Option<Duration>,
    read_timeout: Duration,
    ready_path: Option<String>,
}

impl Contract {
    pub(crate) fn new(config: &Config, router: Router, access_log: Option<AccessLog>) -> Self {
        Self {
            // Resolved once here instead of at every request.
            router: router.with_state(()),
            health: Health::new(config.lock_file.clone()),
            in_flight: InFlight::new(config.max_inflight),
            observers: Arc::new(Observers {
                metrics: Metrics::default(),
                access_log,
            }),
            exec_timeout: config.exec_timeout,
            read_timeout: config.read_timeout,
            ready_path: config.ready_path.clone(),
        }
    }

    /// Answers one request.
    pub(crate) async fn answer<B>(&self, request: Request<B>) -> Response<Watched>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let start = Instant::now();
        let mut response = match Probe::of(request.uri().path()) {
            Some(probe) => self.probe(probe, request.method()).await.map(Watched::unwatched),
            None => self.invoke(start, request).await,
        };
        // A stream's end is unknown while its head is written: this is the time to the head.
        response
            .headers_mut()
            .entry(&DURATION)
            .or_insert_with(|| seconds(start.elapsed()));
        response
    }

    async fn invoke<B>(&self, start: Instant, request: Request<B>) -> Response<Watched>
    where
        B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: std::error::Error + Send + Sync + 'static,
    {
        let mut record = Record::start(&self.observers, start, &request);
        let Some(slot) = self.in_flight.enter() else {
            record.failed("max_inflight");
            let response = internal(
                StatusCode::TOO_MANY_REQUESTS,
                "too many requests at once: max_inflight is reached\n",
            );
            return watched(response, record, None, None);
        };
        let mut deadline = Deadline::of(self.exec_timeout, request.headers(), start);
        let request = request.map(|body| impatient(body, self.read_timeout));
        let outcome = match &deadline {
            Some(deadline) => deadline.bound(panics::caught(self.call(request))).await,
            None => Some(panics::caught(self.call(request)).await),
        };
        let response = match outcome {
            Some(Ok(response)) => response,
            Some(Err(panics::Panicked)) => {
                record.failed("panic");
                internal(StatusCode::INTERNAL_SERVER_ERROR, "the function failed\n")
            }
            None => {
                record.failed("timeout");
                deadline = None;
                let took = record.elapsed().as_secs_f32();
                internal(
                    StatusCode::GATEWAY_TIMEOUT,
                    format!("the function did not answer within {took:.3} s\n"),
                )
            }
        };
        watched(response, record, deadline, Some(slot))
    }

    /// Asks the function. What it logs carries the caller's `X-Call-Id`.
    async fn call(&self, request: Request<Body>) -> Response<Body> {
        let call_id = call_id(request.headers());
        let span = call_id.map(|call_id| tracing::info_span!("request", call_id));
        // A router is always ready; asking it would only cost time.
        let answer = self.router.clone().call(request);
        let result = match span {
            Some(span) => answer.instrument(span).await,
            None => answer.await,
        };
        match result {
            Ok(response) => response,
            Err(never) => match never {},
        }
    }

    async fn probe(&self, probe: Probe, method: &Method) -> Response<Body> {
        if method != Method::GET {
            let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "only GET is allowed here\n");
            response
                .headers_mut()
                .insert(header::ALLOW, HeaderValue::from_static("GET"));
            return response;
        }
        match probe {
            Probe::Health if self.health.is_healthy() => plain(StatusCode::OK, "OK\n"),
            Probe::Ready if self.health.is_accepting() => self.readiness().await,
            Probe::Health | Probe::Ready => plain(StatusCode::SERVICE_UNAVAILABLE, "not accepting requests\n"),
        }
    }

    async fn readiness(&self) -> Response<Body> {
        if self.in_flight.is_full() {
            return internal(StatusCode::TOO_MANY_REQUESTS, "max_inflight is reached\n");
        }
        let Some(path) = &self.ready_path else {
            return plain(StatusCode::OK, "OK\n");
        };
        let Ok(request) = Request::get(path).body(Body::empty()) else {
            return internal(StatusCode::INTERNAL_SERVER_ERROR, "ready_path is not a path\n");
        };
        let asked = panics::caught(self.call(request));
        let outcome = match self.exec_timeout.and_then(Deadline::after) {
            Some(deadline) => deadline.bound(asked).await,
            None => Some(asked.await),
        };
        match outcome {
            Some(Ok(response)) => response,
            Some(Err(panics::Panicked)) => internal(StatusCode::INTERNAL_SERVER_ERROR, "the function failed\n"),
            None => internal(
                StatusCode::GATEWAY_TIMEOUT,
                "the function did not say in time whether it is ready\n",
            ),
        }
    }
}

fn watched(
    response: Response<Body>,
    mut record: Record,
    deadline: Option<Deadline>,
    slot: Option<crate::in_flight::Slot>,
) -> Response<Watched> {
    record.answered(response.status());
    response.map(|body| {
        Watched::new(
            body,
            Watch {
                record,
                deadline,
                _slot: slot,
            },
        )
    })
}

fn call_id(headers: &HeaderMap) -> Option<&str> {
    headers.get(&CALL_ID).and_then(|value| value.to_str().ok())
}

fn plain(status: StatusCode, text: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, plain);
    response
}

fn internal(status: StatusCode, text: impl Into<Body>) -> Response<Body> {
    let mut response = plain(status, text);
    response
        .headers_mut()
        .insert(&INTERNAL, HeaderValue::from_static("openfaas-runtime"));
    response
}

fn seconds(elapsed: Duration) -> HeaderValue {
    // Written in place: this happens for every request.
    let mut text = [0; 32];
    let mut rest = &mut text[..];
    let _ = write!(rest, "{}.{:06}", elapsed.as_secs(), elapsed.subsec_micros());
    let unused = rest.len();
    HeaderValue::from_bytes(&text[..text.len() - unused]).unwrap_or(HeaderValue::from_static("0"))
}

#[cfg(test)]
mod tests;
