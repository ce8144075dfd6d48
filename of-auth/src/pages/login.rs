//! Signing in at `auth.system.<domain>`: to a provider and back, and on to the host that somebody came from.

use std::sync::Arc;

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use session::cookie;
use url::Url;

use crate::address::{Addresses, LocalPath, Site};
use crate::app::{App, actor};
use crate::limit::{Attempt, Client};
use crate::pages::guard::{AtAuth, agent};
use crate::pages::{self, style};
use crate::provider::{Pending, Person, Provider};
use crate::random;
use crate::refusal::Refusal;
use crate::store::{PendingLogin, Session, Ticket, subject};

/// How long the browser keeps what binds a login to it, in seconds.
pub(crate) const LOGIN_SECONDS: u64 = 600;

/// Where somebody wants to go, as a request says.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Wish {
    host: Option<String>,
    to: Option<String>,
    bind: Option<String>,
}

/// Where somebody goes once signed in.
#[derive(Debug, Clone)]
struct Destination {
    site: Site,
    path: LocalPath,
    /// The SHA-256 of the nonce in the browser's cookie at that host, in hexadecimal digits; empty at of-auth's own.
    bind: String,
}

impl Destination {
    fn of(addresses: &Addresses, wish: &Wish) -> Result<Self, Refusal> {
        let path = match &wish.to {
            Some(path) => path.parse().map_err(|_| Refusal::ForeignReturn)?,
            None => LocalPath::root(),
        };
        let site = match &wish.host {
            Some(host) => addresses.site(host).ok_or(Refusal::ForeignReturn)?,
            None => Site::Auth,
        };
        if site == Site::Auth {
            return Ok(Self { site, path, bind: String::new() });
        }
        let bind = wish.bind.clone().unwrap_or_default();
        let digits = bind.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        (digits && bind.len() == 64).then_some(Self { site, path, bind }).ok_or(Refusal::ForeignReturn)
    }

    fn query(&self, addresses: &Addresses) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("to", self.path.as_str());
        if self.site != Site::Auth {
            query.append_pair("host", &addresses.host(&self.site)).append_pair("bind", &self.bind);
        }
        query.finish()
    }
}

#[derive(Template)]
#[template(path = "login.html")]
struct Choice<'a> {
    host: String,
    providers: &'a [Provider],
    query: String,
}

/// `GET /login`: on to where somebody wants to go, to the only provider, or a choice of providers.
pub(crate) async fn choose(
    _: AtAuth,
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Query(wish): Query<Wish>,
) -> Result<Response, Refusal> {
    let to = Destination::of(&app.addresses, &wish)?;
    if let Some(living) = app.signed_in(&headers, &Site::Auth).await? {
        let cookies: Vec<String> = app.session_cookie(&living).into_iter().collect();
        return arrive(&app, &living.session.sid, to, &cookies).await;
    }
    match app.providers.all() {
        [only] => begin(&app, &headers, only, to).await,
        providers => {
            let (host, query) = (app.addresses.host(&to.site), to.query(&app.addresses));
            Ok(pages::page(StatusCode::OK, &Choice { host, providers, query }))
        }
    }
}

/// `GET /login/<provider>`.
pub(crate) async fn at_provider(
    _: AtAuth,
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Path(name): Path<String>,
    Query(wish): Query<Wish>,
) -> Result<Response, Refusal> {
    let to = Destination::of(&app.addresses, &wish)?;
    let provider = app.providers.get(&name).ok_or(Refusal::NotFound)?;
    begin(&app, &headers, provider, to).await
}

/// Sends a browser to a provider; the way back is bound to this browser.
async fn begin(app: &App, headers: &HeaderMap, provider: &Provider, to: Destination) -> Result<Response, Refusal> {
    if !app.limiter.allows(Attempt::Login, Client::of(headers), app.clock.now()) {
        return Err(Refusal::TooOften);
    }
    let (url, pending) = provider.begin(&return_address(app)).await?;
    let secure = app.addresses.secure();
    // The same for several tabs, so that each of them comes to its end.
    let nonce = match cookie::get(headers, "state", secure).filter(|nonce| random::is_value(nonce)) {
        Some(nonce) => nonce.to_owned(),
        None => random::value()?,
    };
    let login = PendingLogin {
        browser: random::hash(&nonce),
        provider: provider.name().to_owned(),
        pending: serde_json::to_string(&pending).map_err(crate::keys::KeysError::from)?,
        host: app.addresses.host(&to.site),
        path: to.path.to_string(),
        bind: to.bind,
        created: app.clock.now(),
    };
    app.store.keep_login(random::hash(&pending.state), login).await?;
    Ok(pages::redirect(url.as_str(), &[cookie::set("state", &nonce, LOGIN_SECONDS, secure)]))
}

