//! Terminal text as spans with classes. Colours and weights are kept; whatever else a terminal would do is dropped, and so are
//! control characters. What comes out is plain text, which pages escape.

/// Longer lines are cut, in bytes.
const MAX_LINE: usize = 8 * 1024;
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
        } else if (c == '\t' || !c.is_control())
            && !is_turning(c)
            && let Some(last) = spans.last_mut()
        {
            last.text.push(c);
        }
    }
    if is_cut && let Some(last) = spans.last_mut() {
        last.text.push_str(" … (cut)");
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
fn escape(rest: &mut std::str::Chars<'_>) -> Option<String> {
    match rest.next()? {
        '[' => {
            let mut parameters = String::new();
            for c in rest.by_ref() {
                match c {
                    'm' => return Some(parameters),
                    '@'..='~' => return None,
                    _ if parameters.len() < 64 => parameters.push(c),
                    _ => {}
                }
            }
            None
        }
        // A title or a link, up to a bell or the next escape's backslash.
        ']' | 'P' | '^' | '_' => {
            let mut before = ' ';
            for c in rest.by_ref() {
                if c == '\u{7}' || (before == '\u{1b}' && c == '\\') {
                    break;
                }
                before = c;
            }
            None
        }
        _ => None,
    }
}

/// Characters that turn the direction of what follows them, so that text looks like another.
fn is_turning(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A line's plain text.
pub(crate) fn plain(spans: &[Span]) -> String {
    spans.iter().map(|span| span.text.as_str()).collect()
}

#[cfg(test)]
mod tests {
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
    }

    #[test]
    fn a_line_of_a_megabyte_and_one_of_many_colours_are_cut() {
        let long = shown(&vec![b'x'; 1024 * 1024]);
        assert!(long.len() == 1 && long[0].1.len() < MAX_LINE + 20 && long[0].1.ends_with("(cut)"));
        let colours = b"\x1b[31ma\x1b[32mb".repeat(1000);
        assert!(shown(&colours).len() <= MAX_SPANS);
    }
}
