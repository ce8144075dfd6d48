//! A response's body, watched until its last byte.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::deadline::Deadline;
use crate::in_flight::Slot;
use crate::record::Record;

/// The function took longer than it may while its response was under way.
#[derive(Debug, thiserror::Error)]
#[error("the response was cut off: the request took longer than exec_timeout or its X-Timeout")]
struct CutOff;

/// Keeps the request counted, timed and recorded while its response streams.
#[derive(Debug)]
pub(crate) struct Watched {
    inner: Body,
    watch: Option<Watch>,
}

/// What ends with the response.
#[derive(Debug)]
pub(crate) struct Watch {
    pub(crate) record: Record,
    pub(crate) deadline: Option<Deadline>,
    // Held for its drop.
    pub(crate) _slot: Option<Slot>,
}

impl Watched {
    pub(crate) fn new(inner: Body, watch: Watch) -> Self {
        Self {
            inner,
            watch: Some(watch),
        }
    }

    /// The body of an answer of the runtime's own, which is neither counted nor recorded.
    pub(crate) fn unwatched(inner: Body) -> Self {
        Self { inner, watch: None }
    }
}

impl Watch {
    /// Whether the deadline has passed. A stream that always has more is asked by the clock, one that has
    /// to wait by a timer.
    fn is_over(&mut self, waiting: bool, cx: &mut Context<'_>) -> bool {
        self.deadline.as_mut().is_some_and(|deadline| {
            if waiting {
                deadline.poll_passed(cx).is_ready()
            } else {
                deadline.has_passed()
            }
        })
    }
}

impl http_body::Body for Watched {
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::BoxError>>> {
        let this = self.get_mut();
        let poll = Pin::new(&mut this.inner).poll_frame(cx);
        let Some(watch) = &mut this.watch else {
            return poll.map_err(Into::into);
        };
        match &poll {
            Poll::Ready(None) => {}
            Poll::Ready(Some(Err(error))) => {
                watch.record.failed("response stream");
                tracing::error!(
                    error = error as &dyn std::error::Error,
                    "the function's response stream failed"
                );
            }
            other if !this.inner.is_end_stream() && watch.is_over(other.is_pending(), cx) => {
                watch.record.failed("timeout");
                this.inner = Body::empty();
                return Poll::Ready(Some(Err(CutOff.into())));
            }
            _ => {}
        }
        poll.map_err(Into::into)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
