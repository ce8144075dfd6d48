//! What passes through the gateway to a function and back: bodies, and connections to containers.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http_body::Body as _;
use http_body_util::{Either, Limited};
use hyper::body::Incoming;
use queue::BodyStream;
use upstream::{Answer, Inbound, Upstream};

use crate::functions::Claim;

/// Below the shortest keep-alive that common servers have (2 s), so that it is we who close.
const IDLE: Duration = Duration::from_millis(1500);

/// A request's body on its way to a container: a client's, or one of the queue. Not boxed: this is the hot path.
pub(crate) type Outbound = Either<Inbound, BodyStream>;
/// A container's address, with the idle connections to it.
pub(crate) type Container = Upstream<Outbound>;
/// An answer's body as it comes: a container's, or one made in this process.
pub(crate) type Bare = Either<Answer<Outbound, Claim>, Body>;

/// A container that nothing was sent to yet.
pub(crate) fn container(address: SocketAddr) -> Arc<Container> {
    Upstream::new(address.to_string(), IDLE)
}

/// The body of a call, wherever it goes.
pub(crate) enum Payload {
    /// Comes in while it goes out.
    Client(Incoming),
    /// Comes from the queue.
    Stored(BodyStream),
}

impl Payload {
    /// For a container. A client may send at most `limit` bytes and pause no longer than `pause`.
    pub(crate) fn streamed(self, limit: u64, pause: Duration) -> Outbound {
        match self {
            Self::Client(body) => Either::Left(Inbound::new(body, limit, pause)),
            Self::Stored(body) => Either::Right(body),
        }
    }

    /// For a router in this process, with the limit that axum's extractors know, so that they answer 413 by themselves.
    pub(crate) fn boxed(self, limit: u64) -> Body {
        match self {
            Self::Client(body) if body.is_end_stream() => Body::empty(),
            Self::Client(body) => Body::new(Limited::new(body, usize::try_from(limit).unwrap_or(usize::MAX))),
            Self::Stored(body) => Body::new(body),
        }
    }
}
