//! Check runs: how the platform tells people what becomes of a commit.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::{METADATA, Place, READ_CHECKS, WRITE_CHECKS, open};
use super::check_suites::{shown_suite, suite_id};
use super::error::ApiError;
use super::git_objects::expect_commit;
use super::page::{counted, page, query};
use crate::app::App;
use crate::auth::Caller;
use crate::checks::{Annotation, CheckRun, Progress, Report};
use crate::github_app::Level;
use crate::parameters::Parameters;
use crate::payload::{self, Subject, time};

/// The body that makes a check run.
#[derive(Debug, Deserialize)]
pub(super) struct NewCheckRun {
    head_sha: String,
    #[serde(flatten)]
    report: Report,
}

/// `POST /repos/{owner}/{repo}/check-runs`.
pub(super) async fn create(
    State(app): State<Arc<App>>,
    Path((owner, repo)): Path<(String, String)>,
    headers: HeaderMap,
    body: Result<Json<NewCheckRun>, JsonRejection>,
) -> Result<Response, ApiError> {
    let place = open(&app, &headers, (&owner, &repo), WRITE_CHECKS).await?;
    let Json(NewCheckRun { head_sha, report }) = body?;
    let sha = expect_commit(&app, &place, &head_sha).await?;
    let run = app.checks.add(place.path(), &sha, report).await?;
    Ok((StatusCode::CREATED, Json(shown(&app, &place, &run))).into_response())
}

/// `PATCH /repos/{owner}/{repo}/check-runs/{id}`.
pub(super) async fn update(
    State(app): State<Arc<App>>,
    Path((owner, repo, id)): Path<(String, String, u64)>,
    headers: HeaderMap,
    body: Result<Json<Report>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let place = open(&app, &headers, (&owner, &repo), WRITE_CHECKS).await?;
    let Json(report) = body?;
    let run = app.checks.update(place.path(), id, report).await?;
    Ok(Json(shown(&app, &place, &run)))
}

/// `GET /repos/{owner}/{repo}/check-runs/{id}`.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path((owner, repo, id)): Path<(String, String, u64)>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let place = open(&app, &headers, (&owner, &repo), READ_CHECKS).await?;
    let run = find(&app, &place, id).await?;
    Ok(Json(shown(&app, &place, &run)))
}

/// `GET /repos/{owner}/{repo}/commits/{ref}/check-runs`.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Path((owner, repo, name)): Path<(String, String, String)>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let place = open(&app, &headers, (&owner, &repo), READ_CHECKS).await?;
    let sha = expect_commit(&app, &place, &name).await?;
    let runs = app.checks.list(place.path(), &sha).await?;
    let address = format!("{}/commits/{sha}/check-runs", api(&app, &place));
    some(&app, &place, &address, &query(raw.as_deref())?, runs)
}

/// Those of a commit that are asked for.
pub(super) fn some(
    app: &App,
    place: &Place,
    address: &str,
    asked: &Parameters,
    runs: Vec<CheckRun>,
) -> Result<Response, ApiError> {
    let all = match asked.get("filter") {
        None | Some("latest") => false,
        Some("all") => true,
        Some(_) => return Err(ApiError::unprocessable("filter has to be latest or all")),
    };
    let mut seen = BTreeSet::new();
    // The newest first, of each name one.
    let runs = runs.iter().rev().filter(|run| run.state.is_none() && (seen.insert(run.name.clone()) || all));
    let fits = |run: &&CheckRun| {
        asked.get("check_name").is_none_or(|name| run.name == name)
            && asked.get("status").is_none_or(|status| json!(run.status) == status)
            && asked.get("app_id").is_none_or(|id| id == app.app_id().to_string())
    };
    let mut shown: Vec<Value> = runs.filter(fits).map(|run| shown(app, place, run)).collect();
    shown.reverse();
    counted(address, asked, "check_runs", shown)
}

