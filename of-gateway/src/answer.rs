//! Answers of the gateway's own.

use axum::body::Body;
use http::header::{ALLOW, CONNECTION, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};

/// A sentence as plain text.
pub(crate) fn text(status: StatusCode, sentence: impl Into<String>) -> Response<Body> {
    let mut sentence = sentence.into();
    sentence.push('\n');
    let mut response = Response::new(Body::from(sentence));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        // The rest of the body is not read, so the connection ends. Unless that is said, a client may send its next request
        // on it, and gets no answer.
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// What is asked for takes only these methods.
pub(crate) fn not_one_of(methods: &'static str) -> Response<Body> {
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, format!("this takes only {methods}"));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(methods));
    response
}
