//! `/tokens`: somebody's API tokens.

use std::collections::BTreeSet;
use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use secrecy::ExposeSecret;
use serde::Deserialize;
use session::protocol::Scope;

use crate::address::LocalPath;
use crate::api_token::{DAYS, MOST_DAYS, NoToken, Wanted};
use crate::app::{App, actor};
use crate::issue::Living;
use crate::pages::guard::{AtAuth, Posted};
use crate::pages::{self, style, time};
use crate::refusal::Refusal;
use crate::store::words;

#[derive(Template)]
#[template(path = "tokens.html")]
struct Tokens<'a> {
    tokens: Vec<Line>,
    /// A token that was just made, which is shown this once.
    made: Option<&'a str>,
    problem: Option<String>,
    days: u64,
    most_days: u64,
    /// For how long roles in organisations count.
    roles_days: u64,
}

struct Line {
    id: String,
    name: String,
    scopes: String,
    created: String,
    used: String,
    expires: String,
}

fn back() -> LocalPath {
    "/tokens".parse().unwrap_or_else(|_| LocalPath::root())
}

/// `GET /tokens`.
pub(crate) async fn show(_: AtAuth, State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Response> {
    let living = app.signed_in_or_login(&headers, &back()).await?;
    list(&app, &living, StatusCode::OK, None, None).await
}

async fn list(
    app: &App,
    living: &Living,
    status: StatusCode,
    made: Option<&str>,
    problem: Option<String>,
) -> Result<Response, Response> {
    let tokens = app.store.tokens(&living.session.subject, app.clock.now()).await;
    let tokens = tokens.map_err(|error| Refusal::Store(error).into_response())?;
    let tokens = tokens.into_iter().map(|token| Line {
        scopes: words(&token.scopes),
        created: time(token.created),
        used: token.used.map_or_else(|| "never".to_owned(), time),
        expires: time(token.expires),
        id: token.id,
        name: token.name,
    });
    let roles_days = app.roles.token.div_ceil(24 * 3600);
    let page = Tokens { tokens: tokens.collect(), made, problem, days: DAYS, most_days: MOST_DAYS, roles_days };
    let mut response = pages::form(status, &page);
    pages::set_cookies(&mut response, app.session_cookie(living).as_slice());
    Ok(response)
}

/// A checkbox each, because a form's repeated fields are not read as a list.
#[derive(Debug, Deserialize)]
pub(crate) struct Create {
    name: String,
    days: u64,
    invoke: Option<String>,
    read: Option<String>,
    write: Option<String>,
}

/// `POST /tokens`.
pub(crate) async fn create(
    _: AtAuth,
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    posted: Result<Posted<Create>, Response>,
) -> Result<Response, Response> {
    let form = posted?.form;
    let living = app.signed_in_or_login(&headers, &back()).await?;
    let chosen = [(form.invoke, Scope::Invoke), (form.read, Scope::Read), (form.write, Scope::Write)];
    let scopes: BTreeSet<Scope> = chosen.into_iter().filter_map(|(field, scope)| field.map(|_| scope)).collect();
    let made = match Wanted::new(&form.name, scopes, Some(form.days)) {
        Ok(wanted) => app.make_token(&living.session.subject, wanted).await,
        Err(problem) => Err(problem),
    };
    match made {
        Ok(made) => {
            let (name, scopes) = (&made.token.name, words(&made.token.scopes));
            app.audit.note(actor(&living.claims.who), format!("Made the API token '{name}' for: {scopes}."));
            list(&app, &living, StatusCode::CREATED, Some(made.text.expose_secret()), None).await
        }
        Err(NoToken::Store(error)) => Err(Refusal::Store(error).into_response()),
        Err(NoToken::Random(error)) => Err(Refusal::Random(error).into_response()),
        Err(problem) => list(&app, &living, StatusCode::BAD_REQUEST, None, Some(problem.to_string())).await,
    }
}

#[derive(Debug, Deserialize)]
pub(crate) struct Revoke {
    id: String,
}

/// `POST /tokens/revoke`.
pub(crate) async fn revoke(
    _: AtAuth,
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    posted: Result<Posted<Revoke>, Response>,
) -> Result<Response, Response> {
    let id = posted?.form.id;
    let living = app.signed_in_or_login(&headers, &back()).await?;
    let revoked = app.revoke_token(&id, &living.session.subject).await;
    if let Some(name) = revoked.map_err(|error| Refusal::Store(error).into_response())? {
        app.audit.note(actor(&living.claims.who), format!("Revoked the API token '{name}'."));
    }
    let to = app.addresses.at(&crate::address::Site::Auth, &back());
    Ok(pages::redirect(&to, app.session_cookie(&living).as_slice()))
}
