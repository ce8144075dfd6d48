//! Commit statuses: the older way to say what becomes of a commit. Each is kept beside the check runs, of each context the
//! last one.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::{READ_STATUSES, WRITE_STATUSES, open};
use super::error::ApiError;
use super::git_objects::expect_commit;
use super::page::{page, query};
use crate::app::App;
use crate::checks::{CheckRun, CommitState, Conclusion, Output, Progress, Report};
use crate::payload::{self, Subject, time};

/// The body that makes a commit status.
#[derive(Debug, Deserialize)]
pub(super) struct NewStatus {
    state: CommitState,
    #[serde(default)]
    target_url: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default = "default_context")]
    context: String,
}

fn default_context() -> String {
    "default".to_owned()
}

/// `POST /repos/{owner}/{repo}/statuses/{sha}`.
pub(super) async fn create(
    State(app): State<Arc<App>>,
    Path((owner, repo, sha)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Result<Json<NewStatus>, JsonRejection>,
) -> Result<Response, ApiError> {
    let place = open(&app, &headers, (&owner, &repo), WRITE_STATUSES).await?;
    let Json(status) = body?;
    let sha = expect_commit(&app, &place, &sha).await?;
    let run = app.checks.put(place.path(), &sha, status.report()).await?;
    let subject = app.subject(place.known).await?;
    Ok((StatusCode::CREATED, Json(shown(&subject, &run))).into_response())
}

/// `GET /repos/{owner}/{repo}/commits/{ref}/statuses`.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Path((owner, repo, name)): Path<(String, String, String)>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let place = open(&app, &headers, (&owner, &repo), READ_STATUSES).await?;
    let sha = expect_commit(&app, &place, &name).await?;
    let all = statuses(app.checks.list(place.path(), &sha).await?);
    let subject = app.subject(place.known).await?;
    let shown = all.iter().map(|run| shown(&subject, run)).collect();
    page(&format!("{}/commits/{sha}/statuses", subject.api()), &query(raw.as_deref())?, shown)
}

/// `GET /repos/{owner}/{repo}/commits/{ref}/status`.
pub(super) async fn combined(
    State(app): State<Arc<App>>,
    Path((owner, repo, name)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let place = open(&app, &headers, (&owner, &repo), READ_STATUSES).await?;
    let sha = expect_commit(&app, &place, &name).await?;
    let all = statuses(app.checks.list(place.path(), &sha).await?);
    let subject = app.subject(place.known).await?;
    Ok(Json(json!({
        "state": together(&all),
        "statuses": all.iter().map(|run| shown(&subject, run)).collect::<Vec<_>>(),
        "sha": sha,
        "total_count": all.len(),
        "repository": payload::repository(&subject),
        "commit_url": format!("{}/commits/{sha}", subject.api()),
        "url": format!("{}/commits/{sha}/status", subject.api()),
    })))
}

/// The statuses among all reports, newest first.
fn statuses(runs: Vec<CheckRun>) -> Vec<CheckRun> {
    let mut all: Vec<CheckRun> = runs.into_iter().filter(|run| run.state.is_some()).collect();
    all.sort_by_key(|run| std::cmp::Reverse(run.revision));
    all
}

/// One state for all of them, by GitHub's rule.
fn together(all: &[CheckRun]) -> &'static str {
    let is = |state: CommitState| all.iter().any(|run| run.state == Some(state));
    match () {
        () if is(CommitState::Error) || is(CommitState::Failure) => "failure",
        () if is(CommitState::Pending) || all.is_empty() => "pending",
        () => "success",
    }
}

fn shown(subject: &Subject, run: &CheckRun) -> Value {
    json!({
        "url": format!("{}/statuses/{}", subject.api(), run.head_sha),
        "avatar_url": "",
        "id": run.id,
        "node_id": payload::node_id("StatusContext", run.id),
        "state": run.state,
        "description": run.output.title,
        "target_url": run.details_url,
        "context": run.name,
        "created_at": time(run.started_at),
        "updated_at": time(run.completed_at.unwrap_or(run.started_at)),
        "creator": payload::user(subject),
    })
}

impl NewStatus {
    fn report(self) -> Report {
        let (status, conclusion) = match self.state {
            CommitState::Pending => (Progress::Running, None),
            CommitState::Success => (Progress::Completed, Some(Conclusion::Success)),
            CommitState::Error | CommitState::Failure => (Progress::Completed, Some(Conclusion::Failure)),
        };
        Report {
            name: Some(self.context),
            status: Some(status),
            conclusion,
            details_url: self.target_url,
            output: Some(Output { title: self.description, ..Output::default() }),
            state: Some(self.state),
            ..Report::default()
        }
    }
}
