//! The body of an answer, read as it is asked for.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body::{Frame, SizeHint};

use super::Wire;
use super::chunks::Part;
use super::head::Framing;
use crate::pool::Upstream;

/// A body, with the connection that it comes by; that goes back to the pool behind it.
#[derive(Debug)]
pub(crate) struct WireBody<O> {
    wire: Option<Wire>,
    framing: Framing,
    /// `None` if the connection ends with this answer.
    upstream: Option<Arc<Upstream<O>>>,
}

impl<O> WireBody<O> {
    pub(super) fn new(wire: Wire, framing: Framing, upstream: Option<Arc<Upstream<O>>>) -> Self {
        let mut this = Self { wire: Some(wire), framing, upstream };
        this.end_if_over();
        this
    }

    pub(crate) fn is_over(&self) -> bool {
        match &self.framing {
            Framing::Length(left) => *left == 0,
            Framing::Chunked(chunks) => chunks.is_over(),
            Framing::UntilClose => self.wire.is_none(),
        }
    }

    pub(crate) fn size_hint(&self) -> SizeHint {
        match &self.framing {
            Framing::Length(left) => SizeHint::with_exact(*left),
            _ if self.is_over() => SizeHint::with_exact(0),
            _ => SizeHint::default(),
        }
    }

    fn end_if_over(&mut self) {
        if self.is_over()
            && let (Some(wire), Some(upstream)) = (self.wire.take(), self.upstream.take())
        {
            upstream.give_wire_back(wire);
        }
    }

    pub(crate) fn poll_frame(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let polled = self.poll_part(context);
        match &polled {
            Poll::Ready(Some(Err(_))) => self.wire = None,
            Poll::Ready(_) => self.end_if_over(),
            Poll::Pending => {}
        }
        polled
    }

    fn poll_part(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.is_over() {
            return Poll::Ready(None);
        }
        let Some(wire) = &mut self.wire else { return Poll::Ready(None) };
        match &mut self.framing {
            Framing::Length(left) => {
                let bytes = ready!(wire.poll_some(context, *left))?;
                if bytes.is_empty() {
                    return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
                }
                *left -= bytes.len() as u64;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Framing::UntilClose => {
                let bytes = ready!(wire.poll_some(context, u64::MAX))?;
                if bytes.is_empty() {
                    self.wire = None;
                    return Poll::Ready(None);
                }
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Framing::Chunked(chunks) => loop {
                match chunks.next(&mut wire.input)? {
                    Part::Data(bytes) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                    Part::Trailers(trailers) => return Poll::Ready(Some(Ok(Frame::trailers(trailers)))),
                    Part::Over => return Poll::Ready(None),
                    Part::Wanting => {
                        if ready!(wire.poll_more(context))? == 0 {
                            return Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into())));
                        }
                    }
                }
            },
        }
    }
}
