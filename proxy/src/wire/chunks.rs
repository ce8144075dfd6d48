//! Chunks, framed exactly.

use std::io;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::invalid;

/// The longest line before a chunk, with its extensions, in bytes.
const MAX_LINE: usize = 4096;
/// All trailers together, in bytes, and how many.
const MAX_TRAILERS: usize = 16 * 1024;
const MAX_TRAILER_LINES: usize = 32;

/// Where a body is.
#[derive(Debug, Default)]
pub(super) enum Chunks {
    /// Before a chunk.
    #[default]
    Size,
    /// Within one, of which so many bytes are left.
    Data(u64),
    /// Behind one, before its line end.
    End,
    /// Behind the last one.
    Trailers,
    /// Over.
    Over,
}

/// A part of a body.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    Data(Bytes),
    Trailers(HeaderMap),
    Over,
    /// More has to be read first.
    Wanting,
}

impl Chunks {
    pub(super) fn is_over(&self) -> bool {
        matches!(self, Self::Over)
    }

    /// Takes the next part off what was read.
    pub(super) fn next(&mut self, input: &mut BytesMut) -> io::Result<Part> {
        loop {
            match self {
                Self::Size => match line(input)? {
                    Some(0) => *self = Self::Trailers,
                    Some(size) => *self = Self::Data(size),
                    None => return Ok(Part::Wanting),
                },
                Self::Data(_) if input.is_empty() => return Ok(Part::Wanting),
                Self::Data(left) => {
                    let length = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
                    *left -= length as u64;
                    if *left == 0 {
                        *self = Self::End;
                    }
                    return Ok(Part::Data(input.split_to(length).freeze()));
                }
                Self::End if input.len() < 2 => return Ok(Part::Wanting),
                Self::End if input.starts_with(b"\r\n") => {
                    let _ = input.split_to(2);
                    *self = Self::Size;
                }
                Self::End => return Err(invalid("a chunk does not end where it says")),
                Self::Trailers => return self.trailers(input),
                Self::Over => return Ok(Part::Over),
            }
        }
    }

    fn trailers(&mut self, input: &mut BytesMut) -> io::Result<Part> {
        let mut lines = [httparse::EMPTY_HEADER; MAX_TRAILER_LINES];
        let (length, lines) = match httparse::parse_headers(input, &mut lines) {
            Ok(httparse::Status::Complete(complete)) => complete,
            Ok(httparse::Status::Partial) if input.len() <= MAX_TRAILERS => return Ok(Part::Wanting),
            Ok(httparse::Status::Partial) => return Err(invalid("the trailers are too long")),
            Err(error) => return Err(io::Error::new(io::ErrorKind::InvalidData, error)),
        };
        let mut trailers = HeaderMap::new();
        for line in lines {
            let name = HeaderName::from_bytes(line.name.as_bytes()).map_err(|_| invalid("a malformed trailer"))?;
            trailers.append(name, HeaderValue::from_bytes(line.value).map_err(|_| invalid("a malformed trailer"))?);
        }
        let _ = input.split_to(length);
        *self = Self::Over;
        Ok(if trailers.is_empty() { Part::Over } else { Part::Trailers(trailers) })
    }
}

/// Takes off the line before a chunk: its size.
fn line(input: &mut BytesMut) -> io::Result<Option<u64>> {
    let Some(end) = input.iter().take(MAX_LINE).position(|byte| *byte == b'\n') else {
        return if input.len() >= MAX_LINE { Err(invalid("the line before a chunk is too long")) } else { Ok(None) };
    };
    let line = input.split_to(end + 1);
    let line = line.strip_suffix(b"\r\n").ok_or_else(|| invalid("a line before a chunk ends with half a line end"))?;
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    let rest = line[digits..].trim_ascii_start();
    if digits == 0 || !(rest.is_empty() || rest[0] == b';') || rest.iter().any(|byte| *byte == b'\r' || *byte == 0) {
        return Err(invalid("a chunk has a malformed size"));
    }
    let size = std::str::from_utf8(&line[..digits]).ok().and_then(|text| u64::from_str_radix(text, 16).ok());
    size.map(Some).ok_or_else(|| invalid("a chunk has a size beyond all measure"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All data and trailers, from input that comes in parts of `step` bytes.
    fn read(text: &[u8], step: usize) -> io::Result<(Vec<u8>, HeaderMap, BytesMut)> {
        let (mut chunks, mut input) = (Chunks::default(), BytesMut::new());
        let (mut data, mut trailers) = (Vec::new(), HeaderMap::new());
        let mut parts = text.chunks(step);
        loop {
            match chunks.next(&mut input)? {
                Part::Data(bytes) => data.extend_from_slice(&bytes),
                Part::Trailers(found) => trailers = found,
                Part::Over => {
                    parts.for_each(|part| input.extend_from_slice(part));
                    return Ok((data, trailers, input));
                }
                Part::Wanting => match parts.next() {
                    Some(part) => input.extend_from_slice(part),
                    None => return Err(io::ErrorKind::UnexpectedEof.into()),
                },
            }
        }
    }

    #[test]
    fn chunks_are_joined_however_they_come() {
        let text = b"3\r\nabc\r\nA;name=\"x\"\r\n0123456789\r\n0\r\nx-sum: 7\r\n\r\nrest";
        for step in 1..=text.len() {
            let (data, trailers, rest) = read(text, step).unwrap();
            assert_eq!(data, b"abc0123456789", "in parts of {step}");
            assert_eq!(trailers["x-sum"], "7");
            assert_eq!(&rest[..], b"rest");
        }
        assert!(read(b"0\r\n\r\n", 1).unwrap().1.is_empty());
    }

    #[test]
    fn what_is_not_framed_exactly_is_no_body() {
        for text in [
            &b"g\r\n"[..],
            b"\r\n0\r\n\r\n",
            b"-1\r\n",
            b"+1\r\na\r\n0\r\n\r\n",
            b"0x1\r\na\r\n0\r\n\r\n",
            b"1\na\r\n0\r\n\r\n",
            b"1\r\nab\r\n0\r\n\r\n",
            b"1\r\na\n0\r\n\r\n",
            b"1 1\r\na\r\n0\r\n\r\n",
            b"10000000000000000\r\n",
            b"0\r\nx\0: 1\r\n\r\n",
            b"0\r\nno colon\r\n\r\n",
            b"1\r\na",
        ] {
            assert!(read(text, 1).is_err(), "{:?}", String::from_utf8_lossy(text));
            assert!(read(text, 100).is_err(), "{:?}", String::from_utf8_lossy(text));
        }
        assert!(read(&[b'1'; 10_000], 1000).is_err());
        assert!(read(&[b"0\r\nx: ".to_vec(), vec![b'a'; 40_000]].concat(), 1000).is_err());
    }
}
