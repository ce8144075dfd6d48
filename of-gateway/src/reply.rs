//! An answer's body on its way to a client, watched until its last byte.

use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use http::Response;
use http_body::{Frame, SizeHint};
use http_body_util::Either;

use crate::access::Access;
use crate::metrics::Timer;
use crate::transit::Bare;

/// A body, and what ends with it.
pub(crate) struct Reply {
    body: Bare,
    // Held for its drop.
    _timer: Option<Timer>,
    access: Option<Box<Access>>,
}

impl Reply {
    /// The body of a function's answer.
    pub(crate) fn timed(body: Bare, timer: Timer) -> Self {
        Self { body, _timer: Some(timer), access: None }
    }

    pub(crate) fn logged(mut self, access: Access) -> Self {
        self.access = Some(Box::new(access));
        self
    }
}

impl From<Body> for Reply {
    fn from(body: Body) -> Self {
        Self { body: Either::Right(body), _timer: None, access: None }
    }
}

/// An answer that is no function's.
pub(crate) fn own(response: Response<Body>) -> Response<Reply> {
    response.map(Reply::from)
}

impl http_body::Body for Reply {
    type Data = Bytes;
    type Error = <Bare as http_body::Body>::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = Pin::new(&mut self.body).poll_frame(context);
        if let Some(access) = &mut self.access {
            match &frame {
                Poll::Ready(Some(Ok(frame))) => access.sent(frame.data_ref().map_or(0, Bytes::len)),
                Poll::Ready(None) => access.is_whole(),
                Poll::Ready(Some(Err(_))) | Poll::Pending => {}
            }
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        // A body that is known to have no more is often dropped without being asked for its end.
        if let Some(access) = &mut self.access
            && http_body::Body::is_end_stream(&self.body)
        {
            access.is_whole();
        }
    }
}
