//! A client's request body on its way through.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep};

use crate::ClientBody;

/// Why a request's body was not passed on to its end.
#[derive(Debug, thiserror::Error)]
pub enum InboundError {
    /// It is longer than allowed.
    #[error("the request's body is longer than {0} bytes")]
    TooLong(u64),
    /// Its sender paused for too long.
    #[error("the client sent nothing for {0:?}")]
    Stalled(Duration),
    /// The connection to its sender broke.
    #[error("the client broke off")]
    Broken(#[source] hyper::Error),
}

/// A request body with a limit on its length and on its sender's pauses.
#[derive(Debug)]
pub struct Inbound {
    body: ClientBody,
    left: u64,
    limit: u64,
    pause: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Inbound {
    /// Wraps a body.
    pub fn new(body: ClientBody, limit: u64, pause: Duration) -> Self {
        Self { body, left: limit, limit, pause, timer: None }
    }

    /// True if the sender announced more than is allowed.
    pub fn is_surely_too_long(&self) -> bool {
        self.body.size_hint().lower() > self.limit
    }

    fn poll_stalled(&mut self, context: &mut Context<'_>) -> Poll<InboundError> {
        let pause = self.pause;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(pause)));
        timer.as_mut().poll(context).map(|()| InboundError::Stalled(pause))
    }

    fn count(&mut self, frame: &Frame<Bytes>) -> Result<(), InboundError> {
        let length = frame.data_ref().map_or(0, |data| data.len() as u64);
        self.left = self.left.checked_sub(length).ok_or(InboundError::TooLong(self.limit))?;
        if let Some(timer) = &mut self.timer {
            timer.as_mut().reset(Instant::now() + self.pause);
        }
        Ok(())
    }
}

impl Body for Inbound {
    type Data = Bytes;
    type Error = InboundError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, InboundError>>> {
        let this = &mut *self;
        match Pin::new(&mut this.body).poll_frame(context) {
            Poll::Pending => this.poll_stalled(context).map(|error| Some(Err(error))),
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(this.count(&frame).map(|()| frame))),
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(InboundError::Broken(error)))),
            Poll::Ready(None) => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
