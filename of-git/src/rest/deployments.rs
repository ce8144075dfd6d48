//! Deployments: somebody wants a commit to be deployed, or says that it is.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use sdk::id::CommitSha;
use serde_json::{Value, json};

use super::access::{Place, READ_DEPLOYMENTS, WRITE_DEPLOYMENTS, open};
use super::error::ApiError;
use super::git_objects::commit_named;
use super::page::{page, query};
use crate::app::App;
use crate::checks::{CheckRun, Conclusion, Progress};
use crate::deployments::{Creator, Deployment, DeploymentStatus, NewDeployment, NewDeploymentStatus, fits};
use crate::payload::{self, Subject, time};

/// What a list can be narrowed by.
const FILTERS: [&str; 4] = ["sha", "ref", "task", "environment"];

/// `POST /repos/{owner}/{repo}/deployments`. Branches are never merged for it (`auto_merge`).
pub(super) async fn create(
    State(app): State<Arc<App>>,
    Path((owner, repo)): Path<(String, String)>,
    headers: HeaderMap,
    body: Result<Json<NewDeployment>, JsonRejection>,
) -> Result<Response, ApiError> {
    let place = open(&app, &headers, (&owner, &repo), WRITE_DEPLOYMENTS).await?;
    let Json(asked) = body?;
    let missing = || ApiError::unprocessable(format!("No ref found for: {}", crate::plain::line(&asked.reference, 80)));
    let sha = commit_named(&app, &place, &asked.reference).await?.ok_or_else(missing)?;
    if let Some(conflict) = unmet(&app, &place, &sha, &asked).await? {
        return Ok((StatusCode::CONFLICT, Json(conflict)).into_response());
    }
    let creator = place.creator();
    if creator == Creator::Owner {
        // The commit is deployed anew, and what is said about it then is no late word about before.
        app.checks.rerun(place.path(), &sha, None).await?;
    }
    let deployment = app.deployments.add(place.path(), sha, asked, creator).await?;
    let subject = app.subject(place.known.clone()).await?;
    let shown = shown(&app, &subject, &deployment);
    app.tell(&place.known, "deployment", &payload::deployment(&subject, shown.clone())).await?;
    tracing::info!(repo = %place.path(), sha = %deployment.sha, task = deployment.task, "a deployment was made");
    Ok((StatusCode::CREATED, Json(shown)).into_response())
}

/// `GET /repos/{owner}/{repo}/deployments`.
pub(super) async fn list(
    State(app): State<Arc<App>>,
    Path((owner, repo)): Path<(String, String)>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let place = open(&app, &headers, (&owner, &repo), READ_DEPLOYMENTS).await?;
    let asked = query(raw.as_deref())?;
    let wanted = |name: &'static str| asked.get(name).filter(|value| *value != "none").map(|value| (name, value));
    let filter: BTreeMap<&str, &str> = FILTERS.into_iter().filter_map(wanted).collect();
    let all = app.deployments.list(place.path()).await?;
    let subject = app.subject(place.known).await?;
    let some = all.iter().filter(|one| fits(one, &filter)).map(|one| shown(&app, &subject, one)).collect();
    page(&format!("{}/deployments", subject.api()), &asked, some)
}

/// `GET /repos/{owner}/{repo}/deployments/{id}`.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path((owner, repo, id)): Path<(String, String, u64)>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let place = open(&app, &headers, (&owner, &repo), READ_DEPLOYMENTS).await?;
    let deployment = app.deployments.get(place.path(), id).await?;
    Ok(Json(shown(&app, &app.subject(place.known).await?, &deployment)))
}

/// `GET /repos/{owner}/{repo}/deployments/{id}/statuses`: newest first.
pub(super) async fn statuses(
    State(app): State<Arc<App>>,
    Path((owner, repo, id)): Path<(String, String, u64)>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let place = open(&app, &headers, (&owner, &repo), READ_DEPLOYMENTS).await?;
    let deployment = app.deployments.get(place.path(), id).await?;
    let subject = app.subject(place.known).await?;
    let all = deployment.statuses.iter().rev().map(|status| said(&app, &subject, &deployment, status)).collect();
    page(&format!("{}/deployments/{id}/statuses", subject.api()), &query(raw.as_deref())?, all)
}

/// `GET /repos/{owner}/{repo}/deployments/{id}/statuses/{status}`.
pub(super) async fn status(
    State(app): State<Arc<App>>,
    Path((owner, repo, id, status)): Path<(String, String, u64, u64)>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let place = open(&app, &headers, (&owner, &repo), READ_DEPLOYMENTS).await?;
    let deployment = app.deployments.get(place.path(), id).await?;
    let found = deployment.statuses.iter().find(|one| one.id == status).ok_or_else(ApiError::not_found)?;
    Ok(Json(said(&app, &app.subject(place.known).await?, &deployment, found)))
}

