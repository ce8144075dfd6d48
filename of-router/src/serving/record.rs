//! What is known of one request when it is over, for the access log and the metrics.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use http::header::{self, HeaderValue};
use http::{Method, Request, Response, StatusCode, Uri, Version};

use super::connection::Slot;
use super::lane::Lane;
use crate::call_id::{self, CallId};
use crate::callee::Callee;
use crate::reply::Body;

/// The client went away before it was answered; nginx calls it so.
const CLIENT_GONE: u16 = 499;

/// One request. Dropping it writes it down.
#[derive(Debug)]
pub(crate) struct Record {
    lane: Arc<Lane>,
    pub(crate) slot: Slot,
    pub(crate) began: Instant,
    /// Where there is a log.
    pub(crate) asked: Option<Box<Asked>>,
    pub(crate) status: u16,
    pub(crate) call_id: CallId,
    pub(crate) received: Arc<AtomicU64>,
    pub(crate) sent: u64,
    /// The function that it was for, if it was allowed to go there.
    pub(crate) callee: Option<Arc<Callee>>,
    /// The login of who is signed in.
    pub(crate) user: Option<String>,
}

/// What was asked, for the log.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) version: Version,
    pub(crate) host: Option<HeaderValue>,
}

impl Asked {
    pub(crate) fn by<B>(request: &Request<B>) -> Self {
        let host = request.headers().get(header::HOST).cloned();
        Self { method: request.method().clone(), uri: request.uri().clone(), version: request.version(), host }
    }
}

impl Record {
    /// `asked` is asked for where there is a log.
    pub(crate) fn new(lane: Arc<Lane>, slot: Slot, began: Instant, asked: impl FnOnce() -> Asked) -> Box<Self> {
        Box::new(Self {
            asked: lane.common.log.is_on().then(|| Box::new(asked())),
            lane,
            slot,
            began,
            status: CLIENT_GONE,
            call_id: call_id::next(),
            received: Arc::default(),
            sent: 0,
            callee: None,
            user: None,
        })
    }

    /// The worker's view that the request began with.
    pub(crate) fn lane(&self) -> &Arc<Lane> {
        &self.lane
    }

    /// The answer begins. The record lives on in its body.
    pub(crate) fn answered(mut self: Box<Self>, response: &mut Response<Body>) {
        self.status = response.status().as_u16();
        response.headers_mut().insert(crate::outside::CALL_ID, self.call_id.value());
        if response.status() == StatusCode::SWITCHING_PROTOCOLS {
            self.lane.shard().tunnel();
        }
        response.body_mut().keep(self);
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let now = Instant::now();
        self.slot.request_ends(now);
        let seconds = now.saturating_duration_since(self.began).as_secs_f64();
        self.lane.shard().request(self.status, seconds, self.received.load(Ordering::Relaxed), self.sent);
        if let Some(state) = self.callee.as_ref().and_then(|callee| callee.known_state()) {
            state.answers[usize::from(self.status / 100).min(5)].fetch_add(1, Ordering::Relaxed);
        }
        self.lane.common.log.write(self, seconds);
    }
}
