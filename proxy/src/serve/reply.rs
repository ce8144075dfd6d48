//! Heads of answers, and how their bodies are framed.

use http::header::{self, HeaderMap};
use http::response::Parts;
use http_body::SizeHint;

use crate::{date, lines};

/// How an answer's body is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// Not at all. Behind HEAD it may still be said how long it would be.
    Nothing(Option<u64>),
    /// So many bytes.
    Length(u64),
    /// In chunks.
    Chunked,
}

impl Framing {
    /// RFC 9112 6.3.
    pub(super) fn of(parts: &Parts, size: &SizeHint, is_head: bool) -> Self {
        let status = parts.status;
        if is_head || status.is_informational() || matches!(status.as_u16(), 204 | 304) {
            let would_be = size.exact().filter(|length| is_head && *length > 0);
            return Self::Nothing(would_be.filter(|_| !parts.headers.contains_key(header::CONTENT_LENGTH)));
        }
        size.exact().or_else(|| length(&parts.headers)).map_or(Self::Chunked, Self::Length)
    }
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Whether the connection ends with this answer.
pub(super) fn closes(headers: &HeaderMap) -> bool {
    let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|option| option.trim().eq_ignore_ascii_case("close"))
}

/// Writes a head that says how long the body is.
pub(super) fn head(out: &mut Vec<u8>, parts: &mut Parts, framing: Framing) {
    let headers = &mut parts.headers;
    // Who answers says what the body is, and not how this connection carries it.
    headers.remove(header::TRANSFER_ENCODING);
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(parts.status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(parts.status.canonical_reason().unwrap_or("Unknown").as_bytes());
    out.extend_from_slice(b"\r\n");
    match framing {
        Framing::Length(length) | Framing::Nothing(Some(length)) => {
            headers.remove(header::CONTENT_LENGTH);
            out.extend_from_slice(format!("content-length: {length}\r\n").as_bytes());
        }
        Framing::Chunked => {
            headers.remove(header::CONTENT_LENGTH);
            out.extend_from_slice(b"transfer-encoding: chunked\r\n");
        }
        // What a body would be long is said behind HEAD and 304, and must not be behind 204.
        Framing::Nothing(None) if parts.status == http::StatusCode::NO_CONTENT || parts.status.is_informational() => {
            headers.remove(header::CONTENT_LENGTH);
        }
        Framing::Nothing(None) => {}
    }
    lines::write(out, headers);
    if !headers.contains_key(header::DATE) {
        date::write(out);
    }
    out.extend_from_slice(b"\r\n");
}

/// The line before a chunk.
pub(super) fn chunk(out: &mut Vec<u8>, length: usize) {
    out.extend_from_slice(format!("{length:x}\r\n").as_bytes());
}
