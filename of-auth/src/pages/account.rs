//! `auth.system.<domain>/`: who somebody is here, and where signed in.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use sdk::identity::{Identity, Role};
use serde::Deserialize;

use crate::address::{LocalPath, Site};
use crate::app::{App, actor};
use crate::pages::guard::{AtAuth, Posted};
use crate::pages::host::signed_out;
use crate::pages::{self, LOGIN, style, time};
use crate::refusal::Refusal;
use crate::store::Which;

#[derive(Template)]
#[template(path = "account.html")]
struct Account {
    who: Identity,
    sessions: Vec<Line>,
    tokens: usize,
}

struct Line {
    sid: String,
    agent: String,
    created: String,
    seen: String,
    this: bool,
}

fn role(role: Role) -> &'static str {
    match role {
        Role::Viewer => "viewer",
        Role::Member => "member",
        Role::Owner => "owner",
    }
}

/// `GET /`.
pub(crate) async fn show(_: AtAuth, State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Response, Response> {
    let living = app.signed_in_or_login(&headers, &LocalPath::root()).await?;
    let (now, subject) = (app.clock.now(), &living.session.subject);
    let refused = |error| Refusal::Store(error).into_response();
    let sessions = app.store.sessions(subject, now, app.sessions).await.map_err(refused)?;
    let tokens = app.store.tokens(subject, now).await.map_err(refused)?.len();
    let sessions = sessions.into_iter().map(|session| Line {
        this: session.sid == living.session.sid,
        created: time(session.created),
        seen: time(session.seen),
        agent: session.agent,
        sid: session.sid,
    });
    let cookie = app.session_cookie(&living);
    let account = Account { sessions: sessions.collect(), tokens, who: living.claims.who };
    let mut response = pages::form(StatusCode::OK, &account);
    pages::set_cookies(&mut response, cookie.as_slice());
    Ok(response)
}

/// Which sessions to end: one of one's own, all of them, or else this browser's.
#[derive(Debug, Deserialize)]
pub(crate) struct End {
    sid: Option<String>,
    everywhere: Option<String>,
}

/// `POST /logout` at of-auth's own host.
pub(crate) async fn logout(
    _: AtAuth,
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    posted: Result<Posted<End>, Response>,
) -> Result<Response, Response> {
    let End { sid, everywhere } = posted?.form;
    let shown = app.shown(&headers, &Site::Auth).await.map_err(IntoResponse::into_response)?;
    let Some((session, claims)) = shown else { return Ok(signed_out(&app, "You are signed out.", LOGIN.0)) };
    let (own, subject) = (session.sid, session.subject);
    let (which, note, sentence) = match (everywhere, sid) {
        (Some(_), _) => (Which::Of(subject), "Signed out everywhere.", "You are signed out everywhere."),
        (None, Some(sid)) if sid != own => {
            let which = Which::One { sid, of: Some(subject) };
            (which, "Ended another one of the own sessions.", "")
        }
        (None, _) => (Which::One { sid: own, of: None }, "Signed out.", "You are signed out."),
    };
    if app.revoke(which).await.map_err(IntoResponse::into_response)? > 0 {
        app.audit.note(actor(&claims.who), note);
    }
    if sentence.is_empty() {
        let account = app.addresses.at(&Site::Auth, &LocalPath::root());
        return Ok(pages::redirect(&account, &[]));
    }
    Ok(signed_out(&app, sentence, LOGIN.0))
}
