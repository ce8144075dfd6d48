//! What a handler answers when it cannot do its work.
//!
//! A caller gets a status and one public sentence; the log gets the whole chain of causes, once, here.
//! The status is also the retry rule of the pipeline: a 4xx answer is final, a 5xx answer is tried again.

use std::fmt;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, RETRY_AFTER};

/// A status, the sentence for the caller, and the cause for the log.
#[derive(Debug)]
pub struct Failure {
    status: StatusCode,
    public: String,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    retry_after: Option<Duration>,
}

impl Failure {
    /// A failure with any status.
    pub fn new(status: StatusCode, public: impl Into<String>) -> Self {
        Self { status, public: public.into(), cause: None, retry_after: None }
    }

    /// 400: the request itself is wrong; trying again will not help.
    pub fn bad_request(public: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, public)
    }

    /// 401: who asks is not proven.
    pub fn unauthorized(public: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, public)
    }

    /// 404: what is asked for is not there.
    pub fn not_found(public: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, public)
    }

    /// 409: somebody else holds it.
    pub fn conflict(public: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, public)
    }

    /// 422: understood, and refused for good.
    pub fn refused(public: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, public)
    }

    /// 502: another service did not do its part; worth another try.
    pub fn upstream(public: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_GATEWAY, public)
    }

    /// 500: something of ours went wrong; worth another try.
    pub fn internal(public: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, public)
    }

    /// Adds the cause, which only the log will show.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// Says when another try makes sense, in whole seconds: `Retry-After`.
    #[must_use]
    pub fn not_before(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }

    /// The status that the caller gets.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The sentence that the caller gets.
    pub fn public(&self) -> &str {
        &self.public
    }

    fn log(&self) {
        let cause = self.cause.as_deref().map(|cause| chain(cause)).unwrap_or_default();
        if self.status.is_server_error() {
            tracing::error!(status = self.status.as_u16(), cause, "{}", self.public);
        } else {
            tracing::warn!(status = self.status.as_u16(), cause, "{}", self.public);
        }
    }
}

/// An error and all its causes on one line.
pub fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        next = cause.source();
    }
    text
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.public)
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as _)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        self.log();
        let plain = [(CONTENT_TYPE, "text/plain; charset=utf-8")];
        let mut response = (self.status, plain, self.public + "\n").into_response();
        if let Some(wait) = self.retry_after {
            // Part of a second too early is too early.
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() != 0);
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_to_come_later_is_told_when() {
        let busy = || Failure::new(StatusCode::SERVICE_UNAVAILABLE, "busy");
        assert_eq!(busy().into_response().headers().get(RETRY_AFTER), None);
        for (millis, seconds) in [(0, "0"), (1, "1"), (7_000, "7"), (7_001, "8")] {
            let response = busy().not_before(Duration::from_millis(millis)).into_response();
            assert_eq!(response.headers()[RETRY_AFTER], seconds);
        }
    }
}
