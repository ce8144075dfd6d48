//! `/device`: confirming that a command line may act for somebody.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use crate::address::LocalPath;
use crate::app::{App, actor};
use crate::issue::Living;
use crate::limit::{Attempt, Client};
use crate::pages::guard::{AtAuth, Posted};
use crate::pages::{self, Message, style};
use crate::random;
use crate::refusal::Refusal;
use crate::store::{Device, words};

#[derive(Template)]
#[template(path = "device.html")]
struct Confirm {
    login: String,
    waiting: Option<Waiting>,
    problem: bool,
}

struct Waiting {
    code: String,
    name: String,
    scopes: String,
    client: String,
}

impl From<Device> for Waiting {
    fn from(device: Device) -> Self {
        let Device { code, name, scopes, client, .. } = device;
        Self { code, name, scopes: words(&scopes), client }
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Typed {
    user_code: Option<String>,
}

/// `GET /device`: asks for the code, and then whether it is right.
pub(crate) async fn show(
    _: AtAuth,
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Query(typed): Query<Typed>,
) -> Result<Response, Response> {
    let code = typed.user_code.as_deref().and_then(random::typed_code);
    let back = code.as_ref().map_or_else(|| "/device".to_owned(), |code| format!("/device?user_code={code}"));
    let living = app.signed_in_or_login(&headers, &back.parse().unwrap_or_else(|_| LocalPath::root())).await?;
    let waiting = match &code {
        Some(code) => find(&app, &headers, code).await.map_err(IntoResponse::into_response)?,
        None => None,
    };
    let problem = typed.user_code.is_some() && waiting.is_none();
    Ok(confirm(&app, &living, waiting, problem))
}

async fn find(app: &App, headers: &HeaderMap, code: &str) -> Result<Option<Device>, Refusal> {
    let now = app.clock.now();
    if !app.limiter.allows(Attempt::Code, Client::of(headers), now) {
        return Err(Refusal::TooOften);
    }
    Ok(app.store.device(code, now).await?)
}

fn confirm(app: &App, living: &Living, waiting: Option<Device>, problem: bool) -> Response {
    let login = living.claims.who.login.to_string();
    let status = if problem { StatusCode::NOT_FOUND } else { StatusCode::OK };
    let mut response = pages::form(status, &Confirm { login, waiting: waiting.map(Waiting::from), problem });
    pages::set_cookies(&mut response, app.session_cookie(living).as_slice());
    response
}

#[derive(Debug, Deserialize)]
pub(crate) struct Decision {
    user_code: String,
    /// `grant`, or anything else for a no.
    decision: String,
}

/// `POST /device`.
pub(crate) async fn decide(
    _: AtAuth,
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    posted: Result<Posted<Decision>, Response>,
) -> Result<Response, Response> {
    let form = posted?.form;
    let living = app.signed_in_or_login(&headers, &LocalPath::root()).await?;
    let now = app.clock.now();
    if !app.limiter.allows(Attempt::Code, Client::of(&headers), now) {
        return Err(Refusal::TooOften.into_response());
    }
    let Some(code) = random::typed_code(&form.user_code) else { return Ok(confirm(&app, &living, None, true)) };
    let granted = form.decision == "grant";
    let decided = app.store.decide_device(&code, &living.session.subject, granted, now).await;
    let Some(device) = decided.map_err(|error| Refusal::Store(error).into_response())? else {
        return Ok(confirm(&app, &living, None, true));
    };
    let (did, sentence) = match granted {
        true => ("Let", "The command line is signed in. You can close this page."),
        false => ("Did not let", "The command line was turned away. You can close this page."),
    };
    let (name, scopes) = (&device.name, words(&device.scopes));
    let note = format!("{did} the command line '{name}' at {} act for: {scopes}.", device.client);
    app.audit.note(actor(&living.claims.who), note);
    Ok(pages::page(StatusCode::OK, &Message { title: "Command line", sentence, again: None }))
}
