//! The part of GitHub's REST interface by which the platform reports: check runs and commit statuses.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, Utc};
use http::{HeaderMap, StatusCode};
use sdk::failure::chain;
use sdk::id::{CommitSha, RepoPath};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::app::App;
use crate::checks::{CheckError, CheckRun, Conclusion, Output, Progress, Report};
use crate::git::GitError;

/// An error in GitHub's form.
#[derive(Debug)]
pub(crate) struct ApiError(pub(crate) StatusCode, pub(crate) String);

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "message": self.1 }))).into_response()
    }
}

impl From<CheckError> for ApiError {
    fn from(error: CheckError) -> Self {
        match error {
            CheckError::Unknown(_) => Self(StatusCode::NOT_FOUND, error.to_string()),
            CheckError::Full | CheckError::Nameless => Self(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
            CheckError::Store(_) => {
                tracing::error!(cause = chain(&error), "check runs could not be kept");
                Self(StatusCode::INTERNAL_SERVER_ERROR, error.to_string())
            }
        }
    }
}

/// The body that makes a check run.
#[derive(Debug, Deserialize)]
pub(crate) struct NewCheckRun {
    head_sha: CommitSha,
    #[serde(flatten)]
    report: Report,
}

/// The body that makes a commit status.
#[derive(Debug, Deserialize)]
pub(crate) struct NewStatus {
    state: CommitState,
    #[serde(default)]
    target_url: Option<String>,
    #[serde(default)]
    description: Option<String>,
    #[serde(default = "default_context")]
    context: String,
}

/// The states of a commit status.
#[derive(Debug, Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum CommitState {
    Error,
    Failure,
    Pending,
    Success,
}

/// `POST /api/v3/repos/{owner}/{repo}/check-runs`.
pub(crate) async fn create_check_run(
    State(app): State<Arc<App>>,
    Path(names): Path<(String, String)>,
    headers: HeaderMap,
    body: Result<Json<NewCheckRun>, JsonRejection>,
) -> Result<Response, ApiError> {
    let path = authorised(&app, &headers, &names)?;
    let NewCheckRun { head_sha, report } = read(body)?;
    expect_commit(&app, &path, &head_sha).await?;
    let run = app.checks.add(&path, &head_sha, report).await?;
    Ok((StatusCode::CREATED, Json(shown(&app, &path, &run))).into_response())
}

/// `PATCH /api/v3/repos/{owner}/{repo}/check-runs/{id}`.
pub(crate) async fn update_check_run(
    State(app): State<Arc<App>>,
    Path((owner, repo, id)): Path<(String, String, u64)>,
    headers: HeaderMap,
    body: Result<Json<Report>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let path = authorised(&app, &headers, &(owner, repo))?;
    let run = app.checks.update(&path, id, read(body)?).await?;
    Ok(Json(shown(&app, &path, &run)))
}

/// `GET /api/v3/repos/{owner}/{repo}/commits/{sha}/check-runs`.
pub(crate) async fn list_check_runs(
    State(app): State<Arc<App>>,
    Path((owner, repo, sha)): Path<(String, String, String)>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let path = authorised(&app, &headers, &(owner, repo))?;
    let sha = commit_id(&sha)?;
    expect_commit(&app, &path, &sha).await?;
    let runs = app.checks.list(&path, &sha).await?;
    let list: Vec<Value> = runs.iter().map(|run| shown(&app, &path, run)).collect();
    Ok(Json(json!({ "total_count": list.len(), "check_runs": list })))
}

/// `POST /api/v3/repos/{owner}/{repo}/statuses/{sha}`. A status is kept as the check run of its context.
pub(crate) async fn create_status(
    State(app): State<Arc<App>>,
    Path((owner, repo, sha)): Path<(String, String, String)>,
    headers: HeaderMap,
    body: Result<Json<NewStatus>, JsonRejection>,
) -> Result<Response, ApiError> {
    let path = authorised(&app, &headers, &(owner, repo))?;
    let sha = commit_id(&sha)?;
    let status = read(body)?;
    expect_commit(&app, &path, &sha).await?;
    let run = app.checks.put(&path, &sha, status.report()).await?;
    let answer = json!({
        "url": format!("{}/api/v3/repos/{path}/statuses/{sha}", app.config.public_base()),
        "id": run.id,
        "node_id": run.id.to_string(),
        "state": status.state,
        "description": status.description,
        "target_url": status.target_url,
        "context": status.context,
        "created_at": run.started_at,
        "updated_at": Utc::now(),
    });
    Ok((StatusCode::CREATED, Json(answer)).into_response())
}

