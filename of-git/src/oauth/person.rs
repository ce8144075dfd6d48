//! The routes by which the platform asks who has signed in.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sdk::id::Owner;
use serde_json::Value;

use super::member::{membership, organisation, profile, user};
use super::tokens::Person;
use crate::app::App;
use crate::auth::bearer_token;
use crate::clock;
use crate::organisations::Role;
use crate::rest::{ApiError, page, query};

/// `GET /api/v3/user`.
pub(crate) async fn show(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, ApiError> {
    let person = whose(&app, &headers)?;
    let about = app.owners.about(&person.owner).ok_or_else(ApiError::bad_credentials)?;
    let base = app.config.public_base();
    let shown = profile(base, &person.owner, person.number, about.repositories, about.created_at);
    Ok(([no_store()], Json(shown)).into_response())
}

/// `GET /api/v3/user/memberships/orgs`.
pub(crate) async fn memberships(
    State(app): State<Arc<App>>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let person = whose(&app, &headers)?;
    let asked = query(raw.as_deref())?;
    if asked.get("state").is_some_and(|state| state == "pending") {
        return Ok(([no_store()], Json(Value::Array(Vec::new()))).into_response());
    }
    let base = app.config.public_base();
    let somebody = user(base, &person.owner, person.number);
    let all = of(&app, &person).await?.into_iter();
    let all = all.map(|(login, number, role)| membership(&organisation(base, &login, number), &somebody, role));
    page(&format!("{base}/api/v3/user/memberships/orgs"), &asked, all.collect())
}

/// `GET /api/v3/user/orgs`.
pub(crate) async fn organisations(
    State(app): State<Arc<App>>,
    RawQuery(raw): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let person = whose(&app, &headers)?;
    let asked = query(raw.as_deref())?;
    let base = app.config.public_base();
    let all = of(&app, &person).await?.into_iter().map(|(login, number, _)| organisation(base, &login, number));
    page(&format!("{base}/api/v3/user/orgs"), &asked, all.collect())
}

/// Whose token it is. The platform's own token is nobody's.
fn whose(app: &App, headers: &HeaderMap) -> Result<Person, ApiError> {
    let missing = || ApiError(StatusCode::UNAUTHORIZED, "Requires authentication".into());
    let token = bearer_token(headers).ok_or_else(missing)?;
    if app.keys.bearer(headers).is_ok() {
        return Err(ApiError::forbidden());
    }
    let person = app.oauth.as_ref().and_then(|oauth| oauth.tokens.whose(token, clock::now()));
    // A login that belongs to somebody else by now is not the person's who signed in.
    person
        .filter(|person| app.owners.number(&person.owner) == Some(person.number))
        .ok_or_else(ApiError::bad_credentials)
}

/// Somebody's organisations, with their numbers.
async fn of(app: &App, person: &Person) -> Result<Vec<(Owner, u64, Role)>, ApiError> {
    let failed = |error: std::io::Error| {
        tracing::error!(cause = %error, "the organisations could not be read");
        ApiError(StatusCode::INTERNAL_SERVER_ERROR, "The organisations could not be read.".into())
    };
    let mut all = Vec::new();
    for (login, role) in app.organisations.of(&person.owner).await.map_err(failed)? {
        let number = app.owners.register_owner(&login).await.map_err(failed)?;
        all.push((login, number, role));
    }
    Ok(all)
}

fn no_store() -> (http::HeaderName, HeaderValue) {
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
}
