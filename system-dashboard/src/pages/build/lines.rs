//! A log's lines, each with an address of its own: the place of its first byte in the log.

use crate::ansi::{self, Look, Span};
use crate::build_log::Part;

/// A page shows at most so many lines and one that has no end yet: as many as browsers keep of a live log.
const MAX_LINES: usize = 5000;

/// A line as it is shown.
pub(crate) struct Line {
    /// Its first byte's place in the log.
    pub(crate) at: u64,
    /// From 1, where the log's beginning is on the page.
    pub(crate) number: Option<usize>,
    /// A link to it.
    pub(crate) address: String,
    pub(crate) spans: Vec<Span>,
}

/// Lines, and at which byte what follows begins.
pub(crate) struct Shown {
    pub(crate) lines: Vec<Line>,
    pub(crate) end: u64,
}

impl Line {
    pub(crate) fn plain(&self) -> String {
        ansi::plain(&self.spans)
    }
}

/// The last lines of a part, where it has more than a page shows.
pub(crate) fn newest(part: Part) -> Part {
    let mut ends = part.bytes.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    let Some(first) = ends.nth(MAX_LINES) else { return part };
    Part { bytes: part.bytes[first..].to_vec(), start: part.start + first as u64, ..part }
}

/// The first whole lines of a part. A last one without an end belongs to the next part, unless there is none.
pub(crate) fn of(part: &Part, page: &str) -> Shown {
    let is_all = part.start == 0 && part.bytes.len() as u64 >= part.length;
    let (mut look, mut at, mut lines) = (Look::default(), part.start, Vec::new());
    let is_last = part.is_whole && part.start + part.bytes.len() as u64 >= part.length;
    for piece in part.bytes.split_inclusive(|byte| *byte == b'\n').take(MAX_LINES + 1) {
        let text = piece.strip_suffix(b"\n");
        // One line that fills the page has to be shown, or nobody would get past it.
        if text.is_none() && !is_last && !lines.is_empty() {
            break;
        }
        let address = if is_all { format!("#b{at}") } else { format!("{page}&from={at}#b{at}") };
        let number = (part.start == 0).then_some(lines.len() + 1);
        lines.push(Line { at, number, address, spans: ansi::spans(text.unwrap_or(piece), &mut look) });
        at += piece.len() as u64;
    }
    Shown { lines, end: at }
}

/// Leaves the lines with a text, whatever its case; says how many.
pub(crate) fn search(lines: &mut Vec<Line>, text: &str) -> usize {
    if !text.is_empty() {
        let needle = text.to_lowercase();
        lines.retain(|line| line.plain().to_lowercase().contains(&needle));
    }
    lines.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(text: &str, start: u64, length: u64, is_whole: bool) -> Part {
        Part { bytes: text.as_bytes().to_vec(), start, length, is_whole }
    }

    #[test]
    fn lines_have_the_place_of_their_first_byte_and_a_half_one_waits() {
        let shown = of(&part("one\ntwo\nthr", 0, 11, false), "p?");
        let lines: Vec<_> = shown.lines.iter().map(|line| (line.at, line.number, line.address.as_str())).collect();
        assert_eq!(lines, [(0, Some(1), "#b0"), (4, Some(2), "#b4")]);
        assert_eq!(shown.end, 8);
        let shown = of(&part("thr", 8, 11, true), "p?");
        assert_eq!((shown.lines[0].address.as_str(), shown.lines[0].number, shown.end), ("p?&from=8#b8", None, 11));
        assert_eq!(of(&part("one line without end", 0, 99, false), "p?").end, 20);
    }

    #[test]
    fn a_hundred_thousand_empty_lines_are_pages_of_a_few_thousand() {
        let text = "\n".repeat(100_000);
        let whole = part(&text, 7, 100_007, true);
        let first = of(&whole, "p?");
        assert_eq!((first.lines.len(), first.lines[0].at, first.end), (MAX_LINES + 1, 7, 7 + MAX_LINES as u64 + 1));
        let last = of(&newest(whole), "p?");
        assert_eq!((last.lines.len(), last.end), (MAX_LINES, 100_007));
        let unfinished = of(&newest(part(&format!("{text}x"), 0, 100_001, true)), "p?");
        assert_eq!((unfinished.lines.len(), unfinished.end), (MAX_LINES + 1, 100_001));
        assert_eq!(newest(part("a\nb\n", 3, 7, true)).start, 3);
    }

    #[test]
    fn a_search_is_for_text_whatever_its_case() {
        let mut lines = of(&part("Error: a\nb\nan \x1b[31merr\x1b[0mor\n", 0, 31, true), "").lines;
        assert_eq!(search(&mut lines, "ERROR"), 2);
        assert_eq!(lines[1].number, Some(3));
        assert_eq!(search(&mut lines, ".*"), 0);
    }
}
