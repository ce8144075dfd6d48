//! Text from builds and repositories, made safe for somebody's terminal.

/// The widest line that is shown, in characters.
pub const WIDTH: usize = 120;

/// One line without escape sequences, control characters and direction marks, at most `width` characters wide.
pub fn line(text: &str, width: usize) -> String {
    let mut out = String::with_capacity(text.len().min(width.saturating_mul(4)));
    let mut count = 0;
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.next() {
        let shown = match next {
            '\u{1b}' => {
                skip_escape(&mut rest);
                continue;
            }
            '\t' | '\n' | '\r' => ' ',
            hidden if is_hidden(hidden) => continue,
            visible => visible,
        };
        if count + 1 == width && rest.peek().is_some() {
            out.push('…');
            break;
        }
        out.push(shown);
        count += 1;
    }
    out.truncate(out.trim_end().len());
    out
}

/// The last `count` lines of a log, each made plain. The fence that check runs put around a log is left out.
pub fn tail(log: &str, count: usize, width: usize) -> Vec<String> {
    let lines = log.lines().filter(|l| !l.trim_start().starts_with("```"));
    let mut shown: Vec<String> = lines.map(|l| line(l, width)).collect();
    let end = shown.iter().rposition(|l| !l.is_empty()).map_or(0, |last| last + 1);
    shown.truncate(end);
    let start = shown.iter().position(|l| !l.is_empty()).unwrap_or(0).max(end.saturating_sub(count));
    shown.split_off(start)
}

/// Skips what follows an escape character: colours and cursor moves, or a title with its end.
fn skip_escape(rest: &mut std::iter::Peekable<std::str::Chars<'_>>) {
    match rest.next() {
        Some('[') => {
            while rest.next_if(|c| !('\u{40}'..='\u{7e}').contains(c)).is_some() {}
            rest.next();
        }
        Some(']') => {
            for c in rest.by_ref() {
                if matches!(c, '\u{7}' | '\u{1b}' | '\u{9c}') {
                    break;
                }
            }
            rest.next_if_eq(&'\\');
        }
        _ => {}
    }
}

/// Characters that change what a terminal does or shows without being seen.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
        || matches!(c, '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_but_text() {
        let cases = [
            ("\u{1b}[31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;owned\u{7}title", "title"),
            ("\u{1b}]8;;http://x\u{1b}\\link", "link"),
            ("a\u{9b}31mb", "a31mb"),
            ("one\ttwo\r", "one two"),
            ("abc\u{202e}fed", "abcfed"),
            ("bell\u{7}\u{8}\u{0}", "bell"),
            ("\u{1b}", ""),
            ("\u{1b}[", ""),
            ("grüße ✓", "grüße ✓"),
        ];
        for (given, expected) in cases {
            assert_eq!(line(given, WIDTH), expected, "{given:?}");
        }
    }

    #[test]
    fn long_lines_are_cut() {
        assert_eq!(line("abcdef", 4), "abc…");
        assert_eq!(line("abcd", 4), "abcd");
    }

    #[test]
    fn a_tail_has_the_last_lines_without_the_fence() {
        let log = "\n```shell\none\n\ntwo\nthree\n```\n\n";
        assert_eq!(tail(log, 2, WIDTH), ["two", "three"]);
        assert_eq!(tail(log, 30, WIDTH), ["one", "", "two", "three"]);
        assert!(tail("\n\n", 30, WIDTH).is_empty());
    }
}
