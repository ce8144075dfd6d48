//! What is remembered of one request, for the metrics and the access log.

use std::sync::Arc;
use std::time::Duration;

use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Request, StatusCode, header};
use tokio::time::Instant;

use crate::access_log::{AccessLog, Entry};
use crate::metrics::Metrics;

/// What the log shows where the client went away before it was answered.
const CLIENT_GONE: u16 = 499;

/// Who is told about every finished request.
#[derive(Debug)]
pub(crate) struct Observers {
    pub(crate) metrics: Metrics,
    pub(crate) access_log: Option<AccessLog>,
}

/// One request, from its head to the last byte of its response. Dropping it reports it, whatever ended it.
#[derive(Debug)]
pub(crate) struct Record {
    observers: Arc<Observers>,
    start: Instant,
    method: Method,
    status: u16,
    log: Option<LogDetails>,
}

/// Kept only where the request will be logged.
#[derive(Debug)]
struct LogDetails {
    path: Option<PathAndQuery>,
    call_id: Option<HeaderValue>,
    failure: Option<&'static str>,
}

impl Record {
    pub(crate) fn start<B>(observers: &Arc<Observers>, start: Instant, request: &Request<B>) -> Self {
        let logged = observers.access_log.is_some() && !is_kubernetes_probe(request);
        Self {
            observers: Arc::clone(observers),
            start,
            method: request.method().clone(),
            status: CLIENT_GONE,
            log: logged.then(|| LogDetails {
                path: request.uri().path_and_query().cloned(),
                call_id: request.headers().get("x-call-id").cloned(),
                failure: None,
            }),
        }
    }

    pub(crate) fn answered(&mut self, status: StatusCode) {
        self.status = status.as_u16();
    }

    /// Remembers why the request did not end well.
    pub(crate) fn failed(&mut self, why: &'static str) {
        if let Some(log) = &mut self.log {
            log.failure = Some(why);
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.start.elapsed()
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let elapsed = self.start.elapsed();
        self.observers.metrics.observe(&self.method, self.status, elapsed);
        if let (Some(log), Some(access_log)) = (&self.log, &self.observers.access_log) {
            access_log.write(&Entry {
                method: self.method.as_str(),
                path: log.path.as_ref().map_or("/", PathAndQuery::path),
                status: self.status,
                elapsed,
                call_id: log.call_id.as_ref().and_then(|id| id.to_str().ok()),
                failure: log.failure,
            });
        }
    }
}

fn is_kubernetes_probe<B>(request: &Request<B>) -> bool {
    request
        .headers()
        .get(header::USER_AGENT)
        .is_some_and(|agent| agent.as_bytes().starts_with(b"kube-probe"))
}