/// `POST /repos/{owner}/{repo}/deployments/{id}/statuses`.
pub(super) async fn report(
    State(app): State<Arc<App>>,
    Path((owner, repo, id)): Path<(String, String, u64)>,
    headers: HeaderMap,
    body: Result<Json<NewDeploymentStatus>, JsonRejection>,
) -> Result<Response, ApiError> {
    let place = open(&app, &headers, (&owner, &repo), WRITE_DEPLOYMENTS).await?;
    let Json(asked) = body?;
    let (deployment, status) = app.deployments.report(place.path(), id, asked, place.creator()).await?;
    let subject = app.subject(place.known).await?;
    Ok((StatusCode::CREATED, Json(said(&app, &subject, &deployment, &status))).into_response())
}

/// GitHub's refusal to deploy a commit whose checks have not succeeded: all of them, unless the caller names those that
/// matter.
async fn unmet(app: &App, place: &Place, sha: &CommitSha, asked: &NewDeployment) -> Result<Option<Value>, ApiError> {
    if asked.required_contexts.as_ref().is_some_and(Vec::is_empty) {
        return Ok(None);
    }
    let runs = app.checks.list(place.path(), sha).await?;
    let last: BTreeMap<&str, &CheckRun> = runs.iter().map(|run| (run.name.as_str(), run)).collect();
    let wanted: Vec<&str> = match &asked.required_contexts {
        Some(contexts) => contexts.iter().map(String::as_str).collect(),
        None => last.keys().copied().collect(),
    };
    let contexts: Vec<Value> = wanted
        .into_iter()
        .map(|context| (context, last.get(context).map_or("pending", |run| state(run))))
        .filter(|(_, state)| *state != "success")
        .map(|(context, state)| json!({ "context": context, "state": state }))
        .collect();
    Ok((!contexts.is_empty()).then(|| {
        json!({
            "message": format!("Conflict: Commit status checks failed for {}.", crate::plain::line(&asked.reference, 80)),
            "errors": [{
                "contexts": contexts, "resource": "Deployment", "field": "required_contexts", "code": "invalid",
            }],
            "status": "409",
        })
    }))
}

fn state(run: &CheckRun) -> &'static str {
    match (run.status, run.conclusion) {
        (Progress::Completed, Some(Conclusion::Success | Conclusion::Neutral | Conclusion::Skipped)) => "success",
        (Progress::Completed, _) => "failure",
        _ => "pending",
    }
}

fn creator(app: &App, subject: &Subject, who: &Creator) -> (Value, Value) {
    match who {
        Creator::Owner => (payload::user(subject), Value::Null),
        Creator::App => (app.bot_shown(), app.app_shown()),
    }
}

fn shown(app: &App, subject: &Subject, deployment: &Deployment) -> Value {
    let url = format!("{}/deployments/{}", subject.api(), deployment.id);
    let (creator, by_app) = creator(app, subject, &deployment.creator);
    json!({
        "url": url,
        "id": deployment.id,
        "node_id": payload::node_id("Deployment", deployment.id),
        "sha": deployment.sha,
        "ref": deployment.reference,
        "task": deployment.task,
        "payload": deployment.payload,
        "original_environment": deployment.environment,
        "environment": deployment.environment,
        "description": deployment.description,
        "creator": creator,
        "created_at": time(deployment.created_at),
        "updated_at": time(deployment.updated_at),
        "statuses_url": format!("{url}/statuses"),
        "repository_url": subject.api(),
        "transient_environment": deployment.transient,
        "production_environment": deployment.production,
        "performed_via_github_app": by_app,
    })
}

fn said(app: &App, subject: &Subject, deployment: &Deployment, status: &DeploymentStatus) -> Value {
    let url = format!("{}/deployments/{}", subject.api(), deployment.id);
    let (creator, by_app) = creator(app, subject, &status.creator);
    json!({
        "url": format!("{url}/statuses/{}", status.id),
        "id": status.id,
        "node_id": payload::node_id("DeploymentStatus", status.id),
        "state": status.state,
        "creator": creator,
        "description": status.description,
        "environment": status.environment,
        "target_url": status.log_url,
        "log_url": status.log_url,
        "environment_url": status.environment_url,
        "created_at": time(status.created_at),
        "updated_at": time(status.created_at),
        "deployment_url": url,
        "repository_url": subject.api(),
        "performed_via_github_app": by_app,
    })
}
