//! Looks at a pack as it arrives, before libgit2 unpacks it: a few kilobytes can claim to be gigabytes, by
//! compression or by deltas that copy, and libgit2 has no bound on either.

use flate2::{Decompress, FlushDecompress, Status};

use super::{GitError, Limits};

/// Type numbers of a pack's entries.
const OFFSET_DELTA: u8 = 6;
const REFERENCE_DELTA: u8 = 7;
/// `PACK`, version, number of entries.
const HEADER: usize = 12;
/// The SHA-1 at the end.
const TRAILER: usize = 20;
/// The sizes at a delta's start are two numbers of at most ten bytes.
const DELTA_SIZES: usize = 20;

enum State {
    /// Collects the pack's header.
    Header(Vec<u8>),
    /// Reads an entry's type and size; the shift of the next bits.
    Entry { kind: u8, size: u64, shift: u32 },
    /// Passes over the base's offset.
    Offset { size: u64 },
    /// Passes over the base's id.
    Reference { size: u64, left: usize },
    /// Unpacks an entry. `start` collects the first bytes of a delta.
    Content { inflate: Box<Decompress>, left: u64, start: Option<Vec<u8>> },
    /// Passes over the pack's checksum.
    Trailer { left: usize },
}

/// Checks a pack piece by piece.
pub(super) struct PackGuard {
    limits: Limits,
    state: State,
    entries: u32,
    unpacked: u64,
    scratch: Box<[u8; 32 * 1024]>,
}

impl PackGuard {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, state: State::Header(Vec::new()), entries: 0, unpacked: 0, scratch: Box::new([0; 32 * 1024]) }
    }

    /// Takes the next piece.
    pub(super) fn check(&mut self, mut piece: &[u8]) -> Result<(), GitError> {
        while !piece.is_empty() {
            piece = match &self.state {
                State::Content { .. } => self.content(piece)?,
                _ => self.byte(piece)?,
            };
        }
        Ok(())
    }

    /// To be called after the last piece.
    pub(super) fn finish(&self) -> Result<(), GitError> {
        if matches!(self.state, State::Trailer { left: 0 }) { Ok(()) } else { Err(broken("it ends too early")) }
    }

    /// Everything but content is read byte by byte.
    fn byte<'a>(&mut self, piece: &'a [u8]) -> Result<&'a [u8], GitError> {
        let (byte, rest) = (piece[0], &piece[1..]);
        match &mut self.state {
            State::Header(header) => {
                header.push(byte);
                if header.len() == HEADER {
                    self.entries = entries(header, &self.limits)?;
                    self.next_entry();
                }
            }
            State::Entry { kind, size, shift } => {
                if *shift == 0 {
                    (*kind, *size, *shift) = ((byte >> 4) & 7, u64::from(byte & 15), 4);
                } else if *shift <= 53 {
                    *size |= u64::from(byte & 0x7f) << *shift;
                    *shift += 7;
                } else {
                    return Err(broken("a size is too long"));
                }
                if byte & 0x80 == 0 {
                    let (kind, size) = (*kind, *size);
                    self.begin(kind, size)?;
                }
            }
            State::Offset { size } => {
                if byte & 0x80 == 0 {
                    let size = *size;
                    self.inflate(size, true);
                }
            }
            State::Reference { size, left } => {
                *left -= 1;
                if *left == 0 {
                    let size = *size;
                    self.inflate(size, true);
                }
            }
            State::Trailer { left: 0 } => return Err(broken("something follows its end")),
            State::Trailer { left } => *left -= 1,
            State::Content { .. } => return Err(broken("its content is not where it belongs")),
        }
        Ok(rest)
    }

    fn begin(&mut self, kind: u8, size: u64) -> Result<(), GitError> {
        self.count(size)?;
        match kind {
            1..=4 => self.inflate(size, false),
            OFFSET_DELTA => self.state = State::Offset { size },
            REFERENCE_DELTA => self.state = State::Reference { size, left: 20 },
            _ => return Err(broken("an entry is of no known type")),
        }
        Ok(())
    }

    fn inflate(&mut self, size: u64, delta: bool) {
        let inflate = Box::new(Decompress::new(true));
        self.state = State::Content { inflate, left: size, start: delta.then(Vec::new) };
    }

    fn content<'a>(&mut self, piece: &'a [u8]) -> Result<&'a [u8], GitError> {
        let State::Content { inflate, left, start } = &mut self.state else {
            return Err(broken("its content is not where it belongs"));
        };
        let (before_in, before_out) = (inflate.total_in(), inflate.total_out());
        let status = inflate.decompress(piece, &mut self.scratch[..], FlushDecompress::None);
        let status = status.map_err(|_| broken("an entry is not compressed as it should be"))?;
        let consumed = usize::try_from(inflate.total_in() - before_in).unwrap_or(piece.len());
        let produced = inflate.total_out() - before_out;
        *left = left.checked_sub(produced).ok_or_else(|| broken("an entry is longer than it says"))?;
        if let Some(start) = start.as_mut().filter(|start| start.len() < DELTA_SIZES) {
            let room = (DELTA_SIZES - start.len()).min(usize::try_from(produced).unwrap_or(usize::MAX));
            start.extend_from_slice(&self.scratch[..room]);
        }
        if status == Status::StreamEnd {
            if *left != 0 {
                return Err(broken("an entry is shorter than it says"));
            }
            if let Some(start) = start.take() {
                let result = delta_result(&start).ok_or_else(|| broken("a delta has no size"))?;
                self.count(result)?;
            }
            self.next_entry();
        } else if consumed == 0 && produced == 0 {
            return Err(broken("an entry cannot be unpacked"));
        }
        Ok(&piece[consumed..])
    }

    fn next_entry(&mut self) {
        self.state = match self.entries.checked_sub(1) {
            Some(left) => {
                self.entries = left;
                State::Entry { kind: 0, size: 0, shift: 0 }
            }
            None => State::Trailer { left: TRAILER },
        };
    }

    fn count(&mut self, size: u64) -> Result<(), GitError> {
        self.unpacked = self.unpacked.saturating_add(size);
        if self.unpacked > self.limits.max_unpacked_bytes {
            let max = self.limits.max_unpacked_bytes / (1024 * 1024);
            return Err(GitError::TooBig(format!("its files have more than {max} MiB")));
        }
        Ok(())
    }
}

/// The number of entries in a pack's header.
fn entries(header: &[u8], limits: &Limits) -> Result<u32, GitError> {
    let number = |at: usize| header[at..at + 4].iter().fold(0u32, |number, byte| (number << 8) | u32::from(*byte));
    if &header[..4] != b"PACK" || !matches!(number(4), 2 | 3) {
        return Err(broken("it is no pack"));
    }
    if number(8) > limits.max_objects {
        return Err(GitError::TooBig(format!("it has more than {} files and folders", limits.max_objects)));
    }
    Ok(number(8))
}

/// The size that a delta says its result has: the second number at its start.
fn delta_result(start: &[u8]) -> Option<u64> {
    let mut bytes = start.iter();
    let mut number = || {
        let mut value = 0u64;
        for shift in (0..63).step_by(7) {
            let byte = *bytes.next()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    };
    number()?;
    number()
}

fn broken(what: &str) -> GitError {
    GitError::Broken(format!("the pack cannot be read: {what}"))
}
