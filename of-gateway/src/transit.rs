//! What passes through the gateway to a function and back: bodies, and connections to containers.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::Request;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::{Either, Limited};
use queue::BodyStream;
use upstream::{Answer, ClientBody, ForwardError, Inbound, InboundError, Upstream};

use crate::functions::Claim;
use crate::port::threads;

/// Below the shortest keep-alive that common servers have (2 s), so that it is we who close.
const IDLE: Duration = Duration::from_millis(1500);

/// A request's body on its way to a container: a client's, or one of the queue. Not boxed: this is the hot path.
pub(crate) type Outbound = Either<Watched, BodyStream>;
/// An answer's body as it comes: a container's, or one made in this process.
pub(crate) type Bare = Either<Answer<Outbound, Claim>, Body>;

/// A container's address, with the idle connections to it.
#[derive(Debug)]
pub(crate) struct Container {
    /// One for each thread, and one for all others.
    ways: Vec<Arc<Upstream<Outbound>>>,
    authority: String,
}

impl Container {
    /// One that nothing was sent to yet.
    pub(crate) fn new(address: SocketAddr) -> Arc<Self> {
        let authority = address.to_string();
        let ways = (0..=threads::count()).map(|_| Upstream::new(authority.clone(), IDLE)).collect();
        Arc::new(Self { ways, authority })
    }

    /// Host and port.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// This thread's connections.
    pub(crate) fn way(&self) -> &Arc<Upstream<Outbound>> {
        &self.ways[threads::index() % self.ways.len()]
    }

    /// Closes what has been idle for too long.
    pub(crate) fn sweep(&self) {
        self.ways.iter().for_each(|way| way.sweep());
    }
}

/// The body of a call, wherever it goes.
pub(crate) enum Payload {
    /// Comes in while it goes out.
    Client(ClientBody),
    /// Comes from the queue.
    Stored(BodyStream),
}

/// A request for a container. A client may send at most `limit` bytes and pause no longer than `pause`.
pub(crate) fn streamed(request: Request<Payload>, limit: u64, pause: Duration) -> (Request<Outbound>, Sender) {
    let mut sender = Sender::default();
    let request = request.map(|body| match body {
        Payload::Client(body) => {
            if !body.is_end_stream() {
                sender.awaited = Some(Arc::default());
            }
            Either::Left(Watched { body: Inbound::new(body, limit, pause), awaited: sender.awaited.clone() })
        }
        Payload::Stored(body) => Either::Right(body),
    });
    (request, sender)
}

/// Whoever sends a request's body.
#[derive(Debug, Default)]
pub(crate) struct Sender {
    /// Set while more of the body is waited for. `None` where there is nothing to wait for.
    awaited: Option<Arc<AtomicBool>>,
}

impl Sender {
    /// That there was no answer in time says nothing about the container if it was still waiting for the request.
    pub(crate) fn judge(&self, error: ForwardError) -> ForwardError {
        let slow = self.awaited.as_ref().is_some_and(|awaited| awaited.load(Ordering::Relaxed));
        match error {
            ForwardError::Timeout(_) if slow => ForwardError::ClientGone,
            error => error,
        }
    }
}

/// A client's body, and whether more of it is waited for.
#[derive(Debug)]
pub(crate) struct Watched {
    body: Inbound,
    awaited: Option<Arc<AtomicBool>>,
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = InboundError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, InboundError>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if let Some(awaited) = &self.awaited {
            awaited.store(polled.is_pending(), Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Payload {
    /// For a router in this process, with the limit that axum's extractors know, so that they answer 413 by themselves.
    pub(crate) fn boxed(self, limit: u64) -> Body {
        match self {
            Self::Client(body) if body.is_end_stream() => Body::empty(),
            Self::Client(body) => Body::new(Limited::new(body, usize::try_from(limit).unwrap_or(usize::MAX))),
            Self::Stored(body) => Body::new(body),
        }
    }
}
