//! Log lines for a terminal. What is logged may come from a function or a caller, so it can neither pass for a line of
//! the gateway's own nor tell the terminal what to do.

use std::fmt::{self, Debug, Write};

use tracing::field::Field;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::{self, Writer};

/// A value of several lines goes on further right.
const NEXT_LINE: &str = "\n    ";

/// The fields as tracing usually writes them, but for control characters.
pub(super) fn fields() -> impl for<'writer> FormatFields<'writer> + Send + Sync + 'static {
    format::debug_fn(field).delimited(" ")
}

fn field(writer: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> fmt::Result {
    let mut harmless = Harmless(writer);
    match field.name() {
        "message" => write!(harmless, "{value:?}"),
        name => write!(harmless, "{name}={value:?}"),
    }
}

struct Harmless<'a, W>(&'a mut W);

impl<W: Write> Write for Harmless<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for piece in text.split_inclusive(char::is_control) {
            let plain = piece.trim_end_matches(char::is_control);
            self.0.write_str(plain)?;
            match piece[plain.len()..].chars().next() {
                Some('\n') => self.0.write_str(NEXT_LINE)?,
                Some(control) => write!(self.0, "{}", control.escape_default())?,
                None => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stays_within_its_line_and_gives_no_orders() {
        let mut line = String::new();
        let forged = "the end of its log:\n2026-01-02T03:04:05Z  INFO all is well\r\u{1b}[2J\u{9b}31mgrün";
        write!(Harmless(&mut line), "{forged}").unwrap();
        assert_eq!(line, "the end of its log:\n    2026-01-02T03:04:05Z  INFO all is well\\r\\u{1b}[2J\\u{9b}31mgrün");
    }
}
