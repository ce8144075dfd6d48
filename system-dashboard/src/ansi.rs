//! Terminal text as spans with classes. Colours and weights are kept; whatever else a terminal would do is dropped, and so are
//! control characters. What comes out is plain text, which pages escape.

use std::str::Chars;

/// Longer lines are cut, in bytes.
pub(crate) const MAX_LINE: usize = 8 * 1024;
/// Stands where one was.
const CUT: &str = " … (cut)";
/// More changes of colour in one line are not followed.
const MAX_SPANS: usize = 200;

/// Text that looks the same.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Span {
    /// Classes with spaces between them; empty for plain text.
    pub(crate) class: String,
    pub(crate) text: String,
}

/// What the terminal was told last. It goes on in the next line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Look {
    colour: Option<u8>,
    bold: bool,
    dim: bool,
}

impl Look {
    fn class(self) -> String {
        let mut classes = Vec::new();
        if let Some(colour) = self.colour {
            classes.push(format!("c{colour}"));
        }
        if self.bold {
            classes.push("bold".to_owned());
        }
        if self.dim {
            classes.push("dim".to_owned());
        }
        classes.join(" ")
    }

    /// `ESC [ … m`. Colours beyond the sixteen are passed over with their parameters.
    fn told(&mut self, parameters: &str) {
        // `[>…m` and the like are about something else.
        if parameters.starts_with(['<', '=', '>', '?']) {
            return;
        }
        let mut codes =
            parameters.split(';').map(|code| if code.is_empty() { Some(0) } else { code.parse::<u16>().ok() });
        while let Some(code) = codes.next() {
            match code {
                Some(0) => *self = Self::default(),
                Some(1) => self.bold = true,
                Some(2) => self.dim = true,
                Some(22) => (self.bold, self.dim) = (false, false),
                Some(code @ 30..=37) => self.colour = Some((code - 30) as u8),
                Some(code @ 90..=97) => self.colour = Some((code - 90 + 8) as u8),
                Some(39) => self.colour = None,
                Some(38 | 48) => match codes.next().flatten() {
                    Some(5) => drop(codes.next()),
                    Some(2) => drop(codes.by_ref().take(3).count()),
                    _ => {}
                },
                _ => {}
            }
        }
    }
}

/// One line, without its end.
pub(crate) fn spans(line: &[u8], look: &mut Look) -> Vec<Span> {
    // What follows a carriage return would be written over what is before it.
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = line.rsplit(|byte| *byte == b'\r').next().unwrap_or(line);
    let is_cut = line.len() > MAX_LINE;
    let text = String::from_utf8_lossy(&line[..line.len().min(MAX_LINE)]);
    let mut spans = vec![Span { class: look.class(), text: String::new() }];
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        if c == '\u{1b}' {
            if let Some(parameters) = escape(&mut rest) {
                look.told(&parameters);
                begin(&mut spans, look.class());
            }
        } else if !is_unseen(c)
            && c != '\n'
            && let Some(last) = spans.last_mut()
        {
            last.text.push(c);
        }
    }
    if is_cut && let Some(last) = spans.last_mut() {
        last.text.push_str(CUT);
    }
    spans.retain(|span| !span.text.is_empty());
    spans
}

fn begin(spans: &mut Vec<Span>, class: String) {
    let is_full = spans.len() >= MAX_SPANS;
    match spans.last_mut() {
        Some(last) if last.text.is_empty() => last.class = class,
        Some(last) if last.class == class || is_full => {}
        _ => spans.push(Span { class, text: String::new() }),
    }
}

/// Takes what follows an escape character; the parameters where it is about looks.
fn escape(rest: &mut Chars<'_>) -> Option<String> {
    match rest.next()? {
        '[' => return control(rest),
        ']' | 'P' | 'X' | '^' | '_' => string(rest),
        // A character set and the like: marks, and the one that is meant.
        ' '..='/' => {
            while rest.clone().next().is_some_and(|c| matches!(c, ' '..='/')) {
                rest.next();
            }
            rest.next();
        }
        _ => {}
    }
    None
}

/// `[ … x`: the parameters where x is an `m`. What cannot be in it ends it, and is text.
fn control(rest: &mut Chars<'_>) -> Option<String> {
    let mut parameters = String::new();
    while let Some(c) = rest.clone().next().filter(|c| matches!(c, ' '..='~')) {
        rest.next();
        match c {
            'm' => return Some(parameters),
            '@'..='~' => break,
            _ if parameters.len() < 64 => parameters.push(c),
            _ => {}
        }
    }
    None
}

/// A title or a link, up to a bell or the next escape. Without an end it is text, or it would hide the rest of the line.
fn string(rest: &mut Chars<'_>) {
    let text = rest.as_str();
    let Some(end) = text.find(['\u{7}', '\u{1b}', '\u{9c}']) else { return };
    let after = &text[end..];
    let ended = after.strip_prefix("\u{1b}\\").or_else(|| after.strip_prefix(['\u{7}', '\u{9c}']));
    // The escape of another sequence is still to be taken.
    *rest = ended.unwrap_or(after).chars();
}

