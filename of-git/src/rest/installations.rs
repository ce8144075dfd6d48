//! Where the App is to be: what an owner decides at GitHub with a mouse.

use std::sync::Arc;

use axum::extract::{Path, State};
use http::{HeaderMap, StatusCode};
use sdk::id::{Owner, RepoPath};

use super::access::the_app;
use super::error::ApiError;
use crate::app::App;
use crate::auth::Caller;
use crate::outbox::Delivery;
use crate::owners::{Installation, Known};
use crate::payload;

/// `DELETE /app/installations/{id}`: takes the App away from an account.
pub(super) async fn uninstall(
    State(app): State<Arc<App>>,
    Path(number): Path<u64>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let id = the_app(&app, &headers)?.id;
    let one = app.owners.installation(number).ok_or_else(ApiError::not_found)?;
    // The webhook first: told twice is harmless, and untold the functions would stay for ever.
    let had: Vec<Known> = app.owners.repositories(&one.owner).into_iter().filter(|known| known.installed).collect();
    tell(&app, "installation", &payload::installation(app.config.public_base(), id, "deleted", &one, &had)).await?;
    app.owners.uninstall(&one.owner).await?;
    tracing::info!(owner = %one.owner, repositories = had.len(), "the App was uninstalled");
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /user/installations/{id}/repositories/{repository}`: takes the App away from one repository.
pub(super) async fn remove_repository(
    State(app): State<Arc<App>>,
    Path((number, repository)): Path<(u64, u64)>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let (owner, path) = owned(&app, &headers, number, repository)?;
    let one = app.owners.installation(number).ok_or_else(ApiError::not_found)?;
    let known = app.owners.repository(&path).filter(|known| known.installed).ok_or_else(ApiError::not_found)?;
    let one = Installation { all: false, ..one };
    tell_repositories(&app, &one, &[], &[known]).await?;
    app.owners.set_installed(&path, false).await?;
    tracing::info!(owner = %owner, repo = %path.repo, "the App was taken away from a repository");
    Ok(StatusCode::NO_CONTENT)
}

/// `PUT /user/installations/{id}/repositories/{repository}`: gives the App a repository. Where the account has it no
/// more, this installs it for this repository alone, which GitHub does on a page of its own.
pub(super) async fn add_repository(
    State(app): State<Arc<App>>,
    Path((number, repository)): Path<(u64, u64)>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let (owner, path) = owned(&app, &headers, number, repository)?;
    let was_there = app.owners.installation(number).is_some();
    if !app.owners.set_installed(&path, true).await? {
        return Ok(StatusCode::NO_CONTENT);
    }
    let one = app.owners.installation(number).ok_or_else(ApiError::not_found)?;
    let known = app.owners.repository(&path).ok_or_else(ApiError::not_found)?;
    if was_there {
        tell_repositories(&app, &one, &[known], &[]).await?;
    } else {
        let body = payload::installation(app.config.public_base(), app.app_id(), "created", &one, &[known]);
        tell(&app, "installation", &body).await?;
    }
    tracing::info!(owner = %owner, repo = %path.repo, "the App was installed for a repository");
    Ok(StatusCode::NO_CONTENT)
}

/// The repository of that number, if the caller is the owner of that number and it is theirs.
fn owned(app: &App, headers: &HeaderMap, number: u64, repository: u64) -> Result<(Owner, RepoPath), ApiError> {
    // Who does not know a token is not told which numbers there are.
    let owner = app.owners.login(number).ok_or_else(ApiError::bad_credentials)?;
    match app.keys.rest(headers, &owner).map_err(|_| ApiError::bad_credentials())? {
        Caller::Owner(caller) if caller == owner => {}
        Caller::Owner(_) => return Err(ApiError::not_found()),
        Caller::Platform | Caller::Installation(_) => return Err(ApiError::forbidden()),
    }
    let all = app.owners.repositories(&owner);
    let known = all.into_iter().find(|known| known.repo_id == repository).ok_or_else(ApiError::not_found)?;
    Ok((owner, known.path))
}

async fn tell_repositories(app: &App, one: &Installation, added: &[Known], removed: &[Known]) -> Result<(), ApiError> {
    let body = payload::installation_repositories(app.config.public_base(), app.app_id(), one, added, removed);
    tell(app, "installation_repositories", &body).await
}

async fn tell(app: &App, event: &str, body: &serde_json::Value) -> Result<(), ApiError> {
    app.outbox.add(vec![Delivery::new(event, body)]).await?;
    Ok(())
}
