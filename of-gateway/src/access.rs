//! The access log: one event for each request, of the target `access`, when its answer has ended.

use std::time::Instant;

use http::{HeaderMap, HeaderValue, Method, Request, Response};

use crate::functions::FunctionRef;
use crate::invoke::X_CALL_ID;
use crate::reply::Reply;

/// What is logged of one request. The query is not: it may hold what is secret.
#[derive(Debug)]
pub(crate) struct Access {
    began: Instant,
    method: Method,
    path: String,
    /// `name.namespace`, if it is a call.
    function: Option<String>,
    call_id: Option<HeaderValue>,
    peer: HeaderValue,
    status: u16,
    bytes: u64,
    /// The answer was read to its end.
    whole: bool,
}

impl Access {
    pub(crate) fn begin<B>(request: &Request<B>, namespace: &str, peer: &HeaderValue) -> Self {
        let path = request.uri().path();
        let target = path.strip_prefix("/function/").or_else(|| path.strip_prefix("/async-function/"));
        Self {
            began: Instant::now(),
            method: request.method().clone(),
            function: target.map(|target| FunctionRef::parse(target).id(namespace).to_string()),
            path: path.to_owned(),
            call_id: call_id(request.headers()),
            peer: peer.clone(),
            status: 0,
            bytes: 0,
            whole: false,
        }
    }

    /// The request ends with this answer's body.
    pub(crate) fn watch(mut self, response: Response<Reply>) -> Response<Reply> {
        self.status = response.status().as_u16();
        self.call_id = call_id(response.headers()).or(self.call_id.take());
        response.map(|reply| reply.logged(self))
    }

    pub(crate) fn sent(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    pub(crate) fn is_whole(&mut self) {
        self.whole = true;
    }
}

fn call_id(headers: &HeaderMap) -> Option<HeaderValue> {
    headers.get(X_CALL_ID).cloned()
}

fn text(value: &HeaderValue) -> &str {
    value.to_str().unwrap_or_default()
}

impl Drop for Access {
    fn drop(&mut self) {
        tracing::info!(
            target: "access",
            method = self.method.as_str(),
            path = self.path,
            function = self.function,
            // 0 if the client left before there was an answer.
            status = self.status,
            bytes = self.bytes,
            seconds = self.began.elapsed().as_secs_f64(),
            call_id = self.call_id.as_ref().map(text),
            peer = text(&self.peer),
            whole = self.whole,
            "A request ended."
        );
    }
}
