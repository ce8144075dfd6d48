//! What became of pushes: records that git-tar leaves with `pipeline-log`, and the questions about them.
//!
//! Both are sent by [`Functions::invoke`](crate::call::Functions::invoke), to [`RECORD_FUNCTION`] and [`HISTORY_FUNCTION`], and
//! each is signed for just that name.

use serde::{Deserialize, Serialize};

use crate::id::{CommitSha, FunctionName, Owner, OwnerId, RepoName};
use crate::status::{State, is_link};

/// Where git-tar sends a [`PushRecord`].
pub const RECORD_FUNCTION: &str = "pipeline-log/record";
/// Where a [`HistoryRequest`] is answered.
pub const HISTORY_FUNCTION: &str = "pipeline-log/history";
/// The longest commit message that is kept, in bytes; it is cut at the end of a character.
pub const MAX_MESSAGE_BYTES: usize = 4096;
/// An answer has at most so many records.
pub const MAX_RECORDS: usize = 100;
/// More functions are not recorded; a stack has fewer.
const MAX_FUNCTIONS: usize = 1000;
/// The longest name of a branch or person that is kept, in bytes.
const MAX_NAME_BYTES: usize = 255;
/// The longest address.
const MAX_URL_BYTES: usize = 2048;
/// The longest sentence about the whole push.
const MAX_DESCRIPTION_BYTES: usize = 1000;
/// The longest about one function.
const MAX_FUNCTION_BYTES: usize = 300;

/// One push to a branch that is deployed, as far as it has come. Sent again whenever something about it changes; the
/// same push at the same commit replaces its record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushRecord {
    /// Whose repository it is.
    pub owner_id: OwnerId,
    /// The owner's login at that time.
    pub owner: Owner,
    /// The repository.
    pub repo: RepoName,
    /// The repository's number at its host.
    pub repo_id: u64,
    /// The commit.
    pub sha: CommitSha,
    /// The call by which it was pushed. A push that is tried again has the same, and goes on in the same record.
    #[serde(default)]
    pub call: String,
    /// The branch.
    pub branch: String,
    /// Where the repository can be looked at; empty where that is not known.
    #[serde(default)]
    pub html_url: String,
    /// Whether the repository is private.
    #[serde(default)]
    pub private: bool,
    /// The commit's message, at most [`MAX_MESSAGE_BYTES`]. Anything may be in it.
    #[serde(default)]
    pub message: String,
    /// The commit's author, by name.
    #[serde(default)]
    pub author: String,
    /// Who pushed, by login.
    #[serde(default)]
    pub pusher: String,
    /// When work on it began, in milliseconds since 1970.
    pub began: u64,
    /// When it ended, in milliseconds since 1970; absent while it is under way.
    #[serde(default)]
    pub ended: Option<u64>,
    /// How it stands as a whole.
    pub state: State,
    /// That in a sentence.
    #[serde(default)]
    pub description: String,
    /// Its functions, in the order of the stack file.
    #[serde(default)]
    pub functions: Vec<FunctionRecord>,
    /// Functions that were removed, since the stack file does not have them any more.
    #[serde(default)]
    pub removed: Vec<FunctionName>,
}

/// What became of one function of a push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FunctionRecord {
    /// Its name in the stack file, without the owner's.
    pub name: FunctionName,
    /// How it stands.
    pub state: State,
    /// That in a sentence.
    #[serde(default)]
    pub description: String,
    /// Whether it was as it had been before, so that nothing was built.
    #[serde(default)]
    pub unchanged: bool,
    /// When it was sent to be built, in milliseconds since 1970.
    #[serde(default)]
    pub began: Option<u64>,
    /// When it was live or had failed, in milliseconds since 1970.
    #[serde(default)]
    pub ended: Option<u64>,
}

impl PushRecord {
    /// The same, with nothing in it longer than a record may have it, and an address only where it is one.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        cut(&mut self.message, MAX_MESSAGE_BYTES);
        cut(&mut self.description, MAX_DESCRIPTION_BYTES);
        for name in [&mut self.branch, &mut self.author, &mut self.pusher, &mut self.call] {
            cut(name, MAX_NAME_BYTES);
        }
        if self.html_url.len() > MAX_URL_BYTES || !is_link(&self.html_url) {
            self.html_url.clear();
        }
        self.functions.truncate(MAX_FUNCTIONS);
        self.functions.iter_mut().for_each(|function| cut(&mut function.description, MAX_FUNCTION_BYTES));
        self.removed.truncate(MAX_FUNCTIONS);
        self
    }
}

fn cut(text: &mut String, max: usize) {
    text.truncate(text.floor_char_boundary(max));
}

/// Asks for an owner's pushes, the newest first. The answer is a JSON array of [`PushRecord`]. The owner's number decides, also
/// after a change of the login: records of the same login under another number are somebody else's, and not in it.
///
/// An answer has fewer records than were asked for where there are no more, or where they would be many megabytes; the
/// next page is what began before the last of them, and an empty page is the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryRequest {
    /// Whose.
    pub owner_id: OwnerId,
    /// The owner's login.
    pub owner: Owner,
    /// Only this repository's.
    #[serde(default)]
    pub repo: Option<RepoName>,
    /// Only this commit's.
    #[serde(default)]
    pub sha: Option<CommitSha>,
    /// Only those that began before, in milliseconds since 1970: the next page.
    #[serde(default)]
    pub before: Option<u64>,
    /// At most so many, and never more than [`MAX_RECORDS`].
    #[serde(default)]
    pub limit: Option<usize>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> PushRecord {
        serde_json::from_value(serde_json::json!({
            "owner_id": {"host": "github.com", "id": 7}, "owner": "alice", "repo": "shop", "repo_id": 11,
            "sha": "a".repeat(40), "branch": "main", "began": 1, "state": "in_progress",
        }))
        .unwrap()
    }

    #[test]
    fn what_is_too_long_is_cut_at_a_characters_end() {
        let function = FunctionRecord {
            name: "cart".parse().unwrap(),
            state: State::Failure,
            description: "é".repeat(1000),
            unchanged: false,
            began: None,
            ended: None,
        };
        let long = PushRecord {
            message: "✓".repeat(5000),
            author: "é".repeat(5000),
            branch: "b".repeat(5000),
            functions: vec![function; 2000],
            ..record()
        };
        let bounded = long.bounded();
        assert_eq!((bounded.message.len(), bounded.author.len(), bounded.branch.len()), (4095, 254, 255));
        assert_eq!((bounded.functions.len(), bounded.functions[0].description.len()), (1000, 300));
        assert_eq!(record().bounded(), record());
    }

    #[test]
    fn only_an_address_is_kept_as_one() {
        for (url, kept) in [
            ("https://github.com/alice/shop", "https://github.com/alice/shop"),
            ("javascript:alert(1)", ""),
            ("/etc/passwd", ""),
        ] {
            assert_eq!(PushRecord { html_url: url.to_owned(), ..record() }.bounded().html_url, kept);
        }
        let long = format!("https://x/{}", "a".repeat(3000));
        assert_eq!(PushRecord { html_url: long, ..record() }.bounded().html_url, "");
    }
}
