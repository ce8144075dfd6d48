//! `/api/device`: how a command line gets its API token (RFC 8628, with JSON).

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use session::protocol::Scope;

use crate::api::{ApiRefusal, ErrorBody, Here};
use crate::api_token::{self, Wanted};
use crate::app::App;
use crate::limit::{Attempt, Client};
use crate::random;
use crate::store::{DEVICE_LIFETIME, DEVICE_PAUSE, Device, Polled, words};

/// User codes that are taken are drawn anew; with some thousand waiting, even twice in a row never happens.
const DRAWS: usize = 5;

/// What a command line asks for.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    /// What the token is to be called: `ofc on laptop`.
    name: String,
    scopes: BTreeSet<Scope>,
}

/// What it is to show its user, and to ask with.
#[derive(Debug, Serialize)]
pub(crate) struct Begun {
    device_code: String,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: String,
    /// Seconds between two questions.
    interval: u64,
    /// Seconds until this is over.
    expires_in: u64,
}

/// `POST /api/device`.
pub(crate) async fn begin(
    _: Here,
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Result<Json<Wish>, JsonRejection>,
) -> Result<Json<Begun>, ApiRefusal> {
    let (now, client) = (app.clock.now(), Client::of(&headers));
    if !app.limiter.allows(Attempt::Device, client, now) {
        return Err(ApiRefusal::TooOften);
    }
    let Json(wish) = body.map_err(|error| ApiRefusal::NotUnderstood(error.body_text()))?;
    let wanted = Wanted::new(&wish.name, wish.scopes, None)?;
    let (device_code, uri) = (random::value()?, format!("{}/device", app.addresses.issuer()));
    for _ in 0..DRAWS {
        let device = Device {
            code: random::code()?,
            name: wanted.name.clone(),
            scopes: wanted.scopes.clone(),
            client: client.to_string(),
            expires: now.saturating_add(DEVICE_LIFETIME),
        };
        let user_code = device.code.clone();
        if app.store.keep_device(random::hash(&device_code), device).await? {
            let verification_uri_complete = format!("{uri}?user_code={user_code}");
            return Ok(Json(Begun {
                device_code,
                user_code,
                verification_uri: uri,
                verification_uri_complete,
                interval: DEVICE_PAUSE,
                expires_in: DEVICE_LIFETIME,
            }));
        }
    }
    Err(ApiRefusal::TooOften)
}

/// A command line's question.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Question {
    device_code: String,
}

/// The token, this once.
#[derive(Debug, Serialize)]
pub(crate) struct Given {
    access_token: String,
    token_type: &'static str,
    scope: String,
    expires_in: u64,
    id: String,
}

/// `POST /api/device/token`.
pub(crate) async fn token(
    _: Here,
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Result<Json<Question>, JsonRejection>,
) -> Result<Response, ApiRefusal> {
    let now = app.clock.now();
    if !app.limiter.allows(Attempt::Poll, Client::of(&headers), now) {
        return Err(ApiRefusal::TooOften);
    }
    let Json(question) = body.map_err(|error| ApiRefusal::NotUnderstood(error.body_text()))?;
    // Whose and what for is filled in from what was confirmed.
    let nothing = Wanted { name: String::new(), scopes: BTreeSet::new(), days: api_token::DAYS };
    let made = api_token::make(String::new(), nothing, now)?;
    let polled = app.store.poll_device(random::hash(&question.device_code), now, made.hash, made.token).await?;
    let (error, description) = match polled {
        Polled::Token(token) => {
            let (name, scopes) = (&token.name, words(&token.scopes));
            app.audit
                .note(token.subject.clone(), format!("The command line '{name}' got its API token for: {scopes}."));
            return Ok(Json(Given {
                access_token: made.text.expose_secret().to_owned(),
                token_type: "bearer",
                scope: scopes,
                expires_in: token.expires - now,
                id: token.id,
            })
            .into_response());
        }
        Polled::Pending => ("authorization_pending", "nobody has confirmed yet".to_owned()),
        Polled::SlowDown(pause) => ("slow_down", format!("wait {pause} s between two questions")),
        Polled::Denied => ("access_denied", "this was turned away".to_owned()),
        Polled::TooMany => ("access_denied", "there are too many API tokens; revoke one first".to_owned()),
        Polled::Expired => ("expired_token", "this is over; begin anew".to_owned()),
    };
    Ok((StatusCode::BAD_REQUEST, Json(ErrorBody { error, error_description: description })).into_response())
}
