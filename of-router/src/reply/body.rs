//! Bodies on their way through, counted.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::FutureExt;
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt, Full};
use upstream::{Answer, AnswerError, Inbound, InboundError};

use crate::auth::open::{Ending, Watch, Watched};
use crate::outside;
use crate::serving::connection::Slot;
use crate::serving::owners::Ticket;
use crate::serving::record::Record;
use crate::serving::taking;

/// What a request holds until its answer or its tunnel has ended.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) _slot: Slot,
    pub(crate) _ticket: Option<Ticket>,
    pub(crate) _ending: Option<Arc<Ending>>,
}

/// Why an answer's body did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyError {
    #[error(transparent)]
    Answer(#[from] AnswerError),
    /// Who asked for it may not have it any more.
    #[error("the session or API token of who asked has ended")]
    Ended,
}

/// A request's body.
#[derive(Debug)]
pub(crate) struct Received {
    body: Inbound,
    bytes: Arc<AtomicU64>,
}

impl Received {
    /// Adds up what comes in `bytes`.
    pub(crate) fn new(body: Inbound, bytes: Arc<AtomicU64>) -> Self {
        Self { body, bytes }
    }
}

impl http_body::Body for Received {
    type Data = Bytes;
    type Error = InboundError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, InboundError>>> {
        let mut polled = Pin::new(&mut self.body).poll_frame(context);
        if let Poll::Ready(Some(Ok(frame))) = &mut polled {
            if let Some(data) = frame.data_ref() {
                self.bytes.fetch_add(data.len() as u64, Ordering::Relaxed);
            } else if let Some(trailers) = frame.trailers_mut() {
                outside::keep_inside(trailers);
            }
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

/// An answer's body: a service's, or one of the router's own.
#[derive(Debug)]
pub(crate) struct Body {
    content: Content,
    /// Where a caller is known.
    watched: Option<Box<Watched>>,
    /// Written down when the body is dropped, which is when the answer has ended.
    record: Option<Box<Record>>,
}

#[derive(Debug)]
enum Content {
    Passed(Answer<Received, Held>),
    Own(Full<Bytes>),
}

impl Body {
    /// One of the router's own.
    pub(crate) fn own(text: impl Into<Bytes>) -> Self {
        Self { content: Content::Own(Full::new(text.into())), watched: None, record: None }
    }

    /// A service's.
    pub(crate) fn passed(answer: Answer<Received, Held>) -> Self {
        Self { content: Content::Passed(answer), watched: None, record: None }
    }

    /// Breaks off when who asked for it may not have it any more.
    pub(crate) fn watch(&mut self, watch: Option<Watch>) {
        let watch = watch.filter(|_| !self.is_own());
        self.watched = watch.map(|watch| Box::new(Watched::new(watch)));
    }

    /// True if the router itself answers.
    pub(crate) fn is_own(&self) -> bool {
        matches!(self.content, Content::Own(_))
    }

    /// All of it, if it is one of the router's own.
    pub(crate) fn text(&self) -> Option<Bytes> {
        let Content::Own(full) = &self.content else { return None };
        let collected = full.clone().collect().now_or_never()?;
        collected.ok().map(|whole| whole.to_bytes())
    }

    pub(crate) fn keep(&mut self, record: Box<Record>) {
        self.record = Some(record);
    }
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut polled = match &mut self.content {
            Content::Passed(answer) => Pin::new(answer).poll_frame(context).map_err(BodyError::Answer),
            Content::Own(full) => Pin::new(full).poll_frame(context).map_err(|never| match never {}),
        };
        if self.watched.as_mut().is_some_and(|watched| watched.is_over(polled.is_ready(), context)) {
            return Poll::Ready(Some(Err(BodyError::Ended)));
        }
        taking::note(polled.is_ready());
        if let Poll::Ready(Some(Ok(frame))) = &mut polled {
            if let (Some(data), Some(record)) = (frame.data_ref(), &mut self.record) {
                record.sent += data.len() as u64;
            } else if let Some(trailers) = frame.trailers_mut() {
                outside::keep_inside(trailers);
            }
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Passed(answer) => answer.is_end_stream(),
            Content::Own(full) => full.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Passed(answer) => answer.size_hint(),
            Content::Own(full) => full.size_hint(),
        }
    }
}
