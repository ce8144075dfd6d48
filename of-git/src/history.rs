//! The commits that a push brought, read from the real repository.

use std::path::Path;

use sdk::id::CommitSha;

use crate::git::{Git, GitError};
use crate::refs::{Refs, Update};

/// The most commits that a webhook lists; GitHub's limit of old.
const MAX_COMMITS: &str = "--max-count=20";
/// The most files that one commit lists.
const MAX_FILES: usize = 300;
/// A longer message is cut, in bytes: the webhook's receiver takes 25 MB.
const MAX_MESSAGE: usize = 64 * 1024;
/// Files with longer paths are left out, in bytes.
const MAX_PATH: usize = 255;
/// Text fields of a commit, in the order in which [`FORMAT`] asks for them.
const FIELDS: usize = 8;
/// Each field ends with a NUL, which no commit can contain.
const FORMAT: &str = "--format=%H%x00%T%x00%cI%x00%an%x00%ae%x00%cn%x00%ce%x00%B%x00";

/// A person in a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) email: String,
}

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) id: String,
    pub(crate) tree_id: String,
    pub(crate) timestamp: String,
    pub(crate) author: Person,
    pub(crate) committer: Person,
    pub(crate) message: String,
    pub(crate) added: Vec<String>,
    pub(crate) removed: Vec<String>,
    pub(crate) modified: Vec<String>,
}

/// What a webhook says about one update's commits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct History {
    /// The new commits, oldest first.
    pub(crate) commits: Vec<Commit>,
    /// The commit that the reference names now.
    pub(crate) head: Option<Commit>,
    /// True if the old head is no ancestor of the new one.
    pub(crate) forced: bool,
    /// The branch that a new branch was started from, where it names the same commit.
    pub(crate) base_ref: Option<String>,
}

/// Reads what an update brought. `before` are the references as they were.
pub(crate) async fn read(git: &Git, repository: &Path, update: &Update, before: &Refs) -> Result<History, GitError> {
    let Some(after) = &update.after else { return Ok(History::default()) };
    let head = format!("{after}^{{commit}}");
    let mut heads = log(git, repository, &["--no-walk=unsorted"], &head).await.unwrap_or_default();
    let Some(head) = heads.pop() else { return Ok(History::default()) };
    let range = match &update.before {
        Some(old) => format!("{after}\n^{old}\n"),
        None => not_in(after, before),
    };
    let commits = log(git, repository, &[MAX_COMMITS], &range).await;
    let mut commits = commits.or_else(|error| match error {
        // They are for people. A push of a whole archive must reach the platform all the same.
        GitError::Limit { .. } => Ok(Vec::new()),
        error => Err(error),
    })?;
    commits.reverse();
    let forced = match &update.before {
        Some(old) => !is_ancestor(git, repository, old, after).await?,
        None => false,
    };
    let base_ref = update.before.is_none().then(|| same_commit(before, update, after)).flatten();
    Ok(History { commits, head: Some(head), forced, base_ref })
}

/// The commits of a new branch: those that no other branch had.
fn not_in(after: &CommitSha, before: &Refs) -> String {
    let known = before.iter().filter(|(name, _)| name.starts_with("refs/heads/")).map(|(_, id)| format!("^{id}\n"));
    format!("{after}\n{}", known.collect::<String>())
}

fn same_commit(before: &Refs, update: &Update, after: &CommitSha) -> Option<String> {
    update.branch()?;
    before.iter().find(|(name, id)| name.starts_with("refs/heads/") && *id == after).map(|(name, _)| name.clone())
}

async fn is_ancestor(git: &Git, repository: &Path, old: &CommitSha, new: &CommitSha) -> Result<bool, GitError> {
    match git.ask(repository, &["merge-base", "--is-ancestor", old.as_str(), new.as_str()]).await {
        Ok(_) => Ok(true),
        Err(GitError::Failed { status, .. }) if status.code() == Some(1) => Ok(false),
        // A moved tag may name something that is no commit; then nothing was built upon.
        Err(GitError::Failed { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

async fn log(git: &Git, repository: &Path, options: &[&str], revisions: &str) -> Result<Vec<Commit>, GitError> {
    let mut arguments =
        vec!["log", "-z", "--name-status", "--no-renames", "--diff-merges=first-parent", FORMAT, "--stdin"];
    arguments.extend_from_slice(options);
    let answer = git.ask_with(repository, &arguments, revisions.as_bytes()).await?;
    Ok(parse(&String::from_utf8_lossy(&answer)))
}

/// Reads git's answer: per commit the fields, an empty token, and then pairs of a status letter and a path.
fn parse(answer: &str) -> Vec<Commit> {
    let mut tokens = answer.split('\0').peekable();
    let mut commits = Vec::new();
    while let Some(mut commit) = fields(&mut tokens) {
        tokens.next_if_eq(&"");
        while let Some(status) = tokens.next_if(|token| is_status(token)) {
            let Some(path) = tokens.next() else { break };
            add_file(&mut commit, status.trim_start(), path);
        }
        commits.push(commit);
    }
    commits
}

fn fields<'a>(tokens: &mut impl Iterator<Item = &'a str>) -> Option<Commit> {
    let mut taken = [""; FIELDS];
    for field in &mut taken {
        *field = tokens.next()?;
    }
    let [id, tree, time, author, author_email, committer, committer_email, message] = taken;
    let person = |name: &str, email: &str| Person { name: name.to_owned(), email: email.to_owned() };
    Some(Commit {
        id: id.to_owned(),
        tree_id: tree.to_owned(),
        timestamp: time.to_owned(),
        author: person(author, author_email),
        committer: person(committer, committer_email),
        message: message[..message.floor_char_boundary(MAX_MESSAGE)].trim_end_matches('\n').to_owned(),
        added: Vec::new(),
        removed: Vec::new(),
        modified: Vec::new(),
    })
}

/// A status is one letter (after a newline for the first); a commit's id is far longer.
fn is_status(token: &str) -> bool {
    let token = token.trim_start_matches('\n');
    !token.is_empty() && token.len() <= 4
}

fn add_file(commit: &mut Commit, status: &str, path: &str) {
    let list = match status.as_bytes().first() {
        Some(b'A') => &mut commit.added,
        Some(b'D') => &mut commit.removed,
        _ => &mut commit.modified,
    };
    if list.len() < MAX_FILES && path.len() <= MAX_PATH {
        list.push(path.to_owned());
    }
}

#[cfg(test)]
mod tests;
