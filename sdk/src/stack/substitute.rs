//! `${…}` in the raw text of a stack file, as faas-cli resolves it before the YAML is read, with an
//! environment that is always empty.
//!
//! With no variable ever set, each form has one value: `${V}` is empty; `${V:-d}`, `${V:=d}`, `${V=d}`,
//! `${V:?d}` and `${V:+d}` are `d`, in which `${…}` may nest; `${#V}` is `0`; changes of case, substrings,
//! replacements and trims of the empty text are empty. `$${V}` is a literal `${V}`; `$` before anything but
//! `{` stays as it is.

use super::error::Position;

/// How deep defaults may nest.
const MAX_NESTING: usize = 32;

/// A text after substitution, with the way back to the original places.
#[derive(Debug, Clone)]
pub struct Substituted<'a> {
    /// The resolved text.
    pub text: String,
    original: &'a str,
    /// (offset in `text`, offset in `original`) at each point from which both run in step.
    anchors: Vec<(usize, usize)>,
}

/// A `${…}` that is not understood.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{position}: {problem}; write '$${{' where a literal '${{' is meant")]
pub struct SubstituteError {
    /// Where the expression begins.
    pub position: Position,
    problem: &'static str,
}

impl<'a> Substituted<'a> {
    /// A text in which nothing is resolved.
    pub(super) fn unchanged(text: &'a str) -> Self {
        Self { text: text.to_owned(), original: text, anchors: vec![(0, 0)] }
    }

    /// The place in the original of a byte offset in the resolved text.
    pub fn original_position(&self, offset: usize) -> Position {
        let next = self.anchors.partition_point(|(resolved, _)| *resolved <= offset);
        let (resolved, original) = self.anchors[next.saturating_sub(1)];
        let limit = self.anchors.get(next).map_or(self.original.len(), |(_, original)| *original);
        Position::of_offset(self.original, (original + (offset - resolved)).min(limit))
    }

    /// The place in the original of a line and column (from 1) in the resolved text.
    pub fn original_of(&self, line: usize, column: usize) -> Position {
        let start: usize = self.text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        let inside: usize = self.text[start..].chars().take(column.saturating_sub(1)).map(char::len_utf8).sum();
        self.original_position(start + inside)
    }
}

/// Resolves every `${…}` of `text`.
///
/// # Errors
/// For an expression that is not closed or not of a known form.
pub fn substitute(text: &str) -> Result<Substituted<'_>, SubstituteError> {
    let mut scanner = Scanner { text, at: 0 };
    let mut resolved = String::with_capacity(text.len());
    let mut anchors = vec![(0, 0)];
    while let Some(found) = text[scanner.at..].find("${") {
        let start = scanner.at + found;
        resolved.push_str(&text[scanner.at..start]);
        if text[..start].ends_with('$') {
            // "$${": the first dollar is in `resolved` already, it escapes this one.
            resolved.push('{');
            scanner.at = start + 2;
        } else {
            scanner.at = start + 2;
            let value = scanner
                .expression(0)
                .map_err(|problem| SubstituteError { position: Position::of_offset(text, start), problem })?;
            resolved.push_str(&value);
        }
        anchors.push((resolved.len(), scanner.at));
    }
    resolved.push_str(&text[scanner.at..]);
    Ok(Substituted { text: resolved, original: text, anchors })
}

