//! An answer's body on its way back.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use tokio::time::{Instant, Sleep, sleep};

use crate::pool::Upstream;

/// Why an answer's body did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// The server paused for too long.
    #[error("the server sent nothing for {0:?}")]
    Stalled(Duration),
    /// The connection to the server broke.
    #[error("the server broke off")]
    Broken(#[source] hyper::Error),
}

/// An answer's body. At its end the connection goes back to the pool; the guard is dropped with it.
#[derive(Debug)]
pub struct Answer<B, G> {
    /// `None` for an answer that has no body of the server's, such as an upgrade's.
    body: Option<Incoming>,
    connection: Option<(SendRequest<B>, Arc<Upstream<B>>)>,
    _guard: Option<G>,
    pause: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl<B, G> Answer<B, G> {
    pub(crate) fn new(
        body: Incoming,
        connection: (SendRequest<B>, Arc<Upstream<B>>),
        guard: G,
        pause: Duration,
    ) -> Self {
        let mut answer =
            Self { body: Some(body), connection: Some(connection), _guard: Some(guard), pause, timer: None };
        if answer.is_over() {
            answer.give_connection_back();
        }
        answer
    }

    pub(crate) fn empty() -> Self {
        Self { body: None, connection: None, _guard: None, pause: Duration::MAX, timer: None }
    }

    fn is_over(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn give_connection_back(&mut self) {
        if let Some((sender, upstream)) = self.connection.take() {
            upstream.give_back(sender);
        }
    }

    fn poll_stalled(&mut self, context: &mut Context<'_>) -> Poll<AnswerError> {
        let pause = self.pause;
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep(pause)));
        timer.as_mut().poll(context).map(|()| AnswerError::Stalled(pause))
    }
}

impl<B: Unpin, G: Unpin> Body for Answer<B, G> {
    type Data = Bytes;
    type Error = AnswerError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, AnswerError>>> {
        let this = &mut *self;
        let Some(body) = &mut this.body else { return Poll::Ready(None) };
        let Poll::Ready(frame) = Pin::new(body).poll_frame(context) else {
            let stalled = this.poll_stalled(context);
            return stalled.map(|error| Some(Err(error)));
        };
        if let Some(timer) = &mut this.timer {
            timer.as_mut().reset(Instant::now() + this.pause);
        }
        match frame {
            Some(Ok(frame)) => {
                if this.is_over() {
                    this.give_connection_back();
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => {
                this.connection = None;
                Poll::Ready(Some(Err(AnswerError::Broken(error))))
            }
            None => {
                this.give_connection_back();
                Poll::Ready(None)
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.is_over()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
