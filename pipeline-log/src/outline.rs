//! Where in an open log which part is, by the parts' lengths alone.

use std::ops::Range;

use crate::log_key::Name;
use crate::logs::Object;

/// The parts of a log in their order.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Outline {
    pub(crate) pieces: Vec<Piece>,
    /// The log's length in bytes.
    pub(crate) bytes: u64,
    /// Its length up to the first gap. What is behind may move still.
    pub(crate) steady: u64,
}

/// A piece of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece {
    /// A part and its length in bytes.
    Part { number: u32, bytes: u64 },
    /// At least one part did not arrive; [`Outline::GAP`] says so in its place.
    Gap,
}

impl Outline {
    pub(crate) const GAP: &[u8] = b"(a part of this log did not arrive)\n";

    /// The parts up to `last`; a gap is said, unless the log was full by then.
    pub(crate) fn of(objects: &[Object], last: u32) -> Self {
        let (mut outline, mut expected, mut steady) = (Self::default(), 0, None);
        for object in objects {
            let Name::Part(number) = object.name else { continue };
            if number > last {
                break;
            }
            if number != expected {
                steady = steady.or(Some(outline.bytes));
                outline.add(Piece::Gap);
            }
            expected = number.saturating_add(1);
            outline.add(Piece::Part { number, bytes: object.bytes });
        }
        outline.steady = steady.unwrap_or(outline.bytes);
        outline
    }

    fn add(&mut self, piece: Piece) {
        self.pieces.push(piece);
        self.bytes += piece.bytes();
    }

    /// The pieces that have these bytes of the log, and which of each.
    pub(crate) fn within(&self, wanted: &Range<u64>) -> Vec<(Piece, Range<u64>)> {
        let (mut start, mut found) = (0, Vec::new());
        for piece in &self.pieces {
            let end = start + piece.bytes();
            let (from, to) = (wanted.start.max(start), wanted.end.min(end));
            if from < to {
                found.push((*piece, from - start..to - start));
            }
            start = end;
        }
        found
    }
}

impl Piece {
    fn bytes(self) -> u64 {
        match self {
            Self::Part { bytes, .. } => bytes,
            Self::Gap => Outline::GAP.len() as u64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objects(parts: &[(u32, u64)]) -> Vec<Object> {
        let parts = parts.iter().map(|(number, bytes)| Object { name: Name::Part(*number), bytes: *bytes });
        parts.chain([Object { name: Name::Packed, bytes: 7 }]).collect()
    }

    #[test]
    fn ranges_are_found_across_parts_and_gaps() {
        let gap = Outline::GAP.len() as u64;
        let outline = Outline::of(&objects(&[(0, 10), (1, 5), (3, 4)]), u32::MAX);
        assert_eq!((outline.bytes, outline.steady), (19 + gap, 15));
        let part = |number, bytes| Piece::Part { number, bytes };
        assert_eq!(outline.within(&(0..3)), [(part(0, 10), 0..3)]);
        assert_eq!(outline.within(&(9..12)), [(part(0, 10), 9..10), (part(1, 5), 0..2)]);
        let end = outline.within(&(14..outline.bytes));
        assert_eq!(end, [(part(1, 5), 4..5), (Piece::Gap, 0..gap), (part(3, 4), 0..4)]);
        assert_eq!(outline.within(&(5..5)), []);
        assert_eq!(outline.within(&(outline.bytes..outline.bytes + 9)), []);
    }

    #[test]
    fn parts_behind_the_last_do_not_count() {
        let outline = Outline::of(&objects(&[(0, 10), (1, 5), (2, 4)]), 1);
        assert_eq!((outline.pieces.len(), outline.bytes, outline.steady), (2, 15, 15));
        assert_eq!(Outline::of(&objects(&[]), 9), Outline::default());
    }
}