const UNCLOSED: &str = "this '${' has no closing '}'";
const UNKNOWN: &str = "this '${…}' is of no known form (known are '${NAME}' and '${NAME:-default}')";

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl Scanner<'_> {
    /// Reads from after `${` to after the matching `}` and returns the value.
    fn expression(&mut self, depth: usize) -> Result<String, &'static str> {
        if depth > MAX_NESTING {
            return Err("too many '${' inside each other");
        }
        if self.take("#") {
            self.name()?;
            return if self.take("}") { Ok("0".to_owned()) } else { Err(self.blame()) };
        }
        self.name()?;
        if self.take("}") {
            return Ok(String::new());
        }
        let defaults = [":-", ":=", ":?", ":+", "="];
        if defaults.iter().any(|operator| self.take(operator)) {
            return self.argument(depth);
        }
        let transforms = ["^^", "^", ",,", ",", ":", "//", "/", "##", "#", "%%", "%"];
        if transforms.iter().any(|operator| self.take(operator)) {
            self.argument(depth)?;
            return Ok(String::new());
        }
        Err(self.blame())
    }

    /// Reads an operator's argument up to and including its `}`.
    fn argument(&mut self, depth: usize) -> Result<String, &'static str> {
        let mut value = String::new();
        loop {
            let rest = &self.text[self.at..];
            let next = rest.find(['}', '$']).ok_or(UNCLOSED)?;
            value.push_str(&rest[..next]);
            self.at += next;
            if self.take("}") {
                return Ok(value);
            } else if self.take("$${") {
                value.push_str("${");
            } else if self.take("${") {
                value.push_str(&self.expression(depth + 1)?);
            } else if self.take("$") {
                value.push('$');
            }
        }
    }

    fn name(&mut self) -> Result<(), &'static str> {
        let rest = &self.text[self.at..];
        let length = rest.bytes().take_while(|b| b.is_ascii_alphanumeric() || *b == b'_').count();
        if length == 0 {
            return Err(self.blame());
        }
        self.at += length;
        Ok(())
    }

    fn take(&mut self, token: &str) -> bool {
        let found = self.text[self.at..].starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    /// The sentence for a text that cannot go on here.
    fn blame(&self) -> &'static str {
        let line = self.text[self.at..].lines().next().unwrap_or_default();
        if line.contains('}') { UNKNOWN } else { UNCLOSED }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(text: &str) -> String {
        substitute(text).unwrap().text
    }

    #[test]
    fn nothing_is_ever_set() {
        assert_eq!(resolve("a ${PATH} b ${HOME}${USER}c"), "a  b c");
        assert_eq!(resolve("${#PATH}"), "0");
        for empty in [
            "${V^}",
            "${V^^}",
            "${V,}",
            "${V,,}",
            "${V:1}",
            "${V:1:2}",
            "${V/a/b}",
            "${V//a/b}",
            "${V#a}",
            "${V##a}",
            "${V%a}",
            "${V%%*}",
        ] {
            assert_eq!(resolve(empty), "", "{empty}");
        }
    }

    #[test]
    fn defaults_are_taken_and_nest() {
        for text in ["${V:-d}", "${V:=d}", "${V=d}", "${V:?d}", "${V:+d}"] {
            assert_eq!(resolve(text), "d", "{text}");
        }
        assert_eq!(resolve("${A:-${B:-${C:-deep}}-x}"), "deep-x");
        assert_eq!(resolve("${A:-}"), "");
        assert_eq!(resolve("${REPO:-docker.io/me}/fn:${TAG:-1.0}"), "docker.io/me/fn:1.0");
    }

    #[test]
    fn dollars_without_braces_stay() {
        assert_eq!(resolve("$HOME $$ $1 {x} $"), "$HOME $$ $1 {x} $");
        assert_eq!(resolve("${V:-a$b}"), "a$b");
    }

    #[test]
    fn a_doubled_dollar_escapes() {
        assert_eq!(resolve("$${X}"), "${X}");
        assert_eq!(resolve("$${X:-${Y:-z}}"), "${X:-z}");
        assert_eq!(resolve("${V:-$${X}"), "${X");
    }

    #[test]
    fn malformed_expressions_say_where() {
        for (text, line, column) in [
            ("ok\n  ${V", 2, 3),
            ("${}", 1, 1),
            ("ä ${ V }", 1, 3),
            ("${V-d}", 1, 1),
            ("${V:-${}}", 1, 1),
            ("${#V", 1, 1),
            ("a\r\n${V!}", 2, 1),
        ] {
            let error = substitute(text).unwrap_err();
            assert_eq!((error.position.line, error.position.column), (line, column), "{text:?}: {error}");
        }
        let error = substitute("x: ${V").unwrap_err().to_string();
        assert_eq!(error, "line 1, column 4: this '${' has no closing '}'; write '$${' where a literal '${' is meant");
    }

    #[test]
    fn nesting_is_bounded() {
        let deep = "${A:-".repeat(100_000);
        assert!(substitute(&deep).unwrap_err().to_string().contains("inside each other"));
    }

    #[test]
    fn places_lead_back_to_the_original() {
        let resolved = substitute("a: ${LONG_NAME:-x}\nb: ${V} !").unwrap();
        assert_eq!(resolved.text, "a: x\nb:  !");
        let bang = resolved.text.find('!').unwrap();
        assert_eq!(resolved.original_position(bang), Position { line: 2, column: 9 });
        assert_eq!(resolved.original_of(2, 5), Position { line: 2, column: 9 });
        assert_eq!(resolved.original_of(2, 1), Position { line: 2, column: 1 });
        assert_eq!(resolved.original_of(9, 9), Position { line: 2, column: 10 });
    }

    proptest::proptest! {
        #[test]
        fn never_panics(text in "[${}:a\\-\n#/ä]{0,40}") {
            if let Ok(resolved) = substitute(&text) {
                resolved.original_position(resolved.text.len());
            }
        }
    }
}
