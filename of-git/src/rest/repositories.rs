//! Repositories themselves.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use http::{HeaderMap, StatusCode};
use sdk::id::{RepoName, RepoPath};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::OwnedMutexGuard;

use super::access::{METADATA, Place, open};
use super::error::ApiError;
use crate::app::App;
use crate::payload;

/// The body that changes a repository.
#[derive(Debug, Deserialize)]
pub(super) struct Change {
    name: Option<String>,
}

/// `GET /repos/{owner}/{repo}`.
pub(super) async fn show(
    State(app): State<Arc<App>>,
    Path((owner, repo)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let place = open(&app, &headers, (&owner, &repo), METADATA).await?;
    Ok(Json(payload::repository(&app.subject(place.known).await?)))
}

/// `DELETE /repos/{owner}/{repo}`: by its owner, and for good.
pub(super) async fn remove(
    State(app): State<Arc<App>>,
    Path((owner, repo)): Path<(String, String)>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let place = open(&app, &headers, (&owner, &repo), METADATA).await?;
    place.expect_owner()?;
    let _lock = lock(&app, place.path()).await?;
    let subject = app.subject(place.known.clone()).await?;
    // The webhook first: told twice is harmless, and untold the functions would stay for ever.
    app.tell(&subject.known, "repository", &payload::repository_event(&subject, "deleted", None)).await?;
    let path = place.path();
    app.owners.forget(path).await?;
    app.repositories.remove(path).await?;
    app.notes.remove(path).await?;
    app.checks.remove(path).await?;
    app.deployments.remove(path).await?;
    tracing::info!(repo = %path, "a repository was removed");
    Ok(StatusCode::NO_CONTENT)
}

/// `PATCH /repos/{owner}/{repo}`: of what GitHub changes, its name.
pub(super) async fn rename(
    State(app): State<Arc<App>>,
    Path((owner, repo)): Path<(String, String)>,
    headers: HeaderMap,
    body: Result<Json<Change>, JsonRejection>,
) -> Result<Json<Value>, ApiError> {
    let place = open(&app, &headers, (&owner, &repo), METADATA).await?;
    place.expect_owner()?;
    let Json(Change { name }) = body?;
    let Some(name) = name.filter(|name| name != place.path().repo.as_str()) else {
        return Ok(Json(payload::repository(&app.subject(place.known).await?)));
    };
    let name: RepoName = name.parse().map_err(|error| ApiError::unprocessable(format!("{error}")))?;
    move_to(&app, &place, &name).await?;
    let path = RepoPath { owner: place.path().owner.clone(), repo: name };
    let known = app.owners.repository(&path).ok_or_else(ApiError::not_found)?;
    let subject = app.subject(known).await?;
    let changes = json!({ "repository": { "name": { "from": place.path().repo } } });
    app.tell(&subject.known, "repository", &payload::repository_event(&subject, "renamed", Some(changes))).await?;
    tracing::info!(repo = %path, from = %place.path().repo, "a repository was renamed");
    Ok(Json(payload::repository(&subject)))
}

async fn move_to(app: &App, place: &Place, name: &RepoName) -> Result<(), ApiError> {
    let from = place.path();
    let to = RepoPath { owner: from.owner.clone(), repo: name.clone() };
    let _lock = lock(app, from).await?;
    if app.notes.find(from).await?.is_some() {
        return Err(ApiError(StatusCode::CONFLICT, "A push to this repository is not finished yet.".into()));
    }
    // Names differ in more than case.
    if !from.repo.as_str().eq_ignore_ascii_case(name.as_str()) {
        let _other = lock(app, &to).await?;
        if app.repositories.find(&to).await.is_some() {
            return Err(ApiError::unprocessable("name already exists on this account"));
        }
        app.repositories.rename(from, &to).await?;
        app.checks.rename(from, &to).await?;
        app.deployments.rename(from, &to).await?;
    }
    Ok(app.owners.rename(from, name).await?)
}

async fn lock(app: &App, path: &RepoPath) -> Result<OwnedMutexGuard<()>, ApiError> {
    let busy = || ApiError(StatusCode::CONFLICT, "A push to this repository is still going on.".into());
    app.repositories.lock(path).await.ok_or_else(busy)
}