/// Where providers send people back to.
fn return_address(app: &App) -> Url {
    app.addresses.own("/oauth2/authorized")
}

/// What a provider says through the browser.
#[derive(Debug, Deserialize)]
pub(crate) struct Returned {
    state: Option<String>,
    code: Option<String>,
    error: Option<String>,
}

/// `GET /oauth2/authorized`: the way back from a provider.
pub(crate) async fn authorized(
    _: AtAuth,
    State(app): State<Arc<App>>,
    headers: HeaderMap,
    Query(returned): Query<Returned>,
) -> Result<Response, Refusal> {
    let (now, client) = (app.clock.now(), Client::of(&headers));
    if !app.limiter.allows(Attempt::Login, client, now) {
        return Err(Refusal::TooOften);
    }
    let result = finish(&app, &headers, returned, client).await;
    if let Err(refusal) = &result {
        let person = if let Refusal::NotAdmitted { person, .. } = refusal { person.as_str() } else { "" };
        app.audit.note(person, format!("A sign-in from {client} was refused: {refusal}"));
    }
    result
}

async fn finish(app: &App, headers: &HeaderMap, returned: Returned, client: Client) -> Result<Response, Refusal> {
    let (pending, login) = recall(app, headers, returned.state.as_deref()).await?;
    let provider = app.providers.get(&login.provider).ok_or(Refusal::LoginOver)?;
    let code = match returned {
        Returned { code: Some(code), error: None, .. } => code,
        _ => return Err(Refusal::Declined(provider.label().to_owned())),
    };
    let person = provider.finish(&pending, &code, &return_address(app)).await?;
    let sid = start(app, headers, person, provider.label(), client).await?;
    let living = app.renew(&sid, &Site::Auth).await?;
    let cookies: Vec<String> = app.session_cookie(&living).into_iter().collect();
    let wish = Wish { host: Some(login.host), to: Some(login.path), bind: Some(login.bind) };
    arrive(app, &sid, Destination::of(&app.addresses, &wish)?, &cookies).await
}

/// The login that a `state` belongs to, once, in the browser that began it.
async fn recall(app: &App, headers: &HeaderMap, state: Option<&str>) -> Result<(Pending, PendingLogin), Refusal> {
    let state = state.ok_or(Refusal::LoginOver)?;
    let login = app.store.take_login(random::hash(state), app.clock.now()).await?.ok_or(Refusal::LoginOver)?;
    let nonce = cookie::get(headers, "state", app.addresses.secure()).ok_or(Refusal::OtherBrowser)?;
    if !random::same(&random::hash(nonce), &login.browser) {
        return Err(Refusal::OtherBrowser);
    }
    let pending = serde_json::from_str(&login.pending).map_err(crate::keys::KeysError::from)?;
    Ok((pending, login))
}

/// Begins somebody's session, if this installation admits the person. Who has one in this browser goes on with it: its
/// roles were to be read anew.
async fn start(
    app: &App,
    headers: &HeaderMap,
    person: Person,
    provider: &str,
    client: Client,
) -> Result<String, Refusal> {
    let (now, subject) = (app.clock.now(), subject(&person));
    let name = format!("{} ({subject})", person.login);
    let who = app.tenants.admit(person.clone()).await;
    let who = who.map_err(|cause| Refusal::NotAdmitted { person: name, cause })?;
    let own = app.shown(headers, &Site::Auth).await?.map(|(session, _)| session);
    if let Some(session) = own.filter(|session| session.subject == subject) {
        app.store.go_on(&session.sid, person, now).await?;
        app.audit.note(actor(&who), format!("Signed in again by {provider} from {client}."));
        return Ok(session.sid);
    }
    let sid = random::name()?;
    let session = Session { sid: sid.clone(), subject, agent: agent(headers), created: now, seen: now };
    let pushed_out = app.store.begin(session, person, app.sessions).await?;
    app.notices.publish(&pushed_out);
    app.audit.note(actor(&who), format!("Signed in by {provider} from {client}."));
    Ok(sid)
}

/// Sends somebody who is signed in to where they want to go: to another host with a ticket that counts once.
async fn arrive(app: &App, sid: &str, to: Destination, cookies: &[String]) -> Result<Response, Refusal> {
    if to.site == Site::Auth {
        return Ok(pages::redirect(&app.addresses.at(&to.site, &to.path), cookies));
    }
    let text = random::value()?;
    let ticket = Ticket {
        sid: sid.to_owned(),
        host: app.addresses.host(&to.site),
        path: to.path.to_string(),
        bind: to.bind,
        created: app.clock.now(),
    };
    app.store.keep_ticket(random::hash(&text), ticket).await?;
    let url = format!("{}/.ofc/session?ticket={text}", app.addresses.origin(&to.site));
    Ok(pages::redirect(&url, cookies))
}
