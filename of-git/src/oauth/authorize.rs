//! `GET /login/oauth/authorize`: a signed-in browser gets a code for the client.

use std::sync::Arc;

use axum::extract::{RawQuery, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::Oauth;
use super::client::Client;
use super::grants::Granted;
use super::tokens::Person;
use crate::app::App;
use crate::clock;
use crate::login::html::{page, redirect, see_other};
use crate::login::templates::{Choose, UnknownClient};
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
    // Until client and address are known to be right, nobody is sent anywhere.
    let asked = match known_client(&oauth.client, &query.unwrap_or_default()) {
        Ok(asked) => asked,
        Err(sentence) => return page(StatusCode::BAD_REQUEST, &UnknownClient { sentence }),
    };
    let back = Back { redirect_uri: &oauth.client.redirect_uri, state: asked.get("state") };
    let wanted = match read(&asked) {
        Ok(wanted) => wanted,
        Err(refusal) => return back.refuse(&refusal),
    };
    match app.signed_in(&headers).await {
        Ok(None) => ask_to_sign_in(&app, &asked),
        Ok(Some(session)) if wanted.choose => {
            let query = asked.query_without("prompt");
            page(StatusCode::OK, &Choose { owner: &session.owner, query: &query })
        }
        Ok(Some(session)) => {
            let person = Person { owner: session.owner, number: session.number };
            grant(oauth, person, wanted)
                .map_or_else(|refusal| back.refuse(&refusal), |code| back.with(&[("code", code.expose_secret())]))
        }
        Err(error) => back.refuse(&broken(&error)),
    }
}

fn grant(oauth: &Oauth, person: Person, wanted: Wanted) -> Result<SecretString, Refusal> {
    let owner = person.owner.clone();
    let redirect_uri = oauth.client.redirect_uri.clone();
    let granted = Granted { person, redirect_uri, scope: wanted.scope, challenge: wanted.challenge };
    let code = oauth.grants.issue(granted, clock::now()).map_err(|error| broken(&error))?;
    let busy = Refusal { error: "temporarily_unavailable", description: "Too many are signing in." };
    let code = code.ok_or(busy)?;
    tracing::info!(%owner, client = oauth.client.id, "somebody signs in to the platform");
    Ok(code)
}

fn broken(error: &std::io::Error) -> Refusal {
    tracing::error!(cause = %error, "nobody can be signed in to the platform");
    Refusal { error: "server_error", description: "Signing in does not work at the moment." }
}

/// What is asked, if it is asked by our client.
fn known_client(client: &Client, query: &str) -> Result<Parameters, &'static str> {
    let asked = Parameters::parse(query.as_bytes()).map_err(|_| "A parameter comes more than once.")?;
    if asked.get("client_id") != Some(&client.id) {
        return Err("The application is not known here.");
    }
    if asked.get("redirect_uri") != Some(&client.redirect_uri) {
        return Err("The redirect_uri is not the one that the application is registered with.");
    }
    Ok(asked)
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
