//! A request's body, from a client that may be slow on purpose.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};

use crate::deadline::Deadline;

/// Why a request's body ended early.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError<E> {
    /// The client paused for longer than `read_timeout`.
    #[error("the client sent nothing for {} s", .0.as_secs_f32())]
    TooSlow(Duration),
    /// The connection failed.
    #[error("could not read the request's body")]
    Connection(#[source] E),
}

/// A body that ends with an error once its sender pauses for longer than allowed.
#[derive(Debug)]
struct Impatient<B> {
    inner: B,
    pause: Duration,
    deadline: Option<Deadline>,
}

/// The request's body as the function sees it.
pub(crate) fn impatient<B>(inner: B, pause: Duration) -> Body
where
    B: http_body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    // Most requests have no body, and then nothing needs to be put on the heap.
    if inner.is_end_stream() {
        Body::empty()
    } else {
        Body::new(Impatient {
            inner,
            pause,
            deadline: None,
        })
    }
}

impl<B> http_body::Body for Impatient<B>
where
    B: http_body::Body<Data = Bytes> + Unpin,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    type Data = Bytes;
    type Error = ReadError<B::Error>;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ReadError<B::Error>>>> {
        let this = self.get_mut();
        if let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) {
            this.deadline = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(ReadError::Connection)));
        }
        if this.deadline.is_none() {
            this.deadline = Deadline::after(this.pause);
        }
        match this.deadline.as_mut().map(|deadline| deadline.poll_passed(cx)) {
            Some(Poll::Ready(())) => Poll::Ready(Some(Err(ReadError::TooSlow(this.pause)))),
            _ => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Channel, Full};

    use super::*;

    const PAUSE: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn passes_what_comes_in_time() {
        let body = impatient(Full::new(Bytes::from("hello")), PAUSE);
        assert_eq!(http_body::Body::size_hint(&body).exact(), Some(5));
        assert_eq!(body.collect().await.unwrap().to_bytes(), "hello");
    }

    #[tokio::test(start_paused = true)]
    async fn gives_up_on_a_pause() {
        let (mut sender, channel) = Channel::<Bytes, std::io::Error>::new(1);
        let mut body = impatient(channel, PAUSE);
        sender.send_data(Bytes::from("a")).await.unwrap();
        assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "a");
        let error = body.frame().await.unwrap().unwrap_err();
        assert_eq!(error.to_string(), "the client sent nothing for 5 s");
    }
}
