//! Which requests are plain, and the heads of those.

use bytes::{Buf, Bytes, BytesMut};
use http::uri::PathAndQuery;
use http::{HeaderName, Method, Request, Uri, header};

use crate::ClientBody;
use crate::express::Plain;
use crate::lines::{self, Lines, MAX_LINES};

/// The largest plain request, head and body, in bytes.
pub(super) const MAX_PLAIN: usize = 16 * 1024;

/// What is at the beginning of what was read.
#[derive(Debug)]
pub(super) enum Taken<E> {
    /// A plain request; it was taken off.
    Request(Box<Request<ClientBody>>),
    /// One that is on its way already.
    Express(E),
    /// The beginning of one.
    Partial,
    /// Something else.
    Other,
}

/// Takes a plain request off what was read, whose head is no longer than `max_head`. `express` is asked first whether it
/// takes it as it lies there.
pub(super) fn take<E>(
    input: &mut BytesMut,
    max_head: usize,
    express: impl FnOnce(&Plain<'_>) -> Option<E>,
) -> Taken<E> {
    let mut room: Lines<'_> = [const { std::mem::MaybeUninit::uninit() }; MAX_LINES];
    let mut parsed = httparse::Request::new(&mut []);
    let length = match parsed.parse_with_uninit_headers(input, &mut room) {
        Ok(httparse::Status::Complete(length)) if length <= max_head => length,
        Ok(httparse::Status::Partial) if input.len() < max_head.min(MAX_PLAIN) => return Taken::Partial,
        Ok(_) | Err(_) => return Taken::Other,
    };
    // A body that is still on its way may never come: that is for somebody who passes it on as it comes.
    let body = body_of(&parsed).filter(|body| input.len() - length >= *body && length + body <= MAX_PLAIN);
    let Some(body) = body.filter(|_| !has_bare_feed(&input[..length])) else { return Taken::Other };
    let (method, target) = (parsed.method.unwrap_or_default(), parsed.path.unwrap_or_default());
    let plain = Plain { method, target, lines: parsed.headers, body: &input[length..length + body] };
    if let Some(express) = express(&plain) {
        input.advance(length + body);
        release(input);
        return Taken::Express(express);
    }
    let method = Method::from_bytes(method.as_bytes()).ok();
    // Copied, for it may be no request after all: then somebody else has to see all of it.
    let head = Bytes::copy_from_slice(&input[..length]);
    let target = lines::part(&head, input, target.as_bytes());
    let target = target.and_then(|target| PathAndQuery::from_maybe_shared(target).ok());
    let headers = lines::headers(&head, input, parsed.headers);
    let (Some(method), Some(target), Some(headers)) = (method, target, headers) else { return Taken::Other };
    input.advance(length);
    let body = ClientBody::Whole(if body == 0 { Bytes::new() } else { input.split_to(body).freeze() });
    release(input);
    let mut request = Request::new(body);
    *request.method_mut() = method;
    *request.uri_mut() = Uri::from(target);
    *request.headers_mut() = headers;
    Taken::Request(Box::new(request))
}

/// Also an empty buffer keeps all of its room.
fn release(input: &mut BytesMut) {
    if input.is_empty() {
        *input = BytesMut::new();
    }
}

/// The length of the body; `None` if the request is not plain: its body has no known length, or the request is about the
/// connection itself, or is of another time or kind.
fn body_of(parsed: &httparse::Request<'_, '_>) -> Option<usize> {
    let origin = parsed.path.is_some_and(|path| path.starts_with('/'));
    if parsed.version != Some(1) || parsed.method == Some("CONNECT") || !origin {
        return None;
    }
    let mut body = None;
    for line in parsed.headers.iter() {
        let is = |name: &HeaderName| line.name.eq_ignore_ascii_case(name.as_str());
        match line.name.len() {
            2 if is(&header::TE) => return None,
            6 if is(&header::EXPECT) => return None,
            7 if is(&header::UPGRADE) => return None,
            10 if is(&header::CONNECTION) && !line.value.eq_ignore_ascii_case(b"keep-alive") => return None,
            14 if is(&header::CONTENT_LENGTH) => {
                let digits = std::str::from_utf8(line.value).ok()?;
                let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
                if !plain || body.is_some() {
                    return None;
                }
                body = Some(digits.parse().ok()?);
            }
            17 if is(&header::TRANSFER_ENCODING) => return None,
            _ => {}
        }
    }
    Some(body.unwrap_or(0))
}

/// A line that ends with half a line end is read in different ways by different programs.
fn has_bare_feed(head: &[u8]) -> bool {
    let mut before = 0;
    head.iter().any(|byte| {
        let bare = *byte == b'\n' && before != b'\r';
        before = *byte;
        bare
    })
}

#[cfg(test)]
mod tests;
