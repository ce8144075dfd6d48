//! Lines out of the pieces in which an engine delivers a log: it cuts long lines, and puts the time before each piece.

use bollard::container::LogOutput;
use chrono::{DateTime, Utc};

/// A longer line comes in pieces of this many bytes. Even if each byte has to be escaped, what becomes of it is below
/// the mebibyte that common readers of NDJSON take.
const LONGEST: usize = 128 << 10;

/// A line of a log.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) time: DateTime<Utc>,
    pub(super) text: String,
}

/// What was read of each of a container's two streams and is no whole line yet.
#[derive(Default)]
pub(super) struct Lines {
    out: Unfinished,
    error: Unfinished,
}

#[derive(Default)]
struct Unfinished {
    /// That of the line's first piece.
    time: Option<DateTime<Utc>>,
    text: Vec<u8>,
}

impl Lines {
    /// Takes a piece, and gives the lines that it completes.
    pub(super) fn push(&mut self, piece: LogOutput) -> Vec<Line> {
        let unfinished = match piece {
            LogOutput::StdErr { .. } => &mut self.error,
            _ => &mut self.out,
        };
        let piece = piece.into_bytes();
        piece.split_inclusive(|byte| *byte == b'\n').filter_map(|part| unfinished.push(part)).collect()
    }

    /// What has no line end, once nothing more comes.
    pub(super) fn rest(mut self) -> impl Iterator<Item = Line> {
        [self.out.take(), self.error.take()].into_iter().flatten()
    }
}

impl Unfinished {
    fn push(&mut self, part: &[u8]) -> Option<Line> {
        let (time, text) = split(part);
        self.time = self.time.or(time);
        self.text.extend_from_slice(text);
        if self.text.last() == Some(&b'\n') {
            self.text.pop();
            if self.text.last() == Some(&b'\r') {
                self.text.pop();
            }
            return self.take();
        }
        if self.text.len() < LONGEST {
            return None;
        }
        let kept = self.text.split_off(boundary(&self.text));
        let line = self.take();
        *self = Self { time, text: kept };
        line
    }

    /// Bytes that are no UTF-8 are replaced: JSON has no others.
    fn take(&mut self) -> Option<Line> {
        let Self { time, text } = std::mem::take(self);
        Some(Line { time: time?, text: String::from_utf8_lossy(&text).into_owned() })
    }
}

/// The time before a piece, and the piece.
fn split(part: &[u8]) -> (Option<DateTime<Utc>>, &[u8]) {
    let at = part.iter().position(|byte| *byte == b' ');
    let time = at.and_then(|at| std::str::from_utf8(&part[..at]).ok()).and_then(|time| time.parse().ok());
    match (at, time) {
        (Some(at), Some(time)) => (Some(time), &part[at + 1..]),
        _ => (None, part),
    }
}

/// Where the last character begins that may be cut in two; at most three bytes before the end.
fn boundary(text: &[u8]) -> usize {
    let begins = |at: &usize| text[*at] & 0b1100_0000 != 0b1000_0000;
    let last = (text.len().saturating_sub(4)..text.len()).rev().find(begins);
    match last {
        Some(at) if std::str::from_utf8(&text[at..]).is_err() => at,
        _ => text.len(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2026-01-02T03:04:05.000000006Z";

    fn out(text: &[u8]) -> LogOutput {
        LogOutput::StdOut { message: [TIME.as_bytes(), b" ", text].concat().into() }
    }

    fn error(text: &[u8]) -> LogOutput {
        LogOutput::StdErr { message: [TIME.as_bytes(), b" ", text].concat().into() }
    }

    fn texts(lines: impl IntoIterator<Item = Line>) -> Vec<String> {
        lines.into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn pieces_of_one_line_are_put_together_and_the_streams_kept_apart() {
        let mut lines = Lines::default();
        assert!(lines.push(out("grü".as_bytes().split_last().unwrap().1)).is_empty());
        assert_eq!(texts(lines.push(error(b"oops\n"))), ["oops"]);
        let whole = lines.push(out(&["ü".as_bytes().last().copied().unwrap(), b'n', b'\r', b'\n']));
        assert_eq!(whole, [Line { time: TIME.parse().unwrap(), text: "grün".to_owned() }]);
        assert_eq!(texts(lines.push(out(b"\n"))), [""]);
    }

    #[test]
    fn what_has_no_line_end_comes_last() {
        let mut lines = Lines::default();
        assert!(lines.push(out(b"unfinished")).is_empty() && lines.push(error(b"business")).is_empty());
        assert_eq!(texts(lines.rest()), ["unfinished", "business"]);
        assert_eq!(Lines::default().rest().count(), 0);
    }

    #[test]
    fn bytes_that_are_no_text_are_replaced() {
        let text = Lines::default().push(out(b"a\xff\0\x1b[1m b\n")).remove(0).text;
        assert_eq!(text, "a\u{fffd}\0\u{1b}[1m b");
    }

    #[test]
    fn a_line_without_end_comes_in_pieces_that_cut_no_character() {
        let mut lines = Lines::default();
        let mut all = Vec::new();
        for _ in 0..40 {
            all.extend(lines.push(out(&"äxx".repeat(3000).into_bytes()[..11_999])));
            all.extend(lines.push(out(b"x")));
        }
        all.extend(lines.rest());
        assert!(all.len() > 2 && all.iter().all(|line| line.text.len() <= LONGEST + 12_000));
        assert!(all.iter().all(|line| !line.text.contains('\u{fffd}')));
        assert_eq!(all.iter().map(|line| line.text.len()).sum::<usize>(), 40 * 12_000);
    }

    #[test]
    fn a_text_that_begins_with_a_time_keeps_it() {
        let text = Lines::default().push(out(format!("{TIME} own time\n").as_bytes())).remove(0).text;
        assert_eq!(text, format!("{TIME} own time"));
    }
}
