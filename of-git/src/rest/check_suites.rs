//! Check suites: all check runs of a commit. There is one for each commit, since there is one App.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use sdk::id::CommitSha;
use serde_json::{Value, json};

use super::access::{METADATA, Place, READ_CHECKS, open};
use super::check_runs::{may_rerequest, some};
use super::error::ApiError;
use super::git_objects::expect_commit;
use super::page::{counted, query};
use crate::app::App;
use crate::checks::{CheckRun, Conclusion, Progress};
use crate::commits;
use crate::payload::{self, Subject, time};

/// So many hexadecimal digits of a commit make the number of its suite: as many as JSON's readers hold exactly.
const DIGITS: usize = 13;

/// The number of a commit's suite.
pub(super) fn suite_id(sha: &CommitSha) -> u64 {
    u64::from_str_radix(&sha.as_str()[..DIGITS], 16).unwrap_or_default()
}

/// `GET /repos/{owner}/{repo}/commits/{ref}/check-suites`.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Path((owner, repo, name)): Path<(String, String, String)>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let place = open(&app, &headers, (&owner, &repo), READ_CHECKS).await?;
    let asked = query(raw.as_deref())?;
    let sha = expect_commit(&app, &place, &name).await?;
    let subject = app.subject(place.known.clone()).await?;
    let runs = app.checks.list(place.path(), &sha).await?;
    let fits = asked.get("app_id").is_none_or(|id| id == app.app_id().to_string())
        && asked.get("check_name").is_none_or(|name| runs.iter().any(|run| run.name == name));
    let mut all = Vec::new();
    if fits && runs.iter().any(|run| run.state.is_none()) {
        all.push(shown_suite(&app, &place, &subject, &sha, &runs).await?);
    }
    counted(&format!("{}/commits/{sha}/check-suites", subject.api()), &asked, "check_suites", all)
}

/// `GET /repos/{owner}/{repo}/check-suites/{id}`.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path((owner, repo, id)): Path<(String, String, u64)>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let place = open(&app, &headers, (&owner, &repo), READ_CHECKS).await?;
    let sha = find(&app, &place, id).await?;
    let subject = app.subject(place.known.clone()).await?;
    let runs = app.checks.list(place.path(), &sha).await?;
    Ok(Json(shown_suite(&app, &place, &subject, &sha, &runs).await?))
}

/// `GET /repos/{owner}/{repo}/check-suites/{id}/check-runs`.
pub(super) async fn check_runs(
    State(app): State<Arc<App>>,
    Path((owner, repo, id)): Path<(String, String, u64)>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let place = open(&app, &headers, (&owner, &repo), READ_CHECKS).await?;
    let sha = find(&app, &place, id).await?;
    let runs = app.checks.list(place.path(), &sha).await?;
    let address = format!("{}/api/v3/repos/{}/check-suites/{id}/check-runs", app.config.public_base(), place.path());
    some(&app, &place, &address, &query(raw.as_deref())?, runs)
}

/// `POST /repos/{owner}/{repo}/check-suites/{id}/rerequest`.
pub(super) async fn rerequest(
    State(app): State<Arc<App>>,
    Path((owner, repo, id)): Path<(String, String, u64)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let place = open(&app, &headers, (&owner, &repo), METADATA).await?;
    may_rerequest(&place)?;
    let sha = find(&app, &place, id).await?;
    let subject = app.subject(place.known.clone()).await?;
    let runs = app.checks.list(place.path(), &sha).await?;
    let suite = shown_suite(&app, &place, &subject, &sha, &runs).await?;
    app.checks.rerun(place.path(), &sha, None).await?;
    app.tell(&place.known, "check_suite", &payload::check_suite(&subject, "rerequested", suite)).await?;
    tracing::info!(repo = %place.path(), sha = %sha, "all check runs of a commit were rerequested");
    Ok((StatusCode::CREATED, Json(json!({}))).into_response())
}

async fn find(app: &App, place: &Place, id: u64) -> Result<CommitSha, ApiError> {
    let all = app.checks.commits(place.path()).await?;
    all.into_iter().find(|sha| suite_id(sha) == id).ok_or_else(ApiError::not_found)
}

/// A suite in GitHub's form.
pub(super) async fn shown_suite(
    app: &App,
    place: &Place,
    subject: &Subject,
    sha: &CommitSha,
    runs: &[CheckRun],
) -> Result<Value, ApiError> {
    let runs: Vec<&CheckRun> = runs.iter().filter(|run| run.state.is_none()).collect();
    let branch = commits::branch_of(&app.git, &place.folder, sha, &subject.default_branch).await?;
    let commit = commits::read(&app.git, &place.folder, sha).await?.ok_or_else(ApiError::not_found)?;
    let (id, (status, conclusion)) = (suite_id(sha), progress(&runs));
    let url = format!("{}/check-suites/{id}", subject.api());
    let created = runs.iter().map(|run| run.started_at).min().unwrap_or(subject.now);
    let updated = runs.iter().map(|run| run.completed_at.unwrap_or(run.started_at)).max().unwrap_or(subject.now);
    let person = |by: &commits::Signature| json!({ "name": by.name, "email": by.email });
    Ok(json!({
        "id": id,
        "node_id": payload::node_id("CheckSuite", id),
        "head_branch": branch,
        "head_sha": sha,
        "status": status,
        "conclusion": conclusion,
        "url": url,
        "before": commit.parents.first(),
        "after": sha,
        "pull_requests": [],
        "app": app.app_shown(),
        "repository": payload::repository(subject),
        "created_at": time(created),
        "updated_at": time(updated),
        "latest_check_runs_count": runs.len(),
        "check_runs_url": format!("{url}/check-runs"),
        "rerequestable": true,
        "runs_rerequestable": true,
        "head_commit": {
            "id": sha,
            "tree_id": commit.tree,
            "message": commit.message,
            "timestamp": time(commit.committer.date),
            "author": person(&commit.author),
            "committer": person(&commit.committer),
        },
    }))
}

/// How far all of them are together, and how they ended: the worst of them counts.
fn progress(runs: &[&CheckRun]) -> (Progress, Option<Conclusion>) {
    if runs.iter().all(|run| run.status == Progress::Queued) {
        return (Progress::Queued, None);
    }
    if runs.iter().any(|run| run.status != Progress::Completed) {
        return (Progress::Running, None);
    }
    let order = [
        Conclusion::Failure,
        Conclusion::TimedOut,
        Conclusion::ActionRequired,
        Conclusion::Cancelled,
        Conclusion::Stale,
        Conclusion::Success,
        Conclusion::Neutral,
        Conclusion::Skipped,
    ];
    let worst = order.into_iter().find(|conclusion| runs.iter().any(|run| run.conclusion == Some(*conclusion)));
    (Progress::Completed, worst)
}
