//! The body of a GitHub `push` webhook, filled from the real repository.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, Utc};
use sdk::id::CommitSha;
use serde_json::{Map, Value, json};

use crate::history::{Commit, History};
use crate::owners::Known;
use crate::refs::Update;

/// REST addresses of a user, as GitHub names them.
const USER_URLS: &[(&str, &str)] = &[
    ("followers_url", "/followers"),
    ("following_url", "/following{/other_user}"),
    ("gists_url", "/gists{/gist_id}"),
    ("starred_url", "/starred{/owner}{/repo}"),
    ("subscriptions_url", "/subscriptions"),
    ("organizations_url", "/orgs"),
    ("repos_url", "/repos"),
    ("events_url", "/events{/privacy}"),
    ("received_events_url", "/received_events"),
];

/// REST addresses of a repository, as GitHub names them.
const REPOSITORY_URLS: &[(&str, &str)] = &[
    ("forks_url", "/forks"),
    ("keys_url", "/keys{/key_id}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("teams_url", "/teams"),
    ("hooks_url", "/hooks"),
    ("issue_events_url", "/issues/events{/number}"),
    ("events_url", "/events"),
    ("assignees_url", "/assignees{/user}"),
    ("branches_url", "/branches{/branch}"),
    ("tags_url", "/tags"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("trees_url", "/git/trees{/sha}"),
    ("statuses_url", "/statuses/{sha}"),
    ("languages_url", "/languages"),
    ("stargazers_url", "/stargazers"),
    ("contributors_url", "/contributors"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("commits_url", "/commits{/sha}"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("comments_url", "/comments{/number}"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("contents_url", "/contents/{+path}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("merges_url", "/merges"),
    ("archive_url", "/{archive_format}{/ref}"),
    ("downloads_url", "/downloads"),
    ("issues_url", "/issues{/number}"),
    ("pulls_url", "/pulls{/number}"),
    ("milestones_url", "/milestones{/number}"),
    ("notifications_url", "/notifications{?since,all,participating}"),
    ("labels_url", "/labels{/name}"),
    ("releases_url", "/releases{/id}"),
    ("deployments_url", "/deployments"),
];

/// What of a repository goes into every webhook about it.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    /// Where users reach this host, without a slash at the end.
    pub(crate) base: String,
    /// The host's name, for addresses nobody answers at.
    pub(crate) host: String,
    pub(crate) known: Known,
    pub(crate) default_branch: String,
    pub(crate) now: DateTime<Utc>,
}

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
        "repository": repository(subject),
        "pusher": { "name": subject.login(), "email": subject.email() },
        "sender": user(subject),
        "installation": { "id": subject.known.owner_id, "node_id": node_id("Installation", subject.known.owner_id) },
        "created": update.before.is_none(),
        "deleted": update.after.is_none(),
        "forced": history.forced,
        "base_ref": history.base_ref,
        "compare": compare(update, &page),
        "commits": commits,
        "head_commit": history.head.as_ref().map(|c| commit(c, &page)),
    })
}

impl Subject {
    fn login(&self) -> &str {
        self.known.path.owner.as_str()
    }

    fn page(&self) -> String {
        format!("{}/{}", self.base, self.known.path)
    }

    fn email(&self) -> String {
        format!("{}+{}@users.noreply.{}", self.known.owner_id, self.login(), self.host)
    }
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

fn user(subject: &Subject) -> Value {
    let login = subject.login();
    let api = format!("{}/api/v3/users/{login}", subject.base);
    let mut fields = object(json!({
        "login": login,
        "id": subject.known.owner_id,
        "node_id": node_id("User", subject.known.owner_id),
        "avatar_url": "",
        "gravatar_id": "",
        "url": api,
        "html_url": format!("{}/{login}", subject.base),
        "type": "User",
        "site_admin": false,
    }));
    add_urls(&mut fields, USER_URLS, &api);
    Value::Object(fields)
}

fn repository(subject: &Subject) -> Value {
    let page = subject.page();
    let api = format!("{}/api/v3/repos/{}", subject.base, subject.known.path);
    let mut owner = object(user(subject));
    owner.insert("name".into(), subject.login().into());
    owner.insert("email".into(), subject.email().into());
    let mut fields = object(json!({
        "id": subject.known.repo_id,
        "node_id": node_id("Repository", subject.known.repo_id),
        "name": subject.known.path.repo,
        "full_name": subject.known.path.to_string(),
        "private": true,
        "visibility": "private",
        "owner": owner,
        "html_url": page,
        "url": page,
        "clone_url": format!("{page}.git"),
        "git_url": format!("{page}.git"),
        "ssh_url": null,
        "svn_url": page,
        "default_branch": subject.default_branch,
        "master_branch": subject.default_branch,
        "created_at": subject.known.created_at.timestamp(),
        "updated_at": subject.now.to_rfc3339_opts(SecondsFormat::Secs, true),
        "pushed_at": subject.now.timestamp(),
    }));
    add_urls(&mut fields, REPOSITORY_URLS, &api);
    fields.extend(object(unused()));
    Value::Object(fields)
}

/// What GitHub says about things this host does not have.
fn unused() -> Value {
    json!({
        "description": null, "homepage": null, "language": null, "license": null, "mirror_url": null,
        "fork": false, "archived": false, "disabled": false, "is_template": false,
        "allow_forking": false, "web_commit_signoff_required": false,
        "has_issues": false, "has_projects": false, "has_downloads": false, "has_wiki": false,
        "has_pages": false, "has_discussions": false,
        "size": 0, "stargazers_count": 0, "stargazers": 0, "watchers_count": 0, "watchers": 0,
        "forks_count": 0, "forks": 0, "open_issues_count": 0, "open_issues": 0,
        "topics": [], "custom_properties": {},
    })
}

fn add_urls(fields: &mut Map<String, Value>, urls: &[(&str, &str)], base: &str) {
    fields.extend(urls.iter().map(|(name, path)| ((*name).to_owned(), Value::from(format!("{base}{path}")))));
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// An opaque name in the form GitHub gave them at the time of its samples.
fn node_id(kind: &str, id: u64) -> String {
    STANDARD.encode(format!("{:03}:{kind}{id}", kind.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject() -> Subject {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        let path = "alice/hello".parse().unwrap();
        Subject {
            base: "http://git.localhost:8000".into(),
            host: "git.localhost".into(),
            known: Known { owner_id: 7, repo_id: 9, path, created_at: now },
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
