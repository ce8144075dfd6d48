//! A stored call: what is needed to replay an HTTP request, as compact as the request's own head.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use sha2::{Digest, Sha256};

/// A call as it comes in.
#[derive(Debug, Clone)]
pub(crate) struct NewCall {
    pub(crate) function: String,
    pub(crate) call_id: String,
    pub(crate) method: Method,
    /// Path and query behind `/async-function/<name>`, beginning with a slash.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

/// A call as the worker gets it.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) id: i64,
    pub(crate) function: String,
    pub(crate) call_id: String,
    /// Which attempt this is, from 1.
    pub(crate) attempt: u32,
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl NewCall {
    /// Two calls with the same fingerprint are one call sent twice. The body is part of it because one call id
    /// follows a push through every hop and may rightly reach one function several times with different content.
    pub(super) fn fingerprint(&self) -> [u8; 16] {
        let mut hash = Sha256::new();
        for part in [self.call_id.as_bytes(), self.method.as_str().as_bytes(), self.path.as_bytes()] {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.update(&self.body);
        let mut short = [0; 16];
        short.copy_from_slice(&hash.finalize()[..16]);
        short
    }

    /// The request's head as bytes: the first line is method and path, each further line one header.
    pub(super) fn head(&self) -> Vec<u8> {
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
}

/// What [`NewCall::head`] wrote; `None` if the bytes are something else.
pub(super) fn parse_head(head: &[u8]) -> Option<(Method, String, HeaderMap)> {
    let mut lines = Lines(Some(head));
    let first = std::str::from_utf8(lines.next()?).ok()?;
    let (method, path) = first.split_once(' ')?;
    let mut headers = HeaderMap::new();
    for line in lines {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let name = HeaderName::from_bytes(&line[..colon]).ok()?;
        headers.append(name, HeaderValue::from_bytes(&line[colon + 1..]).ok()?);
    }
    Some((Method::from_bytes(method.as_bytes()).ok()?, path.to_owned(), headers))
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
