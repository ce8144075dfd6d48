//! The form, and the end of a session.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use sdk::id::Owner;

use super::error::PageError;
use super::html::{page, see_other};
use super::sessions::Session;
use super::templates::{Moment, SignIn, SignOut, SignedIn, SignedOut};
use crate::app::App;
use crate::clock;
use crate::owners::is_reserved;
use crate::parameters::{Parameters, is_type};

/// Where somebody goes who has just signed in.
const CONTINUE: &str = "/login/continue";

/// `GET /login`.
pub(crate) async fn show(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, PageError> {
    Ok(match app.signed_in(&headers).await? {
        Some(session) => page(StatusCode::OK, &SignedIn { owner: &session.owner }),
        None => page(StatusCode::OK, &SignIn { login: "", wrong: None }),
    })
}

/// `POST /login`: with login and token.
pub(crate) async fn sign_in(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, PageError> {
    app.login.expect_own_form(&headers)?;
    if !is_type(&headers, "application/x-www-form-urlencoded") {
        return Err(PageError::Form);
    }
    let given = Parameters::parse(&body).map_err(|_| PageError::Form)?;
    let login = given.get("login").unwrap_or_default().trim();
    let wrong = || page(StatusCode::FORBIDDEN, &SignIn { login, wrong: Some("Login or token is wrong.") });
    let Some(owner) = login.parse::<Owner>().ok().filter(|owner| !is_reserved(owner)) else { return Ok(wrong()) };
    app.login.attempts.count(&owner, clock::now()).map_err(|wait| {
        tracing::warn!(%owner, "too many attempts to sign in");
        PageError::TooMany { wait }
    })?;
    if !app.keys.is_token_of(&owner, given.get("token").unwrap_or_default().trim()) {
        tracing::warn!(%owner, "somebody tried to sign in with a wrong token");
        return Ok(wrong());
    }
    begin(&app, &headers, &owner, "token").await
}

/// Signs an owner in, who gets a number now if there is none, and ends what the browser had before.
pub(super) async fn begin(app: &App, headers: &HeaderMap, owner: &Owner, by: &str) -> Result<Response, PageError> {
    let number = app.owners.register_owner(owner).await?;
    let now = clock::now();
    let before = app.login.sessions.of(headers, now).await?;
    app.login.sessions.end(before, now).await?;
    tracing::info!(%owner, by, "somebody signed in");
    // A form's redirects would be held to the policy on forms, which ends here; the next page goes on from here.
    Ok(with_cookie(see_other(CONTINUE), &app.login.sessions.begin(owner, number, now)))
}

/// `GET /login/continue`: on to what somebody signed in for.
pub(crate) async fn go_on(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, PageError> {
    let Some(Session { owner, .. }) = app.signed_in(&headers).await? else { return Ok(see_other("/login")) };
    let pending = app.login.pending(&headers);
    let home = || app.login.home.as_ref().map(ToString::to_string);
    let next = pending.map(|query| format!("/login/oauth/authorize?{query}")).or_else(home);
    let Some(next) = next else { return Ok(see_other("/login")) };
    let page = page(StatusCode::OK, &Moment { owner: &owner, next: &next });
    Ok(with_cookie(page, &app.login.drop_pending()))
}

/// `GET /logout`.
pub(crate) async fn ask_to_sign_out(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, PageError> {
    Ok(match app.signed_in(&headers).await? {
        Some(session) => page(StatusCode::OK, &SignOut { owner: &session.owner }),
        None => page(StatusCode::OK, &SignedOut),
    })
}

/// `POST /logout`.
pub(crate) async fn sign_out(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, PageError> {
    app.login.expect_own_form(&headers)?;
    let now = clock::now();
    let session = app.login.sessions.of(&headers, now).await?;
    let cookie = app.login.sessions.end(session, now).await?;
    Ok(with_cookie(with_cookie(page(StatusCode::OK, &SignedOut), &cookie), &app.login.drop_pending()))
}

fn with_cookie(mut response: Response, cookie: &str) -> Response {
    match HeaderValue::try_from(cookie) {
        Ok(value) => {
            response.headers_mut().append(header::SET_COOKIE, value);
            response
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
