//! A queued call: what is needed to make an HTTP request later, as compact as the request's own head.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use sha2::{Digest, Sha256};

use crate::bodies::Body;

/// The queue of functions that name none.
pub const DEFAULT_QUEUE: &str = "faas-request";
/// With `OF_` before it this is still a short name for a stream.
const MAX_QUEUE: usize = 63;

/// Whether a queue may have this name: letters, digits, `-` and `_`, at most 63 of them.
pub fn valid_queue(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    !name.is_empty() && name.len() <= MAX_QUEUE && name.bytes().all(inner)
}

/// The calls of one function in one queue. Calls of different lanes never wait for each other.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane {
    /// The queue, see [`valid_queue`].
    pub queue: Arc<str>,
    /// The function's full name; nothing here looks into it.
    pub function: Arc<str>,
}

impl Lane {
    /// The lane of a function in a queue.
    pub fn new(queue: impl Into<Arc<str>>, function: impl Into<Arc<str>>) -> Self {
        Self { queue: queue.into(), function: function.into() }
    }
}

/// A call as it comes in, all but its body.
#[derive(Debug, Clone)]
pub struct Head {
    /// Where it waits.
    pub lane: Lane,
    /// What its sender knows it by.
    pub call_id: String,
    /// The request's method.
    pub method: Method,
    /// The function's own path and query, beginning with a slash.
    pub path: String,
    /// The request's headers.
    pub headers: HeaderMap,
}

/// A claimed call: who settles it must hold its ticket.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Ticket {
    pub(crate) id: u64,
    /// Which attempt this is, from 1. Fences off a run that lost its lease.
    pub attempt: u32,
}

/// A call as the worker gets it.
#[derive(Debug, Clone)]
pub struct Call {
    /// Needed to settle it.
    pub ticket: Ticket,
    /// The call as it came in.
    pub head: Head,
    /// Its body.
    pub body: Body,
}

/// A call that was taken in to its end.
#[derive(Debug)]
pub(crate) struct NewCall {
    pub(crate) head: Head,
    pub(crate) body: Body,
    pub(crate) fingerprint: Fingerprint,
}

/// Two calls to a function with the same fingerprint are one call sent twice. The body is part of it because one call
/// id follows a push through every hop and may rightly reach one function several times with different content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Fingerprint(pub(crate) [u8; 16]);

impl Fingerprint {
    pub(crate) fn hex(&self) -> String {
        hex::encode(self.0)
    }
}

/// A fingerprint while the body comes in.
pub(crate) struct Fingerprinting(Sha256);

impl Fingerprinting {
    pub(crate) fn begin(head: &Head) -> Self {
        let mut hash = Sha256::new();
        for part in [head.call_id.as_bytes(), head.method.as_str().as_bytes(), head.path.as_bytes()] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        Self(hash)
    }

    pub(crate) fn add(&mut self, body: &[u8]) {
        self.0.update(body);
    }

    pub(crate) fn end(self) -> Fingerprint {
        let mut short = [0; 16];
        short.copy_from_slice(&self.0.finalize()[..16]);
        Fingerprint(short)
    }
}

impl Head {
    /// As bytes: the first line is method and path, each further line one header.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut head = Vec::with_capacity(512);
        head.extend_from_slice(self.method.as_str().as_bytes());
        head.push(b' ');
        head.extend_from_slice(self.path.as_bytes());
        for (name, value) in &self.headers {
            head.extend_from_slice(b"\r\n");
            head.extend_from_slice(name.as_str().as_bytes());
            head.push(b':');
            head.extend_from_slice(value.as_bytes());
        }
        head
    }

    /// What [`Head::encode`] wrote; `None` if the bytes are something else.
    pub(crate) fn decode(lane: Lane, call_id: String, bytes: &[u8]) -> Option<Self> {
        let mut lines = Lines(Some(bytes));
        let first = std::str::from_utf8(lines.next()?).ok()?;
        let (method, path) = first.split_once(' ')?;
        let mut headers = HeaderMap::new();
        for line in lines {
            let colon = line.iter().position(|byte| *byte == b':')?;
            let name = HeaderName::from_bytes(&line[..colon]).ok()?;
            headers.append(name, HeaderValue::from_bytes(&line[colon + 1..]).ok()?);
        }
        let method = Method::from_bytes(method.as_bytes()).ok()?;
        Some(Self { lane, call_id, method, path: path.to_owned(), headers })
    }
}

/// Lines ended by CR LF; neither can occur within a path or a header.
struct Lines<'a>(Option<&'a [u8]>);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.0?;
        match rest.windows(2).position(|pair| pair == b"\r\n") {
            Some(end) => {
                self.0 = Some(&rest[end + 2..]);
                Some(&rest[..end])
            }
            None => {
                self.0 = None;
                Some(rest)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_have_names_that_streams_may_have() {
        for good in ["faas-request", "slow_fn", "A1", &"x".repeat(63)] {
            assert!(valid_queue(good), "{good}");
        }
        for bad in ["", "a.b", "a b", "a*", "a>", "a/b", "ä", &"x".repeat(64)] {
            assert!(!valid_queue(bad), "{bad}");
        }
    }
}
