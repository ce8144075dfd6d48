//! A whole log, packed so that each of its ends is found at once.
//!
//! `build.log.gz` is a row of gzip members, so `zcat` prints it. Each but the last two has 256 KiB of the log, the one
//! before the last what is left, and the last one has none of it: its header's extra field, under the letters `OL`, says how
//! long each of the others is when it is packed (4 bytes each), how long the log is (8 bytes), and how many members there
//! are (4 bytes; all little-endian). Whoever wants the log's end reads the object's end, and then the members he needs.
//!
//! The rejected way, one gzip stream, has to be unpacked from its beginning to show its end.

use std::io::{self, ErrorKind, Read as _, Write as _};
use std::ops::Range;

use bytes::Bytes;
use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

/// How much of a log a member has, in bytes.
pub(crate) const MEMBER: usize = 256 * 1024;
/// The longest log in bytes.
pub(crate) const MAX_LOG: usize = 1024 * 1024 * 1024;
/// A log may be a line longer than that.
const MAX_MEMBERS: usize = MAX_LOG / MEMBER + 1;
/// The last member's first bytes: gzip, deflate, with an extra field, no time, no system.
const HEAD: [u8; 10] = [0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255];
/// And its last ones: an empty stream with its sum and length.
const TAIL: [u8; 10] = [3, 0, 0, 0, 0, 0, 0, 0, 0, 0];
const LETTERS: [u8; 2] = *b"OL";
/// The log's length and the number of members.
const FIXED: usize = 8 + 4;
/// Reading so many bytes from an object's end finds the whole table.
pub(crate) const MAX_TABLE: usize = HEAD.len() + 2 + 4 + 4 * MAX_MEMBERS + FIXED + TAIL.len();

/// Packs a log that comes piece by piece.
#[derive(Default)]
pub(crate) struct Packer {
    object: Vec<u8>,
    /// What is not packed yet.
    rest: Vec<u8>,
    lengths: Vec<u32>,
    bytes: u64,
}

impl Packer {
    /// Adds a piece.
    pub(crate) fn add(&mut self, mut piece: &[u8]) -> io::Result<()> {
        while !piece.is_empty() {
            let (now, later) = piece.split_at(piece.len().min(MEMBER - self.rest.len()));
            self.rest.extend_from_slice(now);
            if self.rest.len() == MEMBER {
                self.member()?;
            }
            piece = later;
        }
        Ok(())
    }

    fn member(&mut self) -> io::Result<()> {
        let before = self.object.len();
        let mut encoder = GzEncoder::new(&mut self.object, Compression::default());
        encoder.write_all(&self.rest)?;
        encoder.finish()?;
        self.lengths.push(u32::try_from(self.object.len() - before).map_err(io::Error::other)?);
        self.bytes += self.rest.len() as u64;
        self.rest.clear();
        Ok(())
    }

    /// The whole object.
    pub(crate) fn finish(mut self) -> io::Result<Bytes> {
        if !self.rest.is_empty() {
            self.member()?;
        }
        if self.lengths.len() > MAX_MEMBERS {
            return Err(io::Error::other("the log is too long to be packed"));
        }
        let data = 4 * self.lengths.len() + FIXED;
        let short = |length: usize| u16::try_from(length).map(u16::to_le_bytes).map_err(io::Error::other);
        self.object.extend(HEAD);
        self.object.extend(short(data + 4)?);
        self.object.extend(LETTERS);
        self.object.extend(short(data)?);
        self.object.extend(self.lengths.iter().flat_map(|length| length.to_le_bytes()));
        self.object.extend(self.bytes.to_le_bytes());
        self.object.extend(u32::try_from(self.lengths.len()).map_err(io::Error::other)?.to_le_bytes());
        self.object.extend(TAIL);
        Ok(self.object.into())
    }
}

/// Where in an object which bytes of its log are.
#[derive(Debug)]
pub(crate) struct Table {
    /// Where each member begins, and where the last one ends.
    starts: Vec<u64>,
    /// The log's length in bytes.
    pub(crate) bytes: u64,
}

