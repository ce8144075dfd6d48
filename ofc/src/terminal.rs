//! Words to the person at the terminal: styles, tables, and signs of life during long work.
//!
//! `anstream` drops colours where the output is no terminal or `NO_COLOR` is set.

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressStyle};

/// Something went wrong.
pub const ERROR: Style = AnsiColor::Red.on_default().bold();
/// Something may go wrong.
pub const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// Something is as it should be.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// What a reader looks for first.
pub const STRONG: Style = Style::new().bold();
/// What a reader may pass over.
pub const FAINT: Style = Style::new().dimmed();

/// How often a spinner turns.
const TICK: Duration = Duration::from_millis(100);

/// Prints text to standard output. A reader that went away (`ofc ls | head`) is no error.
///
/// # Errors
/// When it cannot be written for another reason.
pub fn print(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Rows in columns as wide as their widest cell, two spaces apart; the first row is the heading.
pub fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let mut widths = vec![0; columns];
    for (column, cell) in rows.iter().flat_map(|row| row.iter().enumerate()) {
        widths[column] = widths[column].max(cell.chars().count());
    }
    let mut text = String::new();
    for row in rows {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// A duration as people say it: `340 ms`, `2.4 s`, `1 min 5 s`.
pub fn duration(time: Duration) -> String {
    match time.as_millis() {
        millis @ 0..1000 => format!("{millis} ms"),
        1000..60_000 => format!("{:.1} s", time.as_secs_f64()),
        _ => format!("{} min {} s", time.as_secs() / 60, time.as_secs() % 60),
    }
}

/// A size as people say it.
pub fn size(bytes: u64) -> String {
    indicatif::DecimalBytes(bytes).to_string()
}

/// A piece of work that takes a while: a spinner on a terminal, a plain line elsewhere.
#[derive(Debug)]
pub struct Step {
    what: String,
    started: Instant,
    bar: Option<ProgressBar>,
}

impl Step {
    /// Says that the work begins.
    pub fn begin(what: impl Into<String>) -> Self {
        let what = what.into();
        let bar = io::stderr().is_terminal().then(|| spinner(&what));
        if bar.is_none() {
            anstream::eprintln!("... {what}");
        }
        Self { what, started: Instant::now(), bar }
    }

    /// Says how far it is.
    pub fn note(&self, note: &str) {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{} {FAINT}{note}{FAINT:#}", self.what));
        }
    }

    /// Says that it is done, and how long it took.
    pub fn done(mut self) -> Duration {
        let took = self.started.elapsed();
        self.clear();
        anstream::eprintln!("{GOOD}ok{GOOD:#}  {} {FAINT}({}){FAINT:#}", self.what, duration(took));
        took
    }

    fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        self.clear();
    }
}

fn spinner(what: &str) -> ProgressBar {
    let bar = ProgressBar::new_spinner().with_message(what.to_owned());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(TICK);
    bar
}

/// Asks a question that is answered by yes or no; no is the default, and the answer where nobody can be asked.
///
/// # Errors
/// When the terminal cannot be read.
pub fn confirm(question: &str) -> io::Result<bool> {
    if !io::stdin().is_terminal() {
        return Ok(false);
    }
    anstream::eprint!("{question} [y/N] ");
    io::stderr().flush()?;
    let mut answer = String::new();
    io::stdin().read_line(&mut answer)?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_have_no_tail() {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let text =
            table(&[row(["NAME", "STATE", "URL"]), row(["hello-rust", "live", ""]), row(["wörld", "stopped", "u"])]);
        insta::assert_snapshot!(text, @r"
        NAME        STATE    URL
        hello-rust  live
        wörld       stopped  u
        ");
    }

    #[test]
    fn durations_read_well() {
        let shown = [5, 999, 1000, 59_999, 65_000].map(|millis| duration(Duration::from_millis(millis)));
        assert_eq!(shown, ["5 ms", "999 ms", "1.0 s", "60.0 s", "1 min 5 s"]);
    }
}
