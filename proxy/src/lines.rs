//! Reading from a connection, and the lines of a message's head, for both of its sides.

use std::cell::RefCell;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};
use tokio::io::{AsyncRead, ReadBuf};

/// The most lines of a head.
pub(crate) const MAX_LINES: usize = 100;
/// How much is read at a time, in bytes.
const READ: usize = 16 * 1024;

/// Room for the lines of a head; they are filled in by the parser.
pub(crate) type Lines<'a> = [MaybeUninit<httparse::Header<'a>>; MAX_LINES];

thread_local! {
    /// Where a thread reads to, so that a connection that waits has no buffer of its own.
    static PAGE: RefCell<Vec<u8>> = RefCell::new(vec![0; READ]);
}

/// Reads what is there behind `input`. Nothing more comes if nothing was added.
pub(crate) fn poll_read<S: AsyncRead + Unpin>(
    stream: &mut S,
    input: &mut BytesMut,
    context: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    PAGE.with_borrow_mut(|page| {
        let mut read = ReadBuf::new(page);
        ready!(Pin::new(stream).poll_read(context, &mut read))?;
        input.extend_from_slice(read.filled());
        Poll::Ready(Ok(read.filled().len()))
    })
}

/// The lines of a head as headers, whose values are parts of `head`: a copy of the beginning of `parsed`, which the lines were
/// found in. `None` if one is malformed.
pub(crate) fn headers(head: &Bytes, parsed: &[u8], lines: &[httparse::Header<'_>]) -> Option<HeaderMap> {
    // With room for those that a proxy adds.
    let mut headers = HeaderMap::with_capacity(lines.len() + 12);
    for line in lines {
        let name = HeaderName::from_bytes(line.name.as_bytes()).ok()?;
        let value = HeaderValue::from_maybe_shared(part(head, parsed, line.value)?).ok()?;
        headers.append(name, value);
    }
    Some(headers)
}

/// The part of `head` that `found` is in `parsed`.
pub(crate) fn part(head: &Bytes, parsed: &[u8], found: &[u8]) -> Option<Bytes> {
    if found.is_empty() {
        // It may be anywhere.
        return Some(Bytes::new());
    }
    let begin = found.as_ptr().addr().checked_sub(parsed.as_ptr().addr())?;
    (begin + found.len() <= head.len()).then(|| head.slice(begin..begin + found.len()))
}

/// Appends headers as lines. Names and values cannot hold what would end a line: their types see to that.
pub(crate) fn write(out: &mut Vec<u8>, headers: &HeaderMap) {
    for (name, value) in headers {
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}
