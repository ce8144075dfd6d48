//! What a commit says of itself.

use sdk::history::MAX_MESSAGE_BYTES;

/// The longest name that is read, in bytes.
const MAX_NAME: usize = 255;

/// Who wrote a commit, and why. Anything may be in either.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct About {
    /// The author's name, without the address.
    pub(crate) author: String,
    /// The message.
    pub(crate) message: String,
}

impl About {
    /// Reads a commit object: lines of headers, an empty one, the message. What is not there stays empty.
    pub(crate) fn parse(commit: &[u8]) -> Self {
        let end = commit.windows(2).position(|pair| pair == b"\n\n").unwrap_or(commit.len());
        let (headers, message) = commit.split_at(end);
        let author = headers.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(b"author "));
        // `Name <address> time zone`; a name has no `<`.
        let name = author.and_then(|author| author.split(|byte| *byte == b'<').next()).unwrap_or_default();
        let message = message.get(2..).unwrap_or_default();
        Self { author: text(name, MAX_NAME), message: text(message, MAX_MESSAGE_BYTES) }
    }
}

/// Bytes as text, without the room around it and without what is too much.
fn text(bytes: &[u8], max: usize) -> String {
    let mut end = bytes.len().min(max);
    // Not inside a character, which has at most three bytes behind its first.
    let inside = |end: usize| bytes.get(end).is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000);
    for _ in 0..3 {
        end -= usize::from(end > 0 && inside(end));
    }
    // What is no text becomes longer, so it is cut once more.
    let mut text = String::from_utf8_lossy(&bytes[..end]).trim().to_owned();
    text.truncate(text.floor_char_boundary(max));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_authors_name_and_the_message_are_read() {
        let commit = "tree 00\nparent 11\nauthor Ada Lovelace <ada@x> 1 +0000\ncommitter Bob <b@x> 2 +0000\n\
                      gpgsig -----BEGIN\n author No <no@x> 1 +0000\n -----END\n\nSay hello\n\nBecause.\n";
        let about = About::parse(commit.as_bytes());
        assert_eq!(about, About { author: "Ada Lovelace".to_owned(), message: "Say hello\n\nBecause.".to_owned() });
    }

    #[test]
    fn anything_may_be_in_a_commit_and_nothing_is_too_long() {
        assert_eq!(About::parse(b""), About::default());
        assert_eq!(About::parse(b"tree 00\n\n"), About::default());
        assert_eq!(About::parse(b"author \n\n\n\n"), About::default());
        let mut long = b"author \xff<x> 1\n\n".to_vec();
        long.extend(std::iter::repeat_n(0xff, 1_000_000));
        let about = About::parse(&long);
        assert_eq!(about.author, "\u{fffd}");
        assert!(about.message.len() <= MAX_MESSAGE_BYTES && about.message.starts_with('\u{fffd}'));
        let cut = About::parse(format!("author a <x>\n\n{}", "\u{2713}".repeat(100_000)).as_bytes());
        assert_eq!(cut.message, "\u{2713}".repeat(MAX_MESSAGE_BYTES / 3));
    }
}