/// Some members of an object.
#[derive(Debug)]
pub(crate) struct Members {
    /// The first one's number.
    first: usize,
    /// Where each begins in the object, and where the last one ends.
    starts: Vec<u64>,
}

impl Table {
    /// Reads the table in an object's last bytes; the object has `whole` bytes.
    pub(crate) fn read(end: &[u8], whole: u64) -> io::Result<Self> {
        let (rest, tail) = split_end::<10>(end)?;
        let (rest, count) = split_end::<4>(rest)?;
        let (rest, bytes) = split_end::<8>(rest)?;
        let (count, bytes) = (u32::from_le_bytes(count) as usize, u64::from_le_bytes(bytes));
        let at = rest.len().checked_sub(4 * count).filter(|_| tail == TAIL && count <= MAX_MEMBERS);
        let (before, lengths) = rest.split_at(at.ok_or_else(broken)?);
        let head = before.strip_suffix(&[LETTERS, length_of(count)].concat()[..]).ok_or_else(broken)?;
        let table = HEAD.len() + 2 + 4 + lengths.len() + FIXED + TAIL.len();
        let mut starts = vec![0];
        for length in lengths.as_chunks::<4>().0 {
            let last = starts.last().copied().unwrap_or_default();
            starts.push(last + u64::from(u32::from_le_bytes(*length)));
        }
        let full = starts.last().is_some_and(|end| end + table as u64 == whole);
        let plausible = bytes.div_ceil(MEMBER as u64) == count as u64;
        if full && plausible && head.len() >= HEAD.len() { Ok(Self { starts, bytes }) } else { Err(broken()) }
    }

    /// The members that have these bytes of the log, of which there must be some.
    pub(crate) fn members(&self, wanted: &Range<u64>) -> io::Result<Members> {
        let number = |byte: u64| usize::try_from(byte / MEMBER as u64).map_err(io::Error::other);
        let (first, last) = (number(wanted.start)?, number(wanted.end.saturating_sub(1))?);
        let starts = self.starts.get(first..last + 2).ok_or_else(broken)?;
        Ok(Members { first, starts: starts.to_vec() })
    }
}

impl Members {
    /// Where they are in the object.
    pub(crate) fn place(&self) -> Range<u64> {
        self.starts.first().copied().unwrap_or_default()..self.starts.last().copied().unwrap_or_default()
    }

    /// The wanted bytes of the log out of them, as they lie in the object.
    pub(crate) fn unpack(&self, mut packed: &[u8], wanted: &Range<u64>) -> io::Result<Bytes> {
        let mut log = Vec::new();
        for window in self.starts.windows(2) {
            let length = usize::try_from(window[1] - window[0]).map_err(io::Error::other)?;
            let (member, others) = packed.split_at_checked(length).ok_or_else(broken)?;
            // No more than a member may have, whatever somebody put there.
            let read = GzDecoder::new(member).take(MEMBER as u64).read_to_end(&mut log)?;
            if read != MEMBER && !others.is_empty() {
                return Err(broken());
            }
            packed = others;
        }
        let offset = |byte: u64| usize::try_from(byte - (self.first * MEMBER) as u64).map_err(io::Error::other);
        let wanted = log.get(offset(wanted.start)?..offset(wanted.end)?).ok_or_else(broken)?;
        // Not a view of the whole member, which would stay in memory with it.
        Ok(Bytes::copy_from_slice(wanted))
    }
}

/// What the extra field says of its own length.
fn length_of(count: usize) -> [u8; 2] {
    u16::try_from(4 * count + FIXED).unwrap_or_default().to_le_bytes()
}

fn split_end<const N: usize>(bytes: &[u8]) -> io::Result<(&[u8], [u8; N])> {
    bytes.split_last_chunk().map(|(rest, end)| (rest, *end)).ok_or_else(broken)
}

fn broken() -> io::Error {
    io::Error::new(ErrorKind::InvalidData, "it is not as this function packs logs")
}

#[cfg(test)]
mod tests;
