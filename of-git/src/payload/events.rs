//! The bodies of the other webhooks.

use serde_json::{Value, json};

use super::{Subject, account, node_id, repository, short_repository, user};
use crate::github_app;
use crate::owners::{Installation, Known};

/// The installation as webhooks about a repository name it.
pub(super) fn installed(subject: &Subject) -> Value {
    json!({ "id": subject.known.owner_id, "node_id": node_id("Installation", subject.known.owner_id) })
}

/// What webhooks about a repository have in common.
fn about(subject: &Subject, action: &str) -> Value {
    json!({
        "action": action,
        "repository": repository(subject),
        "sender": user(subject),
        "installation": installed(subject),
    })
}

/// Something was asked of a check run.
pub(crate) fn check_run(subject: &Subject, action: &str, run: Value) -> Value {
    let mut body = about(subject, action);
    body["check_run"] = run;
    body
}

/// Something was asked of all check runs of a commit.
pub(crate) fn check_suite(subject: &Subject, action: &str, suite: Value) -> Value {
    let mut body = about(subject, action);
    body["check_suite"] = suite;
    body
}

/// Somebody wants a commit to be deployed.
pub(crate) fn deployment(subject: &Subject, deployment: Value) -> Value {
    let mut body = about(subject, "created");
    body["deployment"] = deployment;
    body["workflow"] = Value::Null;
    body["workflow_run"] = Value::Null;
    body
}

/// Something happened to a repository. `changes` says what it was before, where that matters.
pub(crate) fn repository_event(subject: &Subject, action: &str, changes: Option<Value>) -> Value {
    let mut body = about(subject, action);
    if let Some(changes) = changes {
        body["changes"] = changes;
    }
    body
}

/// The App came to an account, or went.
pub(crate) fn installation(base: &str, app: u64, action: &str, installation: &Installation, all: &[Known]) -> Value {
    json!({
        "action": action,
        "installation": shown(base, app, installation),
        "repositories": all.iter().map(short_repository).collect::<Vec<_>>(),
        "requester": null,
        "sender": account(base, &installation.owner, installation.id),
    })
}

/// The App came to some repositories of an account, or went from them.
pub(crate) fn installation_repositories(
    base: &str,
    app: u64,
    installation: &Installation,
    added: &[Known],
    removed: &[Known],
) -> Value {
    let list = |all: &[Known]| all.iter().map(short_repository).collect::<Vec<_>>();
    json!({
        "action": if removed.is_empty() { "added" } else { "removed" },
        "installation": shown(base, app, installation),
        "repository_selection": selection(installation),
        "repositories_added": list(added),
        "repositories_removed": list(removed),
        "requester": null,
        "sender": account(base, &installation.owner, installation.id),
    })
}

/// Whether new repositories get the App by themselves.
fn selection(installation: &Installation) -> &'static str {
    if installation.all { "all" } else { "selected" }
}

/// An installation in GitHub's form. `app` is the App's number.
pub(crate) fn shown(base: &str, app: u64, installation: &Installation) -> Value {
    let Installation { id, owner, created_at, .. } = installation;
    let api = format!("{base}/api/v3");
    let since = super::time(*created_at);
    json!({
        "id": id,
        "client_id": github_app::client_id(app),
        "account": account(base, owner, *id),
        "repository_selection": selection(installation),
        "access_tokens_url": format!("{api}/app/installations/{id}/access_tokens"),
        "repositories_url": format!("{api}/installation/repositories"),
        "html_url": format!("{base}/settings/installations/{id}"),
        "app_id": app,
        "app_slug": github_app::SLUG,
        "target_id": id,
        "target_type": "User",
        "permissions": github_app::permissions(),
        "events": github_app::events(),
        "created_at": since,
        "updated_at": since,
        "single_file_name": null,
        "has_multiple_single_files": false,
        "single_file_paths": [],
        "suspended_by": null,
        "suspended_at": null,
    })
}
