//! Reads a body from a stranger: not too large, not too slow, and few large ones at once.

use std::time::Duration;

use axum::extract::Request;
use bytes::Bytes;
use http::StatusCode;
use http::header::CONTENT_LENGTH;
use http::request::Parts;
use tokio::sync::Semaphore;

/// A webhook may take so long to arrive.
const READ_TIME: Duration = Duration::from_secs(10);
/// Bodies that say they have at most so many bytes are read at once; nearly all webhooks have.
const SMALL: usize = 256 * 1024;
/// So many larger ones are read at the same time: what a stranger can make us keep in memory is bounded.
const LARGE_AT_ONCE: usize = 8;

/// Why there is no body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// It is too large.
    #[error("the webhook has over {limit} bytes")]
    TooLarge {
        /// How large it may be.
        limit: usize,
    },
    /// It is too slow.
    #[error("the webhook did not arrive in time")]
    Slow,
    /// It broke off.
    #[error("the webhook did not arrive whole")]
    Broken,
}

impl Unread {
    /// The status that its sender gets.
    pub fn status(self) -> StatusCode {
        match self {
            Self::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Slow => StatusCode::REQUEST_TIMEOUT,
            Self::Broken => StatusCode::BAD_REQUEST,
        }
    }
}

/// The way in for bodies.
#[derive(Debug)]
pub struct Intake {
    max_bytes: usize,
    max_time: Duration,
    large: Semaphore,
}

impl Intake {
    /// Bodies of at most `max_bytes`, which arrive within ten seconds.
    pub fn new(max_bytes: usize) -> Self {
        Self::within(max_bytes, READ_TIME)
    }

    fn within(max_bytes: usize, max_time: Duration) -> Self {
        Self { max_bytes, max_time, large: Semaphore::new(LARGE_AT_ONCE) }
    }

    /// The request's head and whole body.
    ///
    /// # Errors
    /// When the body is too large, too slow, or breaks off.
    pub async fn read(&self, request: Request) -> Result<(Parts, Bytes), Unread> {
        let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        if announced.is_some_and(|length: usize| length > self.max_bytes) {
            return Err(Unread::TooLarge { limit: self.max_bytes });
        }
        let (head, body) = request.into_parts();
        let read = async {
            let small = announced.filter(|length| *length <= SMALL);
            // The semaphore is never closed, so no permit means a small body.
            let _permit = if small.is_some() { None } else { self.large.acquire().await.ok() };
            axum::body::to_bytes(body, small.unwrap_or(self.max_bytes)).await
        };
        match tokio::time::timeout(self.max_time, read).await {
            Ok(Ok(body)) => Ok((head, body)),
            Ok(Err(cause)) if is_too_large(&cause) => Err(Unread::TooLarge { limit: self.max_bytes }),
            Ok(Err(_)) => Err(Unread::Broken),
            Err(_) => Err(Unread::Slow),
        }
    }
}

fn is_too_large(error: &axum::Error) -> bool {
    let cause = std::error::Error::source(error);
    cause.is_some_and(|cause| cause.is::<http_body_util::LengthLimitError>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_body_that_does_not_end_is_given_up() {
        let intake = Intake::within(1000, Duration::from_millis(20));
        let endless = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
        let request = Request::new(axum::body::Body::from_stream(endless));
        assert!(matches!(intake.read(request).await, Err(Unread::Slow)));
    }

    #[tokio::test]
    async fn a_body_that_breaks_off_is_no_body() {
        let intake = Intake::within(1000, Duration::from_secs(10));
        let broken = futures_util::stream::iter([Ok(Bytes::from("{")), Err(std::io::Error::other("reset"))]);
        let request = Request::new(axum::body::Body::from_stream(broken));
        assert!(matches!(intake.read(request).await, Err(Unread::Broken)));
    }
}