impl NewStatus {
    fn report(&self) -> Report {
        let (status, conclusion) = match self.state {
            CommitState::Pending => (Progress::Running, None),
            CommitState::Success => (Progress::Completed, Some(Conclusion::Success)),
            CommitState::Error | CommitState::Failure => (Progress::Completed, Some(Conclusion::Failure)),
        };
        Report {
            name: Some(self.context.clone()),
            status: Some(status),
            conclusion,
            details_url: self.target_url.clone(),
            output: Some(Output { title: self.description.clone(), ..Output::default() }),
            ..Report::default()
        }
    }
}

fn default_context() -> String {
    "default".to_owned()
}

/// Only the platform's token opens this interface, whatever is asked for.
fn authorised(app: &App, headers: &HeaderMap, (owner, repo): &(String, String)) -> Result<RepoPath, ApiError> {
    app.keys.bearer(headers).map_err(|_| ApiError(StatusCode::UNAUTHORIZED, "Bad credentials".into()))?;
    let not_found = |_| ApiError(StatusCode::NOT_FOUND, "Not Found".into());
    Ok(RepoPath { owner: owner.parse().map_err(not_found)?, repo: repo.parse().map_err(not_found)? })
}

fn read<T>(body: Result<Json<T>, JsonRejection>) -> Result<T, ApiError> {
    body.map(|Json(value)| value).map_err(|rejection| ApiError(rejection.status(), rejection.body_text()))
}

fn commit_id(text: &str) -> Result<CommitSha, ApiError> {
    text.parse().map_err(|_| {
        ApiError(StatusCode::UNPROCESSABLE_ENTITY, format!("No commit found for SHA: {}", crate::plain::line(text, 80)))
    })
}

async fn expect_commit(app: &App, path: &RepoPath, sha: &CommitSha) -> Result<(), ApiError> {
    let missing = || ApiError(StatusCode::NOT_FOUND, "Not Found".into());
    let folder = app.repositories.find(path).await.ok_or_else(missing)?;
    match app.git.ask(&folder, &["cat-file", "-e", &format!("{sha}^{{commit}}")]).await {
        Ok(_) => Ok(()),
        Err(GitError::Failed { .. }) => {
            Err(ApiError(StatusCode::UNPROCESSABLE_ENTITY, format!("No commit found for SHA: {sha}")))
        }
        Err(error) => {
            tracing::error!(repo = %path, cause = chain(&error), "a commit could not be looked up");
            Err(ApiError(StatusCode::INTERNAL_SERVER_ERROR, "The repository could not be read.".into()))
        }
    }
}

/// A check run in GitHub's form.
fn shown(app: &App, path: &RepoPath, run: &CheckRun) -> Value {
    let base = app.config.public_base();
    let url = format!("{base}/api/v3/repos/{path}/check-runs/{}", run.id);
    let completed: Option<DateTime<Utc>> = run.completed_at;
    json!({
        "id": run.id,
        "node_id": run.id.to_string(),
        "head_sha": run.head_sha,
        "external_id": run.external_id.as_deref().unwrap_or_default(),
        "url": url,
        "html_url": format!("{base}/{path}/runs/{}", run.id),
        "details_url": run.details_url,
        "status": run.status,
        "conclusion": run.conclusion,
        "started_at": run.started_at,
        "completed_at": completed,
        "name": run.name,
        "output": {
            "title": run.output.title,
            "summary": run.output.summary,
            "text": run.output.text,
            "annotations_count": 0,
            "annotations_url": format!("{url}/annotations"),
        },
        "check_suite": null,
        "app": null,
        "pull_requests": [],
    })
}
