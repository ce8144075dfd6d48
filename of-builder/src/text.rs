//! A build step's raw output as lines for people.

/// A longer line is cut.
const MAX_LINE_CHARS: usize = 2000;
/// More than this without a line feed is taken for a line.
const MAX_OPEN_BYTES: usize = 16 * 1024;
const ESCAPE: char = '\u{1b}';

/// Gathers bytes until a line is whole.
#[derive(Default)]
pub(crate) struct Lines {
    open: Vec<u8>,
}

impl Lines {
    /// Takes output as it comes and returns the lines that it completes.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Vec<String> {
        let mut whole = Vec::new();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.open.extend_from_slice(piece);
            if piece.ends_with(b"\n") || self.open.len() > MAX_OPEN_BYTES {
                whole.push(clean(&std::mem::take(&mut self.open)));
            }
        }
        whole
    }

    /// The last line, if it had no line feed.
    pub(crate) fn finish(&mut self) -> Option<String> {
        let rest = std::mem::take(&mut self.open);
        (!rest.is_empty()).then(|| clean(&rest))
    }
}

/// One line without terminal codes and control characters; of a line that was rewritten in place, the last version.
pub(crate) fn clean(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_end_matches(['\n', '\r']);
    let visible = text.rsplit('\r').next().unwrap_or(text);
    let plain: String = without_escapes(visible).chars().filter(|c| *c == '\t' || !c.is_control()).collect();
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

    #[test]
    fn lines_are_whole_whatever_the_pieces() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(b"one\ntw"), ["one"]);
        assert_eq!(lines.push(b"o\r\nthree"), ["two"]);
        assert_eq!(lines.finish().as_deref(), Some("three"));
        assert_eq!(lines.finish(), None);
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
        let mut lines = Lines::default();
        let cut = lines.push(&vec![b'a'; 40_000]);
        assert_eq!(cut.len(), 1);
        assert!(cut[0].ends_with("a… (line cut)") && cut[0].chars().count() < 2100);
    }
}
