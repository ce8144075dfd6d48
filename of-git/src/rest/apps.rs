//! The App: itself, its installations, and tokens for them.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use chrono::DateTime;
use http::{HeaderMap, StatusCode};
use sdk::id::{Owner, RepoPath};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::access::{installation as grant_of, the_app};
use super::error::ApiError;
use super::page::{counted, page, query};
use crate::app::App;
use crate::clock;
use crate::github_app::{self, Permissions};
use crate::installation_token::{Grant, MAX_REPOSITORIES, SECONDS};
use crate::owners::{Installation, Known};
use crate::payload;

/// The body that asks for a token; everything in it narrows what the token is good for.
#[derive(Debug, Default, Deserialize)]
struct Narrower {
    permissions: Option<Permissions>,
    repository_ids: Option<Vec<u64>>,
    repositories: Option<Vec<String>>,
}

/// `GET /app`.
pub(super) async fn show(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    the_app(&app, &headers)?;
    let mut shown = app.app_shown();
    shown["installations_count"] = app.owners.installations().len().into();
    Ok(Json(shown))
}

/// `GET /app/installations`.
pub(super) async fn installations(
    State(app): State<Arc<App>>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let id = the_app(&app, &headers)?.id;
    let base = app.config.public_base();
    let all = app.owners.installations().iter().map(|one| payload::installation_shown(base, id, one)).collect();
    page(&format!("{base}/api/v3/app/installations"), &query(raw.as_deref())?, all)
}

/// `GET /app/installations/{id}`.
pub(super) async fn installation(
    State(app): State<Arc<App>>,
    Path(number): Path<u64>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let id = the_app(&app, &headers)?.id;
    let one = app.owners.installation(number).ok_or_else(ApiError::not_found)?;
    Ok(Json(payload::installation_shown(app.config.public_base(), id, &one)))
}

/// `GET /repos/{owner}/{repo}/installation`.
pub(super) async fn of_repository(
    State(app): State<Arc<App>>,
    Path((owner, repo)): Path<(Owner, String)>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let id = the_app(&app, &headers)?.id;
    let path = RepoPath { owner, repo: repo.parse().map_err(|_| ApiError::not_found())? };
    let known = app.owners.repository(&path).filter(|known| known.installed).ok_or_else(ApiError::not_found)?;
    let one = app.owners.installation(known.owner_id).ok_or_else(ApiError::not_found)?;
    Ok(Json(payload::installation_shown(app.config.public_base(), id, &one)))
}

/// `POST /app/installations/{id}/access_tokens`.
pub(super) async fn access_token(
    State(app): State<Arc<App>>,
    Path(number): Path<u64>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, ApiError> {
    the_app(&app, &headers)?;
    let asked: Narrower = if body.is_empty() {
        Narrower::default()
    } else {
        let problem =
            |_| ApiError::unprocessable("Invalid request. The permissions or repositories are not understood.");
        serde_json::from_slice(&body).map_err(problem)?
    };
    let one = app.owners.installation(number).ok_or_else(ApiError::not_found)?;
    let has: Vec<Known> = app.owners.repositories(&one.owner).into_iter().filter(|known| known.installed).collect();
    let chosen = asked.choose(&has)?;
    let permissions = asked.permissions()?;
    let expires = clock::now() + SECONDS;
    let repositories = chosen.as_ref().map(|chosen| chosen.iter().map(|known| known.repo_id).collect());
    let grant = Grant { installation: number, permissions, repositories, expires };
    let token = app.keys.installation_tokens.issue(&grant);
    let token = token.ok_or_else(|| ApiError::unprocessable("The token would name too many repositories."))?;
    tracing::debug!(installation = number, "the App was given a token of an installation");
    Ok((StatusCode::CREATED, Json(shown(&grant, token.expose_secret(), chosen.as_deref(), &one))).into_response())
}

/// `GET /installation/repositories`.
pub(super) async fn repositories(
    State(app): State<Arc<App>>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let grant = grant_of(&app, &headers)?;
    let one = app.owners.installation(grant.installation).ok_or_else(ApiError::bad_credentials)?;
    let mut all = Vec::new();
    for known in app.owners.repositories(&one.owner).into_iter().filter(|k| k.installed && grant.includes(k.repo_id)) {
        all.push(payload::repository(&app.subject(known).await?));
    }
    let address = format!("{}/api/v3/installation/repositories", app.config.public_base());
    counted(&address, &query(raw.as_deref())?, "repositories", all)
}

impl Narrower {
    /// The repositories that are asked for; `None` for all.
    fn choose(&self, has: &[Known]) -> Result<Option<Vec<Known>>, ApiError> {
        if self.repository_ids.is_none() && self.repositories.is_none() {
            return Ok(None);
        }
        let (ids, names) = (self.repository_ids.iter().flatten(), self.repositories.iter().flatten());
        let by_id = ids.map(|id| has.iter().find(|known| known.repo_id == *id));
        let is = |known: &Known, name: &str| known.path.repo.as_str().eq_ignore_ascii_case(name);
        let by_name = names.map(|name| has.iter().find(|known| is(known, name)));
        let chosen: Option<Vec<Known>> = by_id.chain(by_name).map(|found| found.cloned()).collect();
        let missing =
            "There is at least one repository that does not exist or is not accessible to the parent installation.";
        match chosen {
            Some(chosen) if chosen.len() <= MAX_REPOSITORIES => Ok(Some(chosen)),
            Some(_) => Err(ApiError::unprocessable(format!("A token may name {MAX_REPOSITORIES} repositories."))),
            None => Err(ApiError::unprocessable(missing)),
        }
    }

    fn permissions(&self) -> Result<Permissions, ApiError> {
        let has = github_app::permissions();
        let Some(asked) = &self.permissions else { return Ok(has) };
        if asked.iter().any(|(name, level)| has.get(name).is_none_or(|most| level > most)) {
            return Err(ApiError::unprocessable("The permissions requested are not granted to this installation."));
        }
        // It is in every token, as at GitHub.
        let metadata = has.get_key_value("metadata").map(|(name, level)| (name.clone(), *level));
        Ok(asked.clone().into_iter().chain(metadata).collect())
    }
}

fn shown(grant: &Grant, token: &str, chosen: Option<&[Known]>, one: &Installation) -> Value {
    let expires = i64::try_from(grant.expires).ok().and_then(|seconds| DateTime::from_timestamp(seconds, 0));
    let mut answer = json!({
        "token": token,
        "expires_at": expires.map(payload::time),
        "permissions": grant.permissions,
        "repository_selection": if chosen.is_none() && one.all { "all" } else { "selected" },
    });
    if let Some(chosen) = chosen {
        answer["repositories"] = chosen.iter().map(payload::short_repository).collect();
    }
    answer
}