/// What does something to the text around it and is not seen itself: control characters, and what turns the direction of what
/// follows, so that text looks like another.
pub(crate) fn is_unseen(c: char) -> bool {
    let is_space = matches!(c, '\t' | '\n' | '\r');
    (c.is_control() && !is_space) || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A line's plain text.
pub(crate) fn plain(spans: &[Span]) -> String {
    spans.iter().map(|span| span.text.as_str()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(line: &[u8]) -> Vec<(String, String)> {
        spans(line, &mut Look::default()).into_iter().map(|span| (span.class, span.text)).collect()
    }

    fn span(class: &str, text: &str) -> (String, String) {
        (class.to_owned(), text.to_owned())
    }

    #[test]
    fn colours_become_classes_and_go_on_in_the_next_line() {
        assert_eq!(shown(b"a \x1b[1;31mb\x1b[0m c"), [span("", "a "), span("c1 bold", "b"), span("", " c")]);
        assert_eq!(shown(b"\x1b[92mok\x1b[39m."), [span("c10", "ok"), span("", ".")]);
        let mut look = Look::default();
        spans(b"\x1b[33mone", &mut look);
        assert_eq!(spans(b"two", &mut look)[0].class, "c3");
        assert_eq!(shown(b"\x1b[38;5;196mx\x1b[38;2;1;2;3my\x1b[38mz"), [span("", "xyz")]);
    }

    #[test]
    fn all_else_that_a_terminal_would_do_is_dropped() {
        assert_eq!(shown(b"a\x1b[2Jb\x1b[1;1Hc\x07\x00\x08d"), [span("", "abcd")]);
        assert_eq!(shown(b"\x1b]0;title\x07x\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\"), [span("", "xlink")]);
        assert_eq!(shown(b"10%\r50%\r100%\r"), [span("", "100%")]);
        assert_eq!(shown(b"x\x1b"), [span("", "x")]);
        assert_eq!(shown(b"x\x1b[1"), [span("", "x")]);
        assert_eq!(shown("a\u{202e}b".as_bytes()), [span("", "ab")]);
        assert_eq!(shown(b"\xff<b>"), [span("", "\u{fffd}<b>")]);
        assert_eq!(shown(b"\x1b(Ba\x1b)0b\x1b#8c\x1b[>4;1md"), [span("", "abcd")], "character sets, private ones");
        assert_eq!(shown("a\u{9b}31mb\u{85}c\u{7f}".as_bytes()), [span("", "a31mbc")], "of C1");
        assert_eq!(shown(b"\x1bPq#0\x1b\\a\x1bX\x1b\\b\x1b_x\x07c"), [span("", "abc")]);
    }

    #[test]
    fn what_has_no_end_hides_nothing_that_follows() {
        assert_eq!(shown(b"\x1b]8;;error: no disk"), [span("", "8;;error: no disk")]);
        assert_eq!(shown(b"\x1b]0;a\x1b[31merror"), [span("c1", "error")]);
        assert_eq!(shown("\u{1b}[1;31éerror".as_bytes()), [span("", "éerror")]);
        assert_eq!(shown(b"\x1b[1\x1b[32mgood"), [span("c2", "good")]);
    }

    #[test]
    fn a_line_of_a_megabyte_and_one_of_many_colours_are_cut() {
        let long = shown(&vec![b'x'; 1024 * 1024]);
        assert!(long.len() == 1 && long[0].1.len() < MAX_LINE + 20 && long[0].1.ends_with("(cut)"));
        let colours = b"\x1b[31ma\x1b[32mb".repeat(1000);
        assert!(shown(&colours).len() <= MAX_SPANS);
    }

    fn class_is_of_the_style(class: &str) -> bool {
        class.split(' ').all(|one| {
            matches!(one, "" | "bold" | "dim")
                || one.strip_prefix('c').is_some_and(|n| n.parse::<u8>().is_ok_and(|n| n < 16))
        })
    }

    proptest! {
        /// Whatever a program writes.
        #[test]
        fn any_bytes_give_a_bounded_line_of_text_alone(
            pieces in prop::collection::vec(prop_oneof![
                any::<Vec<u8>>(),
                "\u{1b}[\\[\\]PX^_(#>?0-9;m]{0,9}".prop_map(String::into_bytes),
                "[\u{80}-\u{9f}\u{202a}-\u{202e}\u{2066}-\u{2069}\r\t\0-\u{1f}]{1,4}".prop_map(String::into_bytes),
                "(<script>|</pre>|&#0;|'\"|é✓){0,400}".prop_map(String::into_bytes),
            ], 0..60)
        ) {
            let line = pieces.concat();
            let mut look = Look::default();
            let spans = spans(&line, &mut look);
            prop_assert!(spans.len() <= MAX_SPANS);
            prop_assert!(spans.iter().all(|span| class_is_of_the_style(&span.class) && !span.text.is_empty()));
            let text = plain(&spans);
            prop_assert!(text.len() <= 3 * MAX_LINE + CUT.len());
            prop_assert!(!text.contains(|c: char| is_unseen(c) || matches!(c, '\r' | '\n')));
        }

        /// Text is kept, whatever colours are between its parts.
        #[test]
        fn text_is_kept_and_only_colours_go(parts in prop::collection::vec("[^\u{0}-\u{8}\u{a}-\u{1f}\u{7f}-\u{9f}\u{202a}-\u{202e}\u{2066}-\u{2069}]{0,20}", 0..50), code in 0..110_u8) {
            let coloured: String = parts.iter().map(|part| format!("\u{1b}[0;{code}m{part}")).collect();
            prop_assert_eq!(plain(&spans(coloured.as_bytes(), &mut Look::default())), parts.concat());
        }
    }
}
