//! Answers that are all there with their body, and have nothing in their head that somebody has to look at.

use std::io::Write as _;
use std::mem::MaybeUninit;

use bytes::{Buf, BytesMut};
use http::StatusCode;

use crate::express::{Trip, write_line};
use crate::lines::{Lines, MAX_LINES};
use crate::{date, express};

/// What is at the beginning of what was read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Short {
    /// Such an answer. It was taken off, and written as it goes to the client. Whether the connection to the client goes on.
    Taken { goes_on: bool },
    /// The beginning of a head.
    Partial,
    /// Something else, which was left there.
    Other,
}

/// What becomes of one line of a head.
enum Fate {
    Passes,
    /// It is about the connection to the server, and says what is so without it.
    Stays,
    /// The length of the body.
    Length(u64),
    Other,
}

/// Takes an answer off what was read, and writes it for the client to `out`, which is empty.
pub(super) fn take<T: Trip>(input: &mut BytesMut, out: &mut Vec<u8>, trip: &mut T) -> Short {
    let mut room: Lines<'_> = [const { MaybeUninit::uninit() }; MAX_LINES];
    let mut parsed = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let head = match config.parse_response_with_uninit_headers(&mut parsed, input, &mut room) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) => return Short::Partial,
        Err(_) => return Short::Other,
    };
    let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok());
    let Some(status) = status.filter(|status| has_body(*status) && parsed.version == Some(1)) else {
        return Short::Other;
    };
    let Some(length) = whole_length::<T>(parsed.headers, input.len() - head) else { return Short::Other };
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.push(b' ');
    out.extend_from_slice(status.canonical_reason().unwrap_or("Unknown").as_bytes());
    // Writing to a vector does not fail.
    let _ = write!(out, "\r\ncontent-length: {length}\r\n");
    let mut dated = false;
    for line in parsed.headers.iter() {
        if matches!(fate::<T>(line), Fate::Passes) {
            dated |= line.name.eq_ignore_ascii_case("date");
            write_line(out, line.name, line.value);
        }
    }
    let goes_on = trip.arrive(status.as_u16(), length, out);
    if !goes_on {
        out.extend_from_slice(b"connection: close\r\n");
    }
    if !dated {
        date::write(out);
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(&input[head..]);
    input.advance(input.len());
    Short::Taken { goes_on }
}

/// Whether an answer of this status has a body whose length its head says.
fn has_body(status: StatusCode) -> bool {
    !status.is_informational() && !matches!(status.as_u16(), 204 | 304)
}

/// The length of the body, if it is all there with nothing behind it, and every line is one to take along or to leave.
fn whole_length<T: Trip>(lines: &[express::Line<'_>], there: usize) -> Option<u64> {
    let mut length = None;
    for line in lines {
        match fate::<T>(line) {
            Fate::Passes | Fate::Stays => {}
            Fate::Length(said) if length.is_none() && said == there as u64 => length = Some(said),
            Fate::Length(_) | Fate::Other => return None,
        }
    }
    length
}

fn fate<T: Trip>(line: &express::Line<'_>) -> Fate {
    let is = |name: &str| line.name.eq_ignore_ascii_case(name);
    match line.name.len() {
        10 if is("connection") && line.value.eq_ignore_ascii_case(b"keep-alive") => Fate::Stays,
        10 if is("connection") || is("keep-alive") => Fate::Other,
        14 if is("content-length") => digits(line.value).map_or(Fate::Other, Fate::Length),
        2 | 7 | 16 | 17 | 18 | 19 if is_about_the_connection(line.name) => Fate::Other,
        _ if T::passes(line.name) => Fate::Passes,
        _ => Fate::Other,
    }
}

/// What only the long way knows how to take off.
fn is_about_the_connection(name: &str) -> bool {
    let names = [
        "te",
        "trailer",
        "upgrade",
        "proxy-connection",
        "transfer-encoding",
        "proxy-authenticate",
        "proxy-authorization",
    ];
    names.iter().any(|other| name.eq_ignore_ascii_case(other))
}

fn digits(value: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(value).ok()?;
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) { None } else { text.parse().ok() }
}

#[cfg(test)]
mod tests;
