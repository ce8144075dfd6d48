//! A status in the form of GitHub's check runs.

use sdk::status::{State, Status};
use serde::Serialize;

/// GitHub takes no longer text, in characters.
const MAX_TEXT: usize = 65_535;
const CUT: &str = "(the beginning of the log is left out)\n";
/// Backticks of one fence at most: a line of more is broken instead.
const MAX_FENCE: usize = 64;

/// Body of `POST` and `PATCH …/check-runs`.
#[derive(Debug, Serialize)]
pub(crate) struct CheckRun<'a> {
    pub(crate) name: &'a str,
    /// Only when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) head_sha: Option<&'a str>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    conclusion: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    details_url: Option<&'a str>,
    output: Output<'a>,
}

#[derive(Debug, Serialize)]
struct Output<'a> {
    title: &'a str,
    summary: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    text: String,
}

impl<'a> CheckRun<'a> {
    pub(crate) fn of(status: &'a Status) -> Self {
        let (state, conclusion) = match status.state {
            State::Queued => ("queued", None),
            State::InProgress => ("in_progress", None),
            State::Success => ("completed", Some("success")),
            State::Failure => ("completed", Some("failure")),
            State::Neutral => ("completed", Some("neutral")),
        };
        let url = status.url.as_deref().filter(|url| is_link(url));
        let title = plain(&status.title);
        let summary = url.map_or_else(|| title.clone(), |url| format!("[{title}](<{url}>)"));
        Self {
            name: &status.context,
            head_sha: None,
            status: state,
            conclusion,
            details_url: url,
            output: Output { title: &status.title, summary, text: fenced(&status.log, MAX_TEXT) },
        }
    }

    /// As it is sent when the run is made.
    pub(crate) fn new_at(self, sha: &'a str) -> Self {
        Self { head_sha: Some(sha), ..self }
    }
}

fn is_link(url: &str) -> bool {
    let scheme = url.starts_with("http://") || url.starts_with("https://");
    scheme && !url.contains(|c: char| c.is_whitespace() || c.is_control() || c == '<' || c == '>')
}

/// Text that Markdown shows as it is: parts of it come from a stranger's files.
fn plain(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if "\\`*_[]<>#|~!".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// The log's end in a fence that nothing in the log closes, together at most `limit` characters.
fn fenced(log: &str, limit: usize) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_fenced_and_its_end_is_kept() {
        assert_eq!(fenced("", 100), "");
        assert_eq!(fenced("a\nb\n", 100), "```\na\nb\n```");
        let log: String = (0..20_000).map(|n| format!("line {n} ä\n")).collect();
        let text = fenced(&log, MAX_TEXT);
        assert_eq!(text.chars().count(), MAX_TEXT);
        assert!(text.starts_with("```\n(the beginning") && text.ends_with("line 19999 ä\n```"));
    }

    #[test]
    fn a_log_cannot_leave_its_fence() {
        assert_eq!(fenced("````\n# Big", 100), "`````\n````\n# Big\n`````");
        let text = fenced(&"`".repeat(60_000), MAX_TEXT);
        assert!(text.chars().count() <= MAX_TEXT);
        assert!(longest_run_of_backticks(&text[MAX_FENCE + 1..text.len() - MAX_FENCE - 1]) < MAX_FENCE);
    }

    #[test]
    fn markdown_in_a_title_means_nothing() {
        assert_eq!(plain("live at http://a/b_c"), "live at http://a/b\\_c");
        assert_eq!(plain("[x](http://evil) <img>"), "\\[x\\](http://evil) \\<img\\>");
    }
}
