//! The body of a `push` webhook.

use sdk::id::CommitSha;
use serde_json::{Value, json};

use super::{Subject, events, repository, user};
use crate::history::{Commit, History};
use crate::refs::Update;

/// The whole body for one updated reference.
pub(crate) fn push(subject: &Subject, update: &Update, history: &History) -> Value {
    let page = subject.page();
    let before = shown(&update.before, &update.after);
    let after = shown(&update.after, &update.before);
    let commits: Vec<Value> = history.commits.iter().map(|c| commit(c, &page)).collect();
    json!({
        "ref": update.reference,
        "before": before,
        "after": after,
        "repository": pushed(subject),
        "pusher": { "name": subject.login(), "email": subject.email() },
        "sender": user(subject),
        "installation": events::installed(subject),
        "created": update.before.is_none(),
        "deleted": update.after.is_none(),
        "forced": history.forced,
        "base_ref": history.base_ref,
        "compare": compare(update, &page),
        "commits": commits,
        "head_commit": history.head.as_ref().map(|c| commit(c, &page)),
    })
}

/// The repository as this webhook alone has it: pages instead of addresses of the interface, and times in seconds.
fn pushed(subject: &Subject) -> Value {
    let mut repository = repository(subject);
    repository["url"] = subject.page().into();
    repository["created_at"] = subject.known.created_at.timestamp().into();
    repository["pushed_at"] = subject.now.timestamp().into();
    repository["master_branch"] = subject.default_branch.as_str().into();
    repository["owner"]["name"] = subject.login().into();
    repository["owner"]["email"] = subject.email().into();
    repository
}

/// An object id, or as many zeros as the other one has digits.
fn shown(id: &Option<CommitSha>, other: &Option<CommitSha>) -> String {
    let zeros = || "0".repeat(other.as_ref().map_or(40, |o| o.as_str().len()));
    id.as_ref().map_or_else(zeros, |id| id.as_str().to_owned())
}

fn compare(update: &Update, page: &str) -> String {
    let short = |id: &CommitSha| id.as_str()[..12].to_owned();
    match (&update.before, &update.after) {
        (Some(before), Some(after)) => format!("{page}/compare/{}...{}", short(before), short(after)),
        (None, Some(after)) => format!("{page}/commit/{}", short(after)),
        (Some(before), None) => format!("{page}/compare/{}...{}", short(before), "0".repeat(12)),
        (None, None) => page.to_owned(),
    }
}

fn commit(commit: &Commit, page: &str) -> Value {
    json!({
        "id": commit.id,
        "tree_id": commit.tree_id,
        "distinct": true,
        "message": commit.message,
        "timestamp": commit.timestamp,
        "url": format!("{page}/commit/{}", commit.id),
        "author": { "name": commit.author.name, "email": commit.author.email },
        "committer": { "name": commit.committer.name, "email": commit.committer.email },
        "added": commit.added,
        "removed": commit.removed,
        "modified": commit.modified,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::owners::Known;

    fn subject() -> Subject {
        let now = chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let path = "alice/hello".parse().unwrap();
        Subject {
            base: "http://git.localhost:8000".into(),
            host: "git.localhost".into(),
            known: Known { owner_id: 7, repo_id: 9, path, created_at: now, installed: true },
            default_branch: "main".into(),
            now,
        }
    }

    fn sha(digit: char) -> CommitSha {
        digit.to_string().repeat(40).parse().unwrap()
    }

    #[test]
    fn a_deletion_names_no_commit() {
        let update = Update { reference: "refs/heads/x".into(), before: Some(sha('a')), after: None };
        let body = push(&subject(), &update, &History::default());
        assert_eq!(body["deleted"], true);
        assert_eq!(body["after"], "0".repeat(40));
        assert_eq!(body["before"], sha('a').as_str());
        assert!(body["head_commit"].is_null());
    }

    #[test]
    fn a_new_branch_has_zeros_before() {
        let update = Update { reference: "refs/heads/x".into(), before: None, after: Some(sha('b')) };
        let body = push(&subject(), &update, &History::default());
        assert_eq!((&body["created"], &body["deleted"]), (&true.into(), &false.into()));
        assert_eq!(body["before"], "0".repeat(40));
        assert_eq!(body["repository"]["owner"]["id"], 7);
        assert_eq!(body["repository"]["default_branch"], "main");
        assert_eq!(body["compare"], "http://git.localhost:8000/alice/hello/commit/bbbbbbbbbbbb");
    }
}
