//! `GET /login/oauth/authorize`: a signed-in browser gets a code for the client.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use maud::html;
use secrecy::ExposeSecret;
use url::Url;

use super::client::Client;
use super::grants::Granted;
use super::tokens::Person;
use crate::app::App;
use crate::clock;
use crate::login::html::{Page, redirect, see_other};
use crate::login::sign_out_form;
use crate::parameters::Parameters;

/// A base64url SHA-256 is this long.
const CHALLENGE: usize = 43;
/// The longest state and scope, in bytes: they go into an address again.
const MAX_TEXT: usize = 2048;

/// What the client asks for.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    state: String,
    scope: String,
    challenge: String,
    choose: bool,
}

/// An error that the client is told, by its name in RFC 6749.
#[derive(Debug, PartialEq, Eq)]
struct Refusal {
    error: &'static str,
    description: &'static str,
}

/// Shows who is signed in, asks to sign in, or sends the browser back with a code or an error.
pub(crate) async fn authorize(State(app): State<Arc<App>>, RawQuery(query): RawQuery, headers: HeaderMap) -> Response {
    let Some(oauth) = &app.oauth else { return StatusCode::NOT_FOUND.into_response() };
    let asked = Parameters::parse(query.unwrap_or_default().as_bytes()).ok();
    // Until client and address are known to be right, nobody is sent anywhere.
    let asked = match asked.as_ref().map(|asked| check_client(&oauth.client, asked).map(|()| asked)) {
        Some(Ok(asked)) => asked,
        Some(Err(sentence)) => return unknown_client(sentence),
        None => return unknown_client("A parameter comes more than once."),
    };
    let back = Back { redirect_uri: &oauth.client.redirect_uri, state: asked.get("state") };
    let wanted = match read(asked) {
        Ok(wanted) => wanted,
        Err(refusal) => return back.refuse(&refusal),
    };
    let session = match app.signed_in(&headers).await {
        Ok(Some(session)) => session,
        Ok(None) => return ask_to_sign_in(&app, asked),
        Err(error) => {
            tracing::error!(cause = %error, "a session could not be looked up");
            return back.refuse(&SERVER_ERROR);
        }
    };
    if wanted.choose {
        return choose(&session.owner, &asked.query_without("prompt"));
    }
    let granted = Granted {
        person: Person { owner: session.owner, number: session.number },
        redirect_uri: oauth.client.redirect_uri.clone(),
        scope: wanted.scope,
        challenge: wanted.challenge,
    };
    let who = granted.person.owner.clone();
    match oauth.grants.issue(granted, clock::now()) {
        Ok(Some(code)) => {
            tracing::info!(owner = %who, client = oauth.client.id, "somebody is signed in to the platform");
            back.with(&[("code", code.expose_secret())])
        }
        Ok(None) => back.refuse(&Refusal { error: "temporarily_unavailable", description: "Too many are signing in." }),
        Err(error) => {
            tracing::error!(cause = %error, "no code could be made");
            back.refuse(&SERVER_ERROR)
        }
    }
}

const SERVER_ERROR: Refusal = Refusal { error: "server_error", description: "Signing in does not work at the moment." };

fn check_client(client: &Client, asked: &Parameters) -> Result<(), &'static str> {
    if asked.get("client_id") != Some(&client.id) {
        return Err("The application is not known here.");
    }
    if asked.get("redirect_uri") != Some(&client.redirect_uri) {
        return Err("The redirect_uri is not the one that the application is registered with.");
    }
    Ok(())
}

fn read(asked: &Parameters) -> Result<Wanted, Refusal> {
    let invalid = |description| Refusal { error: "invalid_request", description };
    // GitHub knows no other and so its clients may leave it out.
    if asked.get("response_type").is_some_and(|kind| kind != "code") {
        return Err(Refusal { error: "unsupported_response_type", description: "The response_type has to be code." });
    }
    let state = asked.get("state").filter(|state| state.len() <= MAX_TEXT);
    let state = state.ok_or(invalid("A state of at most 2048 bytes is needed."))?;
    if asked.get("code_challenge_method") != Some("S256") {
        return Err(invalid("The code_challenge_method has to be S256."));
    }
    let base64url = |text: &&str| text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    let challenge = asked.get("code_challenge").filter(|text| text.len() == CHALLENGE).filter(base64url);
    let challenge = challenge.ok_or(invalid("The code_challenge has to be a SHA-256 in base64url."))?;
    let scope = asked.get("scope").unwrap_or_default();
    if scope.len() > MAX_TEXT {
        return Err(Refusal { error: "invalid_scope", description: "The scope is too long." });
    }
    Ok(Wanted {
        state: state.to_owned(),
        scope: scope.to_owned(),
        challenge: challenge.to_owned(),
        choose: asked.get("prompt") == Some("select_account"),
    })
}

/// Where the browser came from.
struct Back<'a> {
    redirect_uri: &'a str,
    state: Option<&'a str>,
}

impl Back<'_> {
    fn refuse(&self, refusal: &Refusal) -> Response {
        self.with(&[("error", refusal.error), ("error_description", refusal.description)])
    }

    fn with(&self, parameters: &[(&str, &str)]) -> Response {
        let Ok(mut to) = Url::parse(self.redirect_uri) else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        let state = self.state.filter(|state| state.len() <= MAX_TEXT).map(|state| ("state", state));
        to.query_pairs_mut().extend_pairs(parameters.iter().copied().chain(state));
        redirect(StatusCode::FOUND, to.as_str())
    }
}

fn ask_to_sign_in(app: &App, asked: &Parameters) -> Response {
    let mut response = see_other("/login");
    // Without prompt: who signs in now has chosen.
    if let Some(cookie) = app.login.keep_pending(&asked.query_without("prompt")) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

fn choose(owner: &sdk::id::Owner, query: &str) -> Response {
    let body = html! {
        p { a.button href={ "/login/oauth/authorize?" (query) } { "Continue as " (owner) } }
        (sign_out_form(owner))
    };
    Page::new("Sign in", body).into_response()
}

fn unknown_client(sentence: &str) -> Response {
    let body = html! { p { (sentence) } p.faint { "Nobody was signed in. Go back and begin again." } };
    Page::refusal(StatusCode::BAD_REQUEST, "This cannot be authorised", body).into_response()
}
