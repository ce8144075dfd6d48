//! A build step's raw output as lines for people.

use std::sync::Arc;

use crate::secrets::{Mask, Window};

/// A longer line is cut.
const MAX_LINE_CHARS: usize = 2000;
/// More than this without a line feed is taken for a line.
const MAX_OPEN_BYTES: usize = 16 * 1024;
const ESCAPE: char = '\u{1b}';

/// Gathers bytes until a line is whole, and hides secrets in it.
pub(crate) struct Lines {
    open: Vec<u8>,
    window: Window,
}

impl Lines {
    pub(crate) fn new(mask: Arc<Mask>) -> Self {
        Self { open: Vec::new(), window: Window::new(mask) }
    }

    /// Takes output as it comes and returns the lines that can be shown.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut whole = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.open.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.open.len() > MAX_OPEN_BYTES {
                whole.extend(self.window.push(plain(&std::mem::take(&mut self.open))));
            }
        }
        whole.into_iter().map(cut).collect()
    }

    /// What is left: the last line, if it had no line feed, and lines that waited for it.
    pub(crate) fn finish(&mut self) -> Vec<String> {
        let rest = std::mem::take(&mut self.open);
        let mut lines = if rest.is_empty() { Vec::new() } else { self.window.push(plain(&rest)) };
        lines.extend(self.window.finish());
        lines.into_iter().map(cut).collect()
    }
}

/// One line, plain and of bounded length.
pub(crate) fn clean(bytes: &[u8], mask: &Mask) -> String {
    // Before it is cut, or half a secret would be left.
    cut(mask.hide(&plain(bytes)))
}

/// One line without terminal codes and control characters; of a line that was rewritten in place, the last version.
pub(crate) fn plain(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_end_matches(['\n', '\r']);
    let visible = text.rsplit('\r').next().unwrap_or(text);
    without_escapes(visible).chars().filter(|c| *c == '\t' || !c.is_control()).collect()
}

fn cut(plain: String) -> String {
    match plain.char_indices().nth(MAX_LINE_CHARS) {
        Some((end, _)) => format!("{}… (line cut)", &plain[..end]),
        None => plain,
    }
}

fn without_escapes(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c != ESCAPE {
            plain.push(c);
            continue;
        }
        match chars.next() {
            // Colours and movements end with a letter or one of a few signs.
            Some('[') => drop(chars.by_ref().find(|c| matches!(c, '\u{40}'..='\u{7e}'))),
            // Titles and links end with a bell, or with an escape and a backslash.
            Some(']') => {
                chars.by_ref().find(|c| matches!(c, '\u{7}' | &ESCAPE));
                chars.next_if_eq(&'\\');
            }
            _ => {}
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secrets::tests::mask;

    fn clean(bytes: &[u8]) -> String {
        super::clean(bytes, &Mask::default())
    }

    #[test]
    fn secrets_are_hidden_whatever_the_pieces_and_the_codes_between_them() {
        let mut lines = Lines::new(Arc::new(mask(&["s3cr3t-value"])));
        assert_eq!(lines.push(b"a s3c"), Vec::<String>::new());
        assert_eq!(lines.push(b"r3t-val\x1b[1mue b\n"), ["a *** b"]);
        let long = format!("{}s3cr3t-value\n", "x".repeat(MAX_OPEN_BYTES - 5));
        let shown = [lines.push(long.as_bytes()), lines.finish()].concat();
        assert!(!shown.iter().any(|line| line.contains("s3c") || line.contains("value")), "{shown:?}");
        let before_the_cut = format!("{}s3cr3t-value", "x".repeat(MAX_LINE_CHARS - 5));
        assert!(!super::clean(before_the_cut.as_bytes(), &mask(&["s3cr3t-value"])).contains("s3c"));
    }

    #[test]
    fn lines_are_whole_whatever_the_pieces() {
        let mut lines = Lines::new(Arc::default());
        assert_eq!(lines.push(b"one\ntw"), ["one"]);
        assert_eq!(lines.push(b"o\r\nthree"), ["two"]);
        assert_eq!(lines.finish(), ["three"]);
        assert!(lines.finish().is_empty());
    }

    #[test]
    fn colours_titles_and_control_characters_are_gone() {
        assert_eq!(clean(b"\x1b[1;31mred\x1b[0m\x07 plain\ttab"), "red plain\ttab");
        assert_eq!(clean(b"\x1b]0;title\x07a\x1b]8;;http://x\x1b\\link"), "alink");
        assert_eq!(clean(b"\x1b[2K"), "");
        assert_eq!(clean(b"\xff\n"), "\u{fffd}");
    }

    #[test]
    fn a_progress_bar_shows_its_last_state() {
        assert_eq!(clean(b"10%\r50%\r100%\r\n"), "100%");
    }

    #[test]
    fn endless_lines_are_cut() {
        let mut lines = Lines::new(Arc::default());
        let cut = lines.push(&vec![b'a'; 40_000]);
        assert_eq!(cut.len(), 1);
        assert!(cut[0].ends_with("a… (line cut)") && cut[0].chars().count() < 2100);
    }
}
