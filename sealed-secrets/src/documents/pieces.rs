//! A file cut at its document markers.

/// A document with its marker and whatever stands between it and the next one: `---`, comments, content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    /// Its text, with the line end.
    pub(super) text: &'a str,
    /// Its first line in the file, from 1 on.
    pub(super) line: usize,
    /// Its first byte in the file.
    pub(super) start: usize,
}

/// The pieces of a file. Put together they are the file.
pub(super) fn of(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut open = Piece { text: "", line: 1, start: 0 };
    let mut at = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        if is_marker(line) && at > open.start {
            pieces.push(Piece { text: &text[open.start..at], ..open });
            open = Piece { text: "", line: number + 1, start: at };
        }
        at += line.len();
    }
    pieces.push(Piece { text: &text[open.start..], ..open });
    pieces
}

/// `---` at the beginning of a line, alone or before a space: a document begins. No quoted or block text may have it there.
pub(super) fn is_marker(line: &str) -> bool {
    line.strip_prefix("---").is_some_and(|rest| rest.chars().next().is_none_or(char::is_whitespace))
}

/// A line that means nothing by itself.
pub(super) fn is_blank(line: &str) -> bool {
    let line = line.trim();
    line.is_empty() || line.starts_with('#')
}
