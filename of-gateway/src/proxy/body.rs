//! Bodies on their way through.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::Limited;
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use tokio::time::{Instant, Sleep, sleep};

use super::pool::Upstream;
use crate::functions::InFlight;

/// A request's body that fails once it is longer than `limit`.
pub(crate) fn cap<B>(body: B, limit: u64) -> Body
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    if body.is_end_stream() {
        return Body::empty();
    }
    Body::new(Limited::new(body, usize::try_from(limit).unwrap_or(usize::MAX)))
}

/// A function paused for too long within its answer.
#[derive(Debug, thiserror::Error)]
#[error("the function sent nothing for {0:?}")]
struct Stalled(Duration);

/// An answer's body. It gives its connection back when it has ended, and ends the request's claim on the replica.
pub(super) struct Answer {
    body: Incoming,
    connection: Option<(SendRequest<Body>, Arc<Upstream>)>,
    /// Held for its drop.
    _claim: InFlight,
    pause: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
}

impl Answer {
    pub(super) fn new(body: Incoming, sender: SendRequest<Body>, claim: InFlight, pause: Duration) -> Self {
        let connection = Some((sender, Arc::clone(&claim.upstream)));
        let mut answer = Self { body, connection, _claim: claim, pause, stalled: None };
        answer.release_if_ended();
        answer
    }

    fn release_if_ended(&mut self) {
        if self.body.is_end_stream()
            && let Some((sender, upstream)) = self.connection.take()
        {
            upstream.give_back(sender);
        }
    }

    fn poll_stalled(&mut self, context: &mut Context<'_>) -> Poll<Stalled> {
        let pause = self.pause;
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(pause)));
        ready!(stalled.as_mut().poll(context));
        Poll::Ready(Stalled(pause))
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        let frame = match Pin::new(&mut this.body).poll_frame(context) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                let stalled = ready!(this.poll_stalled(context));
                return Poll::Ready(Some(Err(axum::Error::new(stalled))));
            }
        };
        if let Some(stalled) = &mut this.stalled {
            stalled.as_mut().reset(Instant::now() + this.pause);
        }
        match &frame {
            None => {
                if let Some((sender, upstream)) = this.connection.take() {
                    upstream.give_back(sender);
                }
            }
            Some(Ok(_)) => this.release_if_ended(),
            Some(Err(_)) => this.connection = None,
        }
        Poll::Ready(frame.map(|frame| frame.map_err(axum::Error::new)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
