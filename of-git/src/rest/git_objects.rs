//! Branches and commits.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use http::{HeaderMap, StatusCode};
use sdk::id::CommitSha;
use serde_json::{Value, json};

use super::access::{CONTENTS, Place, open};
use super::error::ApiError;
use crate::app::App;
use crate::commits::{self, Commit, Signature};
use crate::payload::time;

/// `GET /repos/{owner}/{repo}/branches/{branch}`.
pub(super) async fn branch(
    State(app): State<Arc<App>>,
    Path((owner, repo, branch)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let place = open(&app, &headers, (&owner, &repo), CONTENTS).await?;
    let missing = || ApiError(StatusCode::NOT_FOUND, "Branch not found".into());
    let sha = commit_named(&app, &place, &format!("heads/{branch}")).await?.ok_or_else(missing)?;
    let commit = commits::read(&app.git, &place.folder, &sha).await?.ok_or_else(missing)?;
    let subject = app.subject(place.known).await?;
    Ok(Json(json!({
        "name": branch,
        "commit": shown(&subject.api(), &subject.page(), &commit),
        "protected": false,
        "protection": { "enabled": false },
        "protection_url": format!("{}/branches/{branch}/protection", subject.api()),
        "_links": {
            "self": format!("{}/branches/{branch}", subject.api()),
            "html": format!("{}/tree/{branch}", subject.page()),
        },
    })))
}

/// `GET /repos/{owner}/{repo}/commits/{ref}`.
pub(super) async fn commit(
    State(app): State<Arc<App>>,
    Path((owner, repo, name)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let place = open(&app, &headers, (&owner, &repo), CONTENTS).await?;
    let sha = expect_commit(&app, &place, &name).await?;
    let commit = commits::read(&app.git, &place.folder, &sha).await?.ok_or_else(ApiError::not_found)?;
    let subject = app.subject(place.known).await?;
    Ok(Json(shown(&subject.api(), &subject.page(), &commit)))
}

/// The commit that a name stands for.
pub(super) async fn commit_named(app: &App, place: &Place, name: &str) -> Result<Option<CommitSha>, ApiError> {
    Ok(commits::resolve(&app.git, &place.folder, name).await?)
}

/// The same, or GitHub's refusal.
pub(super) async fn expect_commit(app: &App, place: &Place, name: &str) -> Result<CommitSha, ApiError> {
    let name_shown = || crate::plain::line(name, 80);
    let missing = || ApiError::unprocessable(format!("No commit found for SHA: {}", name_shown()));
    commit_named(app, place, name).await?.ok_or_else(missing)
}

fn shown(api: &str, page: &str, commit: &Commit) -> Value {
    let Commit { sha, tree, parents, author, committer, message } = commit;
    let parent = |id: &String| json!({ "sha": id, "url": format!("{api}/commits/{id}"), "html_url": format!("{page}/commit/{id}") });
    json!({
        "sha": sha,
        "node_id": crate::payload::node_id("Commit", 0),
        "commit": {
            "author": person(author),
            "committer": person(committer),
            "message": message,
            "tree": { "sha": tree, "url": format!("{api}/git/trees/{tree}") },
            "url": format!("{api}/git/commits/{sha}"),
            "comment_count": 0,
            "verification": {
                "verified": false, "reason": "unsigned", "signature": null, "payload": null, "verified_at": null,
            },
        },
        "url": format!("{api}/commits/{sha}"),
        "html_url": format!("{page}/commit/{sha}"),
        "comments_url": format!("{api}/commits/{sha}/comments"),
        "author": null,
        "committer": null,
        "parents": parents.iter().map(parent).collect::<Vec<_>>(),
    })
}

fn person(signature: &Signature) -> Value {
    json!({ "name": signature.name, "email": signature.email, "date": time(signature.date) })
}
