//! What one worker needs for a request: the router as it is configured now, and the worker's own counters.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use http::header::{self, HeaderValue};
use http::{Request, Response, StatusCode, Version};
use sdk::failure::chain;
use upstream::{ClientBody, ForwardError};

use super::connection::Slot;
use super::dispatch::Common;
use super::record::{Asked, Record};
use super::{Serving, door, strict, taking};
use crate::handler::{Call, Router};
use crate::metrics::{Limit, Shard};
use crate::recall::Recall;
use crate::reply::{self, Body};

/// One worker's view. Cloning its `Arc` costs nothing that workers share.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) router: Arc<Router>,
    pub(crate) index: usize,
    pub(crate) common: Arc<Common>,
    pub(crate) recall: Recall,
    closing: AtomicBool,
}

/// What the form of an answer depends on.
#[derive(Debug)]
pub(crate) struct Form {
    pub(crate) asked: reply::Asked,
    /// `Strict-Transport-Security`, where it is to be said.
    pub(crate) strict: Option<HeaderValue>,
    pub(crate) version: Version,
    /// How many requests the connection has had, with this one.
    pub(crate) before: u64,
}

impl Lane {
    pub(crate) fn new(router: Arc<Router>, index: usize, common: Arc<Common>) -> Arc<Self> {
        let closing = AtomicBool::new(common.shutdown.is_cancelled());
        Arc::new(Self { router, index, common, recall: Recall::default(), closing })
    }

    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
    }

    pub(crate) fn limits(&self) -> &Serving {
        &self.router.serving
    }

    pub(crate) fn shard(&self) -> &Shard {
        self.common.metrics.shard(self.index)
    }

    /// Answers a request. What became of it is logged and counted when the answer has ended.
    pub(crate) async fn answer(self: Arc<Self>, mut request: Box<Request<ClientBody>>, slot: Slot) -> Response<Body> {
        let before = slot.request_begins();
        let mut record = Record::new(self.clone(), slot, Instant::now(), || Asked::by(&request));
        let odd = strict::check(&mut request);
        let many = request.headers().len() > self.limits().max_headers;
        let version = request.version();
        let strict = record.slot.door.strict(&request);
        let asked = reply::Asked::by(&request);
        let response = match odd {
            Err((status, sentence)) => reply::text(status, sentence),
            Ok(()) if many => reply::text(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "There are too many headers."),
            Ok(()) => self.router.answer(request, &mut Call { lane: &self, record: &mut record }).await,
        };
        let response = self.finish(response, Form { asked, strict, version, before }, record);
        taking::note(true);
        response
    }

    /// Brings an answer into the form that goes out.
    pub(crate) fn finish(&self, response: Response<Body>, form: Form, record: Box<Record>) -> Response<Body> {
        let Form { asked, strict, version, before } = form;
        let mut response = reply::suited(response, asked);
        door::insist(response.headers_mut(), strict);
        self.keep_or_close(&mut response, version, before, &record);
        record.answered(&mut response);
        response
    }

    /// Whether requests are taken beyond the one that is the connection's `before`th.
    pub(crate) fn goes_on(&self, before: u64) -> bool {
        before < self.limits().max_connection_requests && !self.closing.load(Ordering::Relaxed)
    }

    /// What is answered where a service gave no answer.
    pub(crate) fn failed(&self, error: &ForwardError, call_id: &str, max_body: u64) -> Response<Body> {
        tracing::warn!(call_id, cause = chain(error), "a request got no answer from behind");
        match error {
            ForwardError::TooLong | ForwardError::ClientGone => self.shard().limit(Limit::Body),
            _ => self.shard().upstream_error(),
        }
        reply::failed(error, max_body)
    }

    fn keep_or_close(&self, response: &mut Response<Body>, version: Version, before: u64, record: &Record) {
        let odd = response.status() == StatusCode::BAD_REQUEST && response.body().is_own();
        let last = !self.goes_on(before);
        if !(odd || last) || response.status() == StatusCode::SWITCHING_PROTOCOLS {
            return;
        }
        if version == Version::HTTP_2 {
            if last {
                record.slot.retire.notify_one();
            }
        } else {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }
}