/// `GET /repos/{owner}/{repo}/check-runs/{id}/annotations`.
pub(super) async fn annotations(
    State(app): State<Arc<App>>,
    Path((owner, repo, id)): Path<(String, String, u64)>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let place = open(&app, &headers, (&owner, &repo), READ_CHECKS).await?;
    let run = find(&app, &place, id).await?;
    let page_of_file = format!("{}/{}/blob/{}", app.config.public_base(), place.path(), run.head_sha);
    let all = run.output.annotations.iter().map(|annotation| remark(&page_of_file, annotation)).collect();
    page(&format!("{}/check-runs/{id}/annotations", api(&app, &place)), &query(raw.as_deref())?, all)
}

/// `POST /repos/{owner}/{repo}/check-runs/{id}/rerequest`. The run stays as it is until the App begins it anew.
pub(super) async fn rerequest(
    State(app): State<Arc<App>>,
    Path((owner, repo, id)): Path<(String, String, u64)>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let place = open(&app, &headers, (&owner, &repo), METADATA).await?;
    may_rerequest(&place)?;
    let run = find(&app, &place, id).await?;
    if run.status != Progress::Completed {
        return Err(ApiError(StatusCode::FORBIDDEN, "This check run is not rerequestable".into()));
    }
    let (subject, suite) = suite_of(&app, &place, &run).await?;
    let mut body = shown(&app, &place, &run);
    body["check_suite"] = suite;
    app.checks.rerun(place.path(), &run.head_sha, Some(id)).await?;
    app.tell(&place.known, "check_run", &payload::check_run(&subject, "rerequested", body)).await?;
    tracing::info!(repo = %place.path(), sha = %run.head_sha, check_run = run.name, "a check run was rerequested");
    Ok((StatusCode::CREATED, Json(json!({}))).into_response())
}

/// The repository's owner, and an App that may change check runs.
pub(super) fn may_rerequest(place: &Place) -> Result<(), ApiError> {
    match &place.caller {
        Caller::Owner(_) | Caller::Platform => Ok(()),
        Caller::Installation(grant) if grant.allows("checks", Level::Write) => Ok(()),
        Caller::Installation(_) => Err(ApiError::forbidden()),
    }
}

async fn suite_of(app: &App, place: &Place, run: &CheckRun) -> Result<(Subject, Value), ApiError> {
    let subject = app.subject(place.known.clone()).await?;
    let runs = app.checks.list(place.path(), &run.head_sha).await?;
    let suite = shown_suite(app, place, &subject, &run.head_sha, &runs).await?;
    Ok((subject, suite))
}

async fn find(app: &App, place: &Place, id: u64) -> Result<CheckRun, ApiError> {
    let run = app.checks.find(place.path(), id).await?;
    if run.state.is_none() { Ok(run) } else { Err(ApiError::not_found()) }
}

fn api(app: &App, place: &Place) -> String {
    format!("{}/api/v3/repos/{}", app.config.public_base(), place.path())
}

/// A check run in GitHub's form.
pub(super) fn shown(app: &App, place: &Place, run: &CheckRun) -> Value {
    let url = format!("{}/check-runs/{}", api(app, place), run.id);
    json!({
        "id": run.id,
        "node_id": payload::node_id("CheckRun", run.id),
        "head_sha": run.head_sha,
        "external_id": run.external_id.as_deref().unwrap_or_default(),
        "url": url,
        "html_url": format!("{}/{}/runs/{}", app.config.public_base(), place.path(), run.id),
        "details_url": run.details_url,
        "status": run.status,
        "conclusion": run.conclusion,
        "started_at": time(run.started_at),
        "completed_at": run.completed_at.map(time),
        "name": run.name,
        "output": {
            "title": run.output.title,
            "summary": run.output.summary,
            "text": run.output.text,
            "annotations_count": run.output.annotations.len(),
            "annotations_url": format!("{url}/annotations"),
        },
        "check_suite": { "id": suite_id(&run.head_sha) },
        "app": app.app_shown(),
        "pull_requests": [],
    })
}

fn remark(page_of_file: &str, annotation: &Annotation) -> Value {
    let mut shown = json!(annotation);
    shown["blob_href"] = format!("{page_of_file}/{}", annotation.path).into();
    shown
}
