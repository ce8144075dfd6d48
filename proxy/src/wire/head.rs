//! Heads: written from what was understood, read strictly.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use http::header::{self, HeaderMap, HeaderValue};
use http::{Method, Request, Response, StatusCode, Version};

use super::chunks::Chunks;
use super::invalid;
use crate::lines::{self, Lines, MAX_LINES};

/// How long a body is.
#[derive(Debug)]
pub(super) enum Framing {
    /// So many bytes are left.
    Length(u64),
    /// In chunks.
    Chunked(Chunks),
    /// Up to the end of the connection.
    UntilClose,
}

/// A head that was read.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) response: Response<()>,
    pub(super) framing: Framing,
    /// Whether the connection can be used again.
    pub(super) keep: bool,
}

/// Writes the head of a request whose body has this length.
pub(super) fn write<B>(out: &mut Vec<u8>, request: &Request<B>, length: u64) {
    out.extend_from_slice(request.method().as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(request.uri().path_and_query().map_or("/", |target| target.as_str()).as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    lines::write(out, request.headers());
    // Of these a server expects a body, and is told that there is none.
    let expected = length > 0 || matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH);
    if expected && !request.headers().contains_key(header::CONTENT_LENGTH) {
        out.extend_from_slice(format!("content-length: {length}\r\n").as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

/// Takes a head off what was read; nothing if it is not all there.
pub(super) fn read(input: &mut BytesMut, is_head_request: bool) -> io::Result<Option<Head>> {
    if input.is_empty() {
        return Ok(None);
    }
    let mut room: Lines<'_> = [const { std::mem::MaybeUninit::uninit() }; MAX_LINES];
    let mut parsed = httparse::Response::new(&mut []);
    let length =
        match httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut parsed, input, &mut room) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        };
    let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok()).ok_or_else(|| invalid("no status"))?;
    let version = if parsed.version == Some(0) { Version::HTTP_10 } else { Version::HTTP_11 };
    let bytes = Bytes::copy_from_slice(&input[..length]);
    let mut headers = lines::headers(&bytes, input, parsed.headers).ok_or_else(|| invalid("a malformed header"))?;
    input.advance(length);
    let framing = framing(status, version, &headers, is_head_request)?;
    // The same length twice is one: who reads the answer next need not know what to think of two.
    if let Some(length) = headers.get(header::CONTENT_LENGTH).cloned() {
        headers.insert(header::CONTENT_LENGTH, length);
    }
    let keep = keeps(version, &headers) && !matches!(framing, Framing::UntilClose);
    let mut response = Response::new(());
    (*response.status_mut(), *response.version_mut(), *response.headers_mut()) = (status, version, headers);
    Ok(Some(Head { response, framing, keep }))
}

/// RFC 9112 6.3; what could be read in two ways is no answer.
fn framing(status: StatusCode, version: Version, headers: &HeaderMap, is_head_request: bool) -> io::Result<Framing> {
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let mut lengths = headers.get_all(header::CONTENT_LENGTH).iter();
    let length = lengths.next().map(digits).transpose()?;
    for other in lengths {
        if Some(digits(other)?) != length {
            return Err(invalid("two lengths"));
        }
    }
    let empty = is_head_request || status.is_informational() || matches!(status.as_u16(), 204 | 304);
    match codings.next() {
        _ if empty => Ok(Framing::Length(0)),
        None => Ok(length.map_or(Framing::UntilClose, Framing::Length)),
        Some(coding) => {
            let chunked = coding.as_bytes().eq_ignore_ascii_case(b"chunked") && codings.next().is_none();
            if !chunked || length.is_some() || version == Version::HTTP_10 {
                return Err(invalid("a transfer coding that is not understood"));
            }
            Ok(Framing::Chunked(Chunks::default()))
        }
    }
}

fn digits(value: &HeaderValue) -> io::Result<u64> {
    let text = value.to_str().ok().filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    text.and_then(|text| text.parse().ok()).ok_or_else(|| invalid("a malformed length"))
}

fn keeps(version: Version, headers: &HeaderMap) -> bool {
    let said = |wanted: &str| {
        let values = headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split(',')).any(|option| option.trim().eq_ignore_ascii_case(wanted))
    };
    if version == Version::HTTP_10 { said("keep-alive") } else { !said("close") }
}

#[cfg(test)]
mod tests;
