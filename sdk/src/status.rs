//! What the author of a push gets to see: one status for the stack and one for each function.

mod reporter;

use serde::{Deserialize, Serialize};

use crate::event::PushEvent;
use crate::id::{CommitSha, Owner, RepoName};

pub use reporter::Reporter;

/// The context of the status that stands for the whole push.
pub const STACK_CONTEXT: &str = "stack-deploy";
/// The function that passes statuses on to the source-code host.
pub const STATUS_FUNCTION: &str = "github-status";
/// Longer titles are cut, in characters.
const MAX_TITLE: usize = 300;
/// Longer logs lose their beginning, in bytes: GitHub takes 65,535 characters.
const MAX_LOG: usize = 60_000;

/// How far it got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Waits.
    Queued,
    /// Goes on.
    InProgress,
    /// Ended well.
    Success,
    /// Ended badly.
    Failure,
    /// Ended without anything to do: another branch, or superseded.
    Neutral,
}

impl State {
    /// True if nothing more will be said in this context.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Success | Self::Failure | Self::Neutral)
    }
}

/// One status of one commit. A later status of the same context replaces it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The source-code host's name.
    pub host: String,
    /// The owner's login.
    pub owner: Owner,
    /// The repository's name.
    pub repo: RepoName,
    /// The commit.
    pub sha: CommitSha,
    /// The GitHub App's installation, 0 where there is none.
    pub installation: u64,
    /// [`STACK_CONTEXT`] or a function's name.
    pub context: String,
    /// How far it got.
    pub state: State,
    /// A short sentence.
    pub title: String,
    /// The end of a log, for a failure.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub log: String,
    /// Where the function can be called, or where more is to be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl Status {
    /// A status of the event's commit.
    pub fn new(event: &PushEvent, context: impl Into<String>, state: State, title: impl AsRef<str>) -> Self {
        Self {
            host: event.host.clone(),
            owner: event.owner.clone(),
            repo: event.repo.clone(),
            sha: event.sha.clone(),
            installation: event.installation,
            context: context.into(),
            state,
            title: one_line(title.as_ref()),
            log: String::new(),
            url: None,
        }
    }

    /// Adds the end of a log.
    #[must_use]
    pub fn with_log(mut self, log: &str) -> Self {
        let start = log.len().saturating_sub(MAX_LOG);
        let start = (start..=log.len()).find(|&at| log.is_char_boundary(at)).unwrap_or(log.len());
        self.log = log[start..].to_owned();
        self
    }

    /// Adds an address.
    #[must_use]
    pub fn with_url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }
}

/// Text on one line, without control characters and not too long: parts of it may come from a stranger's file.
fn one_line(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = text.trim();
    match text.char_indices().nth(MAX_TITLE) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_one_short_line() {
        assert_eq!(one_line("a\nb\u{1b}[31mc "), "a b [31mc");
        assert_eq!(one_line(&"ä".repeat(400)).chars().count(), MAX_TITLE + 1);
    }
}
