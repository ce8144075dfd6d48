//! Text of strangers in Markdown that shows it as it is.

use std::fmt::Write;

use sdk::status::{FunctionState, State, is_link};

const CUT: &str = "(the beginning of the log is left out)\n";
/// Backticks of one fence at most: a line of more is broken instead.
const MAX_FENCE: usize = 64;
/// The longest cell of a table, in characters.
const MAX_CELL: usize = 300;

/// Text that Markdown shows as it is, on one line: parts of it come from a stranger's files.
pub(crate) fn plain(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (at, c) in text.chars().enumerate() {
        // At a line's beginning these make a list, a heading or a rule.
        if "\\`*_[]<>#|~!&".contains(c) || (at == 0 && "-+=".contains(c)) {
            escaped.push('\\');
        }
        escaped.push(if c.is_control() { ' ' } else { c });
        if c == '@' {
            // Or whoever has that name is told about it. A word joiner is not seen.
            escaped.push('\u{2060}');
        }
    }
    escaped
}

/// A link, or its text where the address is none.
pub(crate) fn link(text: &str, url: Option<&str>) -> String {
    match url.filter(|url| is_link(url)) {
        Some(url) => format!("[{}](<{}>)", plain(text), url.replace('\\', "%5C").replace('|', "%7C")),
        None => plain(text),
    }
}

/// The log's end in a fence that nothing in the log closes, together at most `limit` characters.
pub(crate) fn fenced(log: &str, limit: usize) -> String {
    let log = log.trim_end();
    if log.is_empty() {
        return String::new();
    }
    let fence = "`".repeat((longest_run_of_backticks(log) + 1).clamp(3, MAX_FENCE + 1));
    let log = if fence.len() > MAX_FENCE { log.replace("```", "'''") } else { log.to_owned() };
    let frame = 2 * fence.len() + 2;
    let length = log.chars().count();
    if length + frame <= limit {
        return format!("{fence}\n{log}\n{fence}");
    }
    let room = limit.saturating_sub(frame + CUT.len());
    let tail: String = log.chars().skip(length.saturating_sub(room)).collect();
    format!("{fence}\n{CUT}{tail}\n{fence}")
}

fn longest_run_of_backticks(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or_default()
}

/// The functions of a stack, one on each line, together at most `limit` characters.
pub(crate) fn table(functions: &[FunctionState], limit: usize) -> String {
    const HEAD: &str = "| Function | | | Time | Address |\n|---|---|---|--:|---|\n";
    if functions.is_empty() {
        return String::new();
    }
    let mut table = HEAD.to_owned();
    let mut length = HEAD.len();
    for (at, function) in functions.iter().enumerate() {
        let row = row(function);
        let rest = format!("\n{} more are not shown.\n", functions.len() - at);
        length += row.chars().count();
        if length + rest.len() > limit {
            return table + &rest;
        }
        table.push_str(&row);
    }
    table
}

fn row(function: &FunctionState) -> String {
    // "live at <address>" is said by two other cells.
    let said = function.url.as_deref().is_some_and(|url| function.title.contains(url));
    let title: String = function.title.chars().take(if said { 0 } else { MAX_CELL }).collect();
    let url = function.url.as_deref().map(|url| link(url, Some(url))).unwrap_or_default();
    let mut row = String::new();
    // Writing into a string does not fail.
    let _ = writeln!(
        row,
        "| {} | {} | {} | {} | {url} |",
        plain(function.name.as_str()),
        word(function.state),
        plain(&title),
        function.millis.map(time).unwrap_or_default(),
    );
    row
}

fn word(state: State) -> &'static str {
    match state {
        State::Queued => "waits",
        State::InProgress => "in progress",
        State::Success => "✅ live",
        State::Failure => "❌ failed",
        State::Neutral => "not deployed",
    }
}

/// As people say it: `420 ms`, `12.3 s`, `3 min 5 s`.
fn time(millis: u64) -> String {
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        _ => format!("{} min {} s", millis / 60_000, millis % 60_000 / 1_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = 65_535;

    #[test]
    fn a_log_is_fenced_and_its_end_is_kept() {
        assert_eq!(fenced("", 100), "");
        assert_eq!(fenced("a\nb\n", 100), "```\na\nb\n```");
        let log: String = (0..20_000).map(|n| format!("line {n} ä\n")).collect();
        let text = fenced(&log, LIMIT);
        assert_eq!(text.chars().count(), LIMIT);
        assert!(text.starts_with("```\n(the beginning") && text.ends_with("line 19999 ä\n```"));
    }

    #[test]
    fn a_log_cannot_leave_its_fence() {
        assert_eq!(fenced("````\n# Big", 100), "`````\n````\n# Big\n`````");
        let text = fenced(&"`".repeat(60_000), LIMIT);
        assert!(text.chars().count() <= LIMIT);
        assert!(longest_run_of_backticks(&text[MAX_FENCE + 1..text.len() - MAX_FENCE - 1]) < MAX_FENCE);
    }

    #[test]
    fn markdown_in_a_title_means_nothing() {
        assert_eq!(plain("live at http://a/b_c"), "live at http://a/b\\_c");
        assert_eq!(plain("[x](http://evil) <img>"), "\\[x\\](http://evil) \\<img\\>");
        assert_eq!(plain("- @everybody &lt;b\n# c"), "\\- @\u{2060}everybody \\&lt;b \\# c");
        assert_eq!(link("a](b", Some("https://x/y")), "[a\\](b](<https://x/y>)");
        assert_eq!(link("a", Some("javascript:alert(1)")), "a");
    }

    fn function(name: &str, state: State, title: &str) -> FunctionState {
        FunctionState { name: name.parse().unwrap(), state, title: title.to_owned(), millis: None, url: None }
    }

    #[test]
    fn a_stack_is_a_table() {
        let functions = [
            FunctionState {
                millis: Some(12_345),
                url: Some("https://alice.example.com/greet".to_owned()),
                ..function("greet", State::Success, "live at https://alice.example.com/greet")
            },
            FunctionState { millis: Some(999), ..function("count", State::Failure, "a | b\nRUN <x>") },
            FunctionState { millis: Some(185_000), ..function("slow", State::InProgress, "") },
            function("last", State::Queued, ""),
            function("old", State::Neutral, "superseded"),
        ];
        insta::assert_snapshot!(table(&functions, LIMIT), @r"
        | Function | | | Time | Address |
        |---|---|---|--:|---|
        | greet | ✅ live |  | 12.3 s | [https://alice.example.com/greet](<https://alice.example.com/greet>) |
        | count | ❌ failed | a \| b RUN \<x\> | 999 ms |  |
        | slow | in progress |  | 3 min 5 s |  |
        | last | waits |  |  |  |
        | old | not deployed | superseded |  |  |
        ");
        assert_eq!(table(&[], LIMIT), "");
    }

    #[test]
    fn a_table_ends_before_the_limit() {
        let title = "@".repeat(5_000);
        let functions: Vec<_> = (0..1_000).map(|n| function(&format!("f-{n}"), State::Failure, &title)).collect();
        let text = table(&functions, LIMIT);
        assert!(text.chars().count() <= LIMIT && text.ends_with(" more are not shown.\n"), "{}", text.len());
        assert!(text.chars().count() > LIMIT - 1_000);
    }
}
