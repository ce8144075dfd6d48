//! `auth.system.<domain>/`: who somebody is here, and where signed in.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use sdk::identity::{Identity, Role};
use serde::Deserialize;

use crate::address::LocalPath;
use crate::app::{App, actor};
use crate::pages::guard::{AtAuth, Posted};
use crate::pages::{self, Message, style, time};
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

#[derive(Debug, Deserialize)]
pub(crate) struct End {
    /// One session; without it, all of the person's.
    sid: Option<String>,
}

/// `POST /sessions/revoke`: ends one of one's own sessions, or all of them.
pub(crate) async fn revoke(
    _: AtAuth,
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    posted: Result<Posted<End>, Response>,
) -> Result<Response, Response> {
    let end = posted?.form;
    let living = app.signed_in_or_login(&headers, &LocalPath::root()).await?;
    let (subject, who) = (living.session.subject.clone(), actor(&living.claims.who));
    let Some(sid) = end.sid else {
        let ended = app.revoke(Which::Of(subject)).await.map_err(IntoResponse::into_response)?;
        app.audit.note(who, format!("Signed out everywhere: {ended} sessions ended."));
        let message = Message { title: "Signed out", sentence: "You are signed out everywhere.", again: true };
        let mut response = pages::page(StatusCode::OK, &message);
        pages::set_cookies(&mut response, &[app.no_session()]);
        return Ok(response);
    };
    let which = Which::One { sid, of: Some(subject) };
    if app.revoke(which).await.map_err(IntoResponse::into_response)? > 0 {
        app.audit.note(who, "Ended one of the own sessions.");
    }
    Ok(pages::redirect(&format!("{}/", app.addresses.issuer()), app.session_cookie(&living).as_slice()))
}
