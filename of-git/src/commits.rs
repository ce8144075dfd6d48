//! Commits by any of their names, and what is in them.

use std::path::Path;

use chrono::{DateTime, Utc};
use sdk::id::CommitSha;

use crate::cut::cut;
use crate::git::{Git, GitError};

/// The longest name of a branch, a tag or a commit, in bytes.
const MAX_NAME: usize = 255;
/// A shorter beginning of a commit's id is no name for it.
const SHORTEST: usize = 7;
/// A longer message is cut, in bytes.
const MAX_MESSAGE: usize = 64 * 1024;
/// Each field ends with a NUL, which no commit can contain.
const FORMAT: &str = "--format=%H%x00%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B%x00";
/// Text fields of a commit, in the order in which [`FORMAT`] asks for them.
const FIELDS: usize = 10;

/// Who did something to a commit, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signature {
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) date: DateTime<Utc>,
}

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) sha: CommitSha,
    pub(crate) tree: String,
    pub(crate) parents: Vec<String>,
    pub(crate) author: Signature,
    pub(crate) committer: Signature,
    pub(crate) message: String,
}

/// The commit that a name stands for: of a branch, of a tag, or a commit's id or its beginning, in this order as at
/// GitHub. `None` if there is none.
pub(crate) async fn resolve(git: &Git, repository: &Path, name: &str) -> Result<Option<CommitSha>, GitError> {
    if !is_name(name) {
        return Ok(None);
    }
    let is_id = name.len() >= SHORTEST && name.bytes().all(|b| b.is_ascii_hexdigit());
    let full = format!("refs/{}", name.strip_prefix("refs/").unwrap_or(name));
    let mut questions = format!("refs/heads/{name}^{{commit}}\nrefs/tags/{name}^{{commit}}\n{full}^{{commit}}\n");
    if is_id {
        questions.push_str(&format!("{name}^{{commit}}\n"));
    }
    let format = "--batch-check=%(objectname) %(objecttype)";
    let answer = git.ask_with(repository, &["cat-file", format], questions.as_bytes()).await?;
    let answer = String::from_utf8_lossy(&answer);
    Ok(answer.lines().find_map(|line| line.strip_suffix(" commit")?.parse().ok()))
}

/// A name that git takes for one, and for nothing else.
fn is_name(name: &str) -> bool {
    let forbidden = |c: char| c.is_control() || c.is_whitespace() || "~^:?*[\\".contains(c);
    let shape = !name.starts_with(['-', '/']) && !name.contains("..") && !name.contains("@{");
    !name.is_empty() && name.len() <= MAX_NAME && shape && !name.contains(forbidden)
}

/// The branch that a commit belongs to: of those that it is the head of, or else of those that have it, the default
/// one rather than another. `None` if no branch has it any more.
pub(crate) async fn branch_of(
    git: &Git,
    repository: &Path,
    sha: &CommitSha,
    default: &str,
) -> Result<Option<String>, GitError> {
    let contains = format!("--contains={sha}");
    let arguments = ["for-each-ref", contains.as_str(), "--format=%(objectname) %(refname)", "refs/heads"];
    let text = git.ask(repository, &arguments).await?;
    let text = String::from_utf8_lossy(&text);
    let branches = text.lines().filter_map(|line| {
        let (id, reference) = line.split_once(' ')?;
        let branch = reference.strip_prefix("refs/heads/")?;
        Some(((id != sha.as_str(), branch != default), branch))
    });
    Ok(branches.min_by_key(|(rank, _)| *rank).map(|(_, branch)| branch.to_owned()))
}

/// Reads a commit. `None` if it is not there.
pub(crate) async fn read(git: &Git, repository: &Path, sha: &CommitSha) -> Result<Option<Commit>, GitError> {
    let arguments = ["log", "-1", "--no-walk=unsorted", FORMAT, sha.as_str(), "--"];
    match git.ask(repository, &arguments).await {
        Ok(answer) => Ok(parse(&String::from_utf8_lossy(&answer))),
        Err(GitError::Failed { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn parse(answer: &str) -> Option<Commit> {
    let fields: Vec<&str> = answer.split('\0').collect();
    let [sha, tree, parents, author, author_email, author_date, committer, email, date, message] =
        *fields.first_chunk::<FIELDS>()?;
    let signature = |name: &str, email: &str, date: &str| Signature {
        name: name.to_owned(),
        email: email.to_owned(),
        date: DateTime::parse_from_rfc3339(date).map(|date| date.to_utc()).unwrap_or_default(),
    };
    Some(Commit {
        sha: sha.parse().ok()?,
        tree: tree.to_owned(),
        parents: parents.split_whitespace().map(str::to_owned).collect(),
        author: signature(author, author_email, author_date),
        committer: signature(committer, email, date),
        message: cut(message.trim_end_matches('\n').to_owned(), MAX_MESSAGE),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_reach_git() {
        for name in ["main", "feature/x", "v1.0", "0123456", "heads/main", "grüße"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "-x", "a b", "a\nb", "main^", "main~1", "main:file", "a..b", "@{u}", "/x", &"a".repeat(300)] {
            assert!(!is_name(name), "{name}");
        }
    }

    #[test]
    fn a_commit_is_read_field_by_field() {
        let (sha, date) = ("a".repeat(40), "2026-01-01T01:00:00+01:00");
        let text = format!("{sha}\0tree\0p1 p2\0Ann\0ann@x\0{date}\0Bob\0bob@x\0{date}\0Change\n\nWhy\n\0\n");
        let commit = parse(&text).unwrap();
        assert_eq!((commit.parents.len(), commit.message.as_str()), (2, "Change\n\nWhy"));
        assert_eq!(commit.author.date.to_rfc3339(), "2026-01-01T00:00:00+00:00");
        assert_eq!(parse("x\0y"), None);
    }
}
