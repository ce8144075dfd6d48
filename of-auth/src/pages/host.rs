//! The pages below `/.ofc/` that every host of the platform has: to get a session there, and to end it.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use session::cookie;

use crate::address::{LocalPath, Site};
use crate::app::{App, actor};
use crate::pages::guard::{Asked, AtAuth, Posted};
use crate::pages::login::LOGIN_SECONDS;
use crate::pages::{self, LOGIN, Message, style};
use crate::random;
use crate::refusal::Refusal;
use crate::store::Which;

#[derive(Debug, Deserialize)]
pub(crate) struct Back {
    to: Option<String>,
}

/// `GET /.ofc/login?to=<path>`: binds what follows to this browser, and sends it to where people sign in.
pub(crate) async fn login(
    Asked(site): Asked,
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Query(back): Query<Back>,
) -> Response {
    to_login(&app, &site, &headers, &back).unwrap_or_else(Refusal::at_host)
}

fn to_login(app: &App, site: &Site, headers: &HeaderMap, back: &Back) -> Result<Response, Refusal> {
    let path: LocalPath = match &back.to {
        Some(path) => path.parse().map_err(|_| Refusal::ForeignReturn)?,
        None => LocalPath::root(),
    };
    let secure = app.addresses.secure();
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("to", path.as_str());
    let mut cookies = Vec::new();
    if *site != Site::Auth {
        // The same for several tabs, so that each of them comes to its end.
        let nonce = match cookie::get(headers, "login", secure).filter(|nonce| random::is_value(nonce)) {
            Some(nonce) => nonce.to_owned(),
            None => random::value()?,
        };
        query.append_pair("host", &app.addresses.host(site)).append_pair("bind", &bind(&nonce));
        cookies.push(cookie::set("login", &nonce, LOGIN_SECONDS, secure));
    }
    Ok(pages::redirect(&format!("{}/login?{}", app.addresses.issuer(), query.finish()), &cookies))
}

/// What of-auth's own host is told of a nonce.
fn bind(nonce: &str) -> String {
    hex::encode(random::hash(nonce))
}

#[derive(Debug, Deserialize)]
pub(crate) struct Shown {
    ticket: String,
}

/// `GET /.ofc/session?ticket=…`: gives this host a session, if the ticket is for it and for this browser.
pub(crate) async fn session(
    Asked(site): Asked,
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Query(shown): Query<Shown>,
) -> Response {
    admit(&app, &site, &headers, &shown).await.unwrap_or_else(Refusal::at_host)
}

async fn admit(app: &App, site: &Site, headers: &HeaderMap, shown: &Shown) -> Result<Response, Refusal> {
    let ticket = app.store.take_ticket(random::hash(&shown.ticket), app.clock.now()).await?;
    let host = app.addresses.host(site);
    let ticket = ticket.filter(|ticket| ticket.host == host).ok_or(Refusal::TicketOver)?;
    let nonce = cookie::get(headers, "login", app.addresses.secure()).ok_or(Refusal::OtherBrowser)?;
    if !random::same(bind(nonce).as_bytes(), ticket.bind.as_bytes()) {
        return Err(Refusal::OtherBrowser);
    }
    let living = app.renew(&ticket.sid, site).await?;
    let path: LocalPath = ticket.path.parse().map_err(|_| Refusal::ForeignReturn)?;
    let cookies: Vec<String> = app.session_cookie(&living).into_iter().collect();
    Ok(pages::redirect(&app.addresses.at(site, &path), &cookies))
}

#[derive(Template)]
#[template(path = "sign_out.html")]
struct SignOut {
    host: String,
    action: &'static str,
}

/// `GET /logout` at of-auth's own host.
pub(crate) async fn ask_logout_here(_: AtAuth, State(app): State<Arc<App>>) -> Response {
    pages::form(StatusCode::OK, &SignOut { host: app.addresses.host(&Site::Auth), action: "/logout" })
}

/// `GET /.ofc/logout`: a button. A link, or a picture on somebody's page, signs nobody out.
pub(crate) async fn ask_logout(Asked(site): Asked, State(app): State<Arc<App>>) -> Response {
    let host = app.addresses.host(&site);
    pages::form(StatusCode::OK, &SignOut { host, action: "/.ofc/logout" })
}

#[derive(Debug, Deserialize)]
pub(crate) struct Nothing {}

/// `POST /.ofc/logout`: ends this browser's session, at all hosts.
pub(crate) async fn logout(
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    posted: Result<Posted<Nothing>, Response>,
) -> Result<Response, Response> {
    let site = posted?.site;
    let shown = app.shown(&headers, &site).await.map_err(IntoResponse::into_response)?;
    if let Some((session, claims)) = shown {
        let which = Which::One { sid: session.sid, of: None };
        app.revoke(which).await.map_err(IntoResponse::into_response)?;
        app.audit.note(actor(&claims.who), "Signed out.");
    }
    Ok(signed_out(&app, "You are signed out.", LOGIN.1))
}

/// Says that somebody is signed out, and ends it in this browser.
pub(crate) fn signed_out(app: &App, sentence: &str, again: &str) -> Response {
    let message = Message { title: "Signed out", sentence, again: Some(again) };
    let mut response = pages::page(StatusCode::OK, &message);
    pages::set_cookies(&mut response, &[app.no_session()]);
    response
}

impl App {
    /// Ends sessions, which routers know at once. How many.
    pub(crate) async fn revoke(&self, which: Which) -> Result<usize, Refusal> {
        let ended = self.store.revoke(which, self.clock.now(), self.sessions).await?;
        self.notices.publish(&ended);
        Ok(ended.len())
    }
}
