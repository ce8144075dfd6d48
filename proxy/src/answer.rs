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
use crate::wire::WireBody;

/// Why an answer's body did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// The server paused for too long.
    #[error("the server sent nothing for {0:?}")]
    Stalled(Duration),
    /// The connection to the server broke.
    #[error("the server broke off")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// An answer's body. At its end the connection goes back to the pool; the guard is dropped with it.
#[derive(Debug)]
pub struct Answer<B, G> {
    source: Source<B>,
    _guard: Option<G>,
    pause: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

/// Where the body comes from.
#[derive(Debug)]
enum Source<B> {
    /// Nowhere: an answer that has no body of the server's, such as an upgrade's.
    Empty,
    /// From a connection with a task of its own, which goes back to the pool behind the body.
    Task { body: Incoming, connection: Option<(SendRequest<B>, Arc<Upstream<B>>)> },
    /// From a connection that belongs to the answer.
    Wire(WireBody<B>),
}

impl<B, G> Answer<B, G> {
    pub(crate) fn new(
        body: Incoming,
        connection: (SendRequest<B>, Arc<Upstream<B>>),
        guard: G,
        pause: Duration,
    ) -> Self {
        let source = Source::Task { body, connection: Some(connection) };
        let mut answer = Self { source, _guard: Some(guard), pause, timer: None };
        if answer.is_over() {
            answer.give_connection_back();
        }
        answer
    }

    pub(crate) fn wire(body: WireBody<B>, guard: G, pause: Duration) -> Self {
        Self { source: Source::Wire(body), _guard: Some(guard), pause, timer: None }
    }

    pub(crate) fn empty() -> Self {
        Self { source: Source::Empty, _guard: None, pause: Duration::MAX, timer: None }
    }

    fn is_over(&self) -> bool {
        match &self.source {
            Source::Empty => true,
            Source::Task { body, .. } => body.is_end_stream(),
            Source::Wire(body) => body.is_over(),
        }
    }

    fn give_connection_back(&mut self) {
        if let Source::Task { connection, .. } = &mut self.source
            && let Some((sender, upstream)) = connection.take()
        {
            upstream.give_back(sender);
        }
    }

    fn poll_source(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, AnswerError>>> {
        match &mut self.source {
            Source::Empty => Poll::Ready(None),
            Source::Task { body, .. } => {
                Pin::new(body).poll_frame(context).map_err(|error| AnswerError::Broken(error.into()))
            }
            Source::Wire(body) => body.poll_frame(context).map_err(|error| AnswerError::Broken(error.into())),
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
        let Poll::Ready(frame) = this.poll_source(context) else {
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
                this.source = Source::Empty;
                Poll::Ready(Some(Err(error)))
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
        match &self.source {
            Source::Empty => SizeHint::with_exact(0),
            Source::Task { body, .. } => body.size_hint(),
            Source::Wire(body) => body.size_hint(),
        }
    }
}
