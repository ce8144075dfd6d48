//! What GitHub's webhooks and answers say, filled from the real repository.

mod events;
mod push;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat, Utc};
use sdk::id::Owner;
use serde_json::{Map, Value, json};

use crate::owners::Known;

pub(crate) use events::{
    check_run, check_suite, deployment, installation, installation_repositories, repository_event,
    shown as installation_shown,
};
pub(crate) use push::push;

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

impl Subject {
    pub(crate) fn login(&self) -> &str {
        self.known.path.owner.as_str()
    }

    pub(crate) fn page(&self) -> String {
        format!("{}/{}", self.base, self.known.path)
    }

    /// The repository's address in the REST interface.
    pub(crate) fn api(&self) -> String {
        format!("{}/api/v3/repos/{}", self.base, self.known.path)
    }

    fn email(&self) -> String {
        format!("{}+{}@users.noreply.{}", self.known.owner_id, self.login(), self.host)
    }
}

/// The repository's owner.
pub(crate) fn user(subject: &Subject) -> Value {
    account(&subject.base, &subject.known.path.owner, subject.known.owner_id)
}

/// Somebody with a login here.
pub(crate) fn account(base: &str, login: &Owner, id: u64) -> Value {
    let api = format!("{base}/api/v3/users/{login}");
    let mut fields = object(json!({
        "login": login,
        "id": id,
        "node_id": node_id("User", id),
        "avatar_url": "",
        "gravatar_id": "",
        "url": api,
        "html_url": format!("{base}/{login}"),
        "type": "User",
        "site_admin": false,
    }));
    add_urls(&mut fields, USER_URLS, &api);
    Value::Object(fields)
}

/// The repository.
pub(crate) fn repository(subject: &Subject) -> Value {
    let (page, api) = (subject.page(), subject.api());
    let mut fields = object(json!({
        "id": subject.known.repo_id,
        "node_id": node_id("Repository", subject.known.repo_id),
        "name": subject.known.path.repo,
        "full_name": subject.known.path.to_string(),
        "private": true,
        "visibility": "private",
        "owner": user(subject),
        "html_url": page,
        "url": api,
        "clone_url": format!("{page}.git"),
        "git_url": format!("{page}.git"),
        "ssh_url": null,
        "svn_url": page,
        "default_branch": subject.default_branch,
        "created_at": time(subject.known.created_at),
        "updated_at": time(subject.now),
        "pushed_at": time(subject.now),
    }));
    add_urls(&mut fields, REPOSITORY_URLS, &api);
    fields.extend(object(unused()));
    Value::Object(fields)
}

/// As little of a repository as lists of an installation's have.
pub(crate) fn short_repository(known: &Known) -> Value {
    json!({
        "id": known.repo_id,
        "node_id": node_id("Repository", known.repo_id),
        "name": known.path.repo,
        "full_name": known.path.to_string(),
        "private": true,
    })
}

/// A time in GitHub's form.
pub(crate) fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
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
pub(crate) fn node_id(kind: &str, id: u64) -> String {
    STANDARD.encode(format!("{:03}:{kind}{id}", kind.len()))
}
