//! What the author of a push gets to see: one status for the stack and one for each function.

mod known;
mod message;
mod reporter;
mod target;

use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use crate::event::{PushEvent, Scm};
use crate::id::{CommitSha, FunctionName, Owner, RepoName};

pub use known::{Known, Place};
pub use message::Message;
pub use reporter::Reporter;
pub use target::{Targets, is_link};

/// The context of the status that stands for the whole push.
pub const STACK_CONTEXT: &str = "stack-deploy";
/// More annotations than these are not passed on: GitHub takes 50 at a time.
const MAX_ANNOTATIONS: usize = 50;
/// Longer remarks are cut, in characters.
const MAX_REMARK: usize = 4_000;
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
    /// The kind of the source-code host.
    #[serde(default)]
    pub scm: Scm,
    /// The source-code host's name.
    pub host: String,
    /// The owner's login.
    pub owner: Owner,
    /// The repository's name.
    pub repo: RepoName,
    /// The repository's number at the host.
    #[serde(default)]
    pub repo_id: u64,
    /// The branch that was pushed.
    #[serde(default)]
    pub branch: String,
    /// The repository's page.
    #[serde(default)]
    pub html_url: String,
    /// The commit.
    pub sha: CommitSha,
    /// The GitHub App's installation, 0 where there is none.
    pub installation: u64,
    /// [`STACK_CONTEXT`] or a function's name.
    pub context: String,
    /// How far it got.
    pub state: State,
    /// When that was said, in microseconds since 1970; 0 if that is not known. Nobody waits until a status is out before
    /// he hands the work on, so an older one may come last: the status functions do not tell it to a host.
    #[serde(default)]
    pub at: u64,
    /// A short sentence.
    pub title: String,
    /// The end of a log, for a failure.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub log: String,
    /// Where the function can be called, or where more is to be seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Lines of the repository's files that the status is about.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub annotations: Vec<Annotation>,
    /// The stack's functions and how far each got, in the status of the stack.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub functions: Vec<FunctionState>,
}

/// A remark on a line of one of the repository's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotation {
    /// The file, from the repository's root, with slashes.
    pub path: String,
    /// The line, from 1.
    pub line: u32,
    /// What is wrong with it, in a sentence or a few lines.
    pub message: String,
}

/// How far one function of a stack got.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionState {
    /// Its name in stack.yml.
    pub name: FunctionName,
    /// How far it got.
    pub state: State,
    /// A short sentence.
    pub title: String,
    /// How long it took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub millis: Option<u64>,
    /// Where it can be called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
}

impl FunctionState {
    /// How far a function got, without a time and an address.
    pub fn new(name: &FunctionName, state: State, title: impl AsRef<str>) -> Self {
        Self { name: name.clone(), state, title: one_line(title.as_ref()), millis: None, url: None }
    }
}

impl Status {
    /// A status of the event's commit.
    pub fn new(event: &PushEvent, context: impl Into<String>, state: State, title: impl AsRef<str>) -> Self {
        Self {
            scm: event.scm,
            host: event.host.clone(),
            owner: event.owner.clone(),
            repo: event.repo.clone(),
            repo_id: event.repo_id,
            branch: event.branch.clone(),
            html_url: event.html_url.clone(),
            sha: event.sha.clone(),
            installation: event.installation,
            context: context.into(),
            state,
            at: now(),
            title: one_line(title.as_ref()),
            log: String::new(),
            url: None,
            annotations: Vec::new(),
            functions: Vec::new(),
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

    /// Adds remarks on lines, as many and as long as a host takes.
    #[must_use]
    pub fn with_annotations(mut self, annotations: impl IntoIterator<Item = Annotation>) -> Self {
        let room = MAX_ANNOTATIONS.saturating_sub(self.annotations.len());
        let bounded = |remark: Annotation| Annotation { message: bounded(&remark.message), ..remark };
        self.annotations.extend(annotations.into_iter().take(room).map(bounded));
        self
    }

    /// Adds the table of the stack's functions.
    #[must_use]
    pub fn with_functions(mut self, functions: Vec<FunctionState>) -> Self {
        self.functions = functions;
        self
    }

    /// Adds an address.
    #[must_use]
    pub fn with_url(mut self, url: impl Into<String>) -> Self {
        self.url = Some(url.into());
        self
    }
}

fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
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

/// Text of a few lines, without other control characters and not too long.
fn bounded(text: &str) -> String {
    let plain = |c: &char| *c == '\n' || !c.is_control();
    text.trim().chars().filter(plain).take(MAX_REMARK).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn status(context: &str, state: State) -> Status {
        let event = serde_json::from_value(serde_json::json!({
            "host": "h", "owner": "alice", "owner_id": 1, "repo": "r", "repo_id": 2, "private": false, "branch": "main",
            "default_branch": "main", "sha": "a".repeat(40), "html_url": "", "installation": 0, "pusher": "a",
        }));
        Status::new(&event.unwrap(), context, state, "x")
    }

    #[test]
    fn remarks_are_so_many_and_so_long_as_a_host_takes() {
        let remark =
            Annotation { path: "a".to_owned(), line: 1, message: format!("\u{1b}[1mä\n{}", "x".repeat(9_000)) };
        let status = status("greet", State::Failure).with_annotations(vec![remark.clone(); 49]);
        let status = status.with_annotations(vec![remark; 9]);
        assert_eq!(status.annotations.len(), MAX_ANNOTATIONS);
        let message = &status.annotations[0].message;
        assert!(message.starts_with("[1mä\nx") && message.chars().count() == MAX_REMARK);
    }

    #[test]
    fn titles_are_one_short_line() {
        assert_eq!(one_line("a\nb\u{1b}[31mc "), "a b [31mc");
        assert_eq!(one_line(&"ä".repeat(400)).chars().count(), MAX_TITLE + 1);
    }
}
