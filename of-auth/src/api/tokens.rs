//! `/api/tokens`: a person's API tokens, by one of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use http::StatusCode;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use session::protocol::Scope;

use crate::api::{ApiRefusal, Bearer};
use crate::api_token::Wanted;
use crate::app::{App, actor};
use crate::store::{ApiToken, words};

/// A token, without the token. Times are seconds since 1970.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    id: String,
    name: String,
    scopes: BTreeSet<Scope>,
    created: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    used: Option<u64>,
    expires: u64,
}

impl From<ApiToken> for Shown {
    fn from(token: ApiToken) -> Self {
        let ApiToken { id, name, scopes, created, used, expires, .. } = token;
        Self { id, name, scopes, created, used, expires }
    }
}

/// `GET /api/tokens`.
pub(crate) async fn list(State(app): State<Arc<App>>, bearer: Bearer) -> Result<Json<Vec<Shown>>, ApiRefusal> {
    bearer.needs(&app, Scope::Read)?;
    let tokens = app.store.tokens(&bearer.token.subject, app.clock.now()).await?;
    Ok(Json(tokens.into_iter().map(Shown::from).collect()))
}

/// What is asked for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Create {
    name: String,
    scopes: BTreeSet<Scope>,
    days: Option<u64>,
}

/// The new token, this once.
#[derive(Debug, Serialize)]
pub(crate) struct Created {
    token: String,
    #[serde(flatten)]
    about: Shown,
}

/// `POST /api/tokens`: a new token, which may be used for no more than the one that asks.
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    bearer: Bearer,
    body: Result<Json<Create>, JsonRejection>,
) -> Result<(StatusCode, Json<Created>), ApiRefusal> {
    bearer.needs(&app, Scope::Write)?;
    let Json(create) = body.map_err(|error| ApiRefusal::NotUnderstood(error.body_text()))?;
    for scope in &create.scopes {
        bearer.needs(&app, *scope)?;
    }
    let wanted = Wanted::new(&create.name, create.scopes, create.days)?;
    let made = app.make_token(&bearer.token.subject, wanted).await?;
    let note = format!("Made the API token '{}' for: {}.", made.token.name, words(&made.token.scopes));
    app.audit.note(actor(&bearer.who), note);
    let created = Created { token: made.text.expose_secret().to_owned(), about: made.token.into() };
    Ok((StatusCode::CREATED, Json(created)))
}

/// `DELETE /api/tokens/<id>`; `current` is the token that asks, which needs no scope for that.
pub(crate) async fn revoke(
    State(app): State<Arc<App>>,
    bearer: Bearer,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiRefusal> {
    let own = id == "current" || id == bearer.token.id;
    if !own {
        bearer.needs(&app, Scope::Write)?;
    }
    let id = if own { &bearer.token.id } else { &id };
    let name = app.revoke_token(id, &bearer.token.subject).await?.ok_or(ApiRefusal::NoSuchToken)?;
    app.audit.note(actor(&bearer.who), format!("Revoked the API token '{name}'."));
    Ok(StatusCode::NO_CONTENT)
}
