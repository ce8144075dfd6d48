//! `POST /login/oauth/access_token`: the client changes a code into a token. As at GitHub, errors are 200.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use secrecy::ExposeSecret;
use serde_json::{Map, Value};

use super::Oauth;
use super::grants::BadCode;
use super::tokens::TOKEN_SECONDS;
use crate::app::App;
use crate::clock;
use crate::parameters::{Parameters, is_type};

type Answer = Vec<(&'static str, String)>;

/// Why there is no token, by GitHub's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    Client,
    Redirect,
    Code,
    GrantType,
}

impl Refusal {
    fn answer(self) -> Answer {
        let (error, description) = match self {
            Self::Client => {
                ("incorrect_client_credentials", "The client_id and/or client_secret passed are incorrect.")
            }
            Self::Redirect => (
                "redirect_uri_mismatch",
                "The redirect_uri MUST match the registered callback URL for this application.",
            ),
            Self::Code => ("bad_verification_code", "The code passed is incorrect or expired."),
            Self::GrantType => ("unsupported_grant_type", "The grant_type has to be authorization_code."),
        };
        vec![("error", error.to_owned()), ("error_description", description.to_owned())]
    }
}

/// Answers in the form that the client accepts.
pub(crate) async fn exchange(State(app): State<Arc<App>>, headers: HeaderMap, body: Bytes) -> Response {
    let Some(oauth) = &app.oauth else { return StatusCode::NOT_FOUND.into_response() };
    let given = if is_type(&headers, "application/json") {
        Parameters::parse_json(&body)
    } else if is_type(&headers, "application/x-www-form-urlencoded") {
        Parameters::parse(&body).ok()
    } else {
        return StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response();
    };
    let Some(given) = given else { return StatusCode::BAD_REQUEST.into_response() };
    let answer = match change(oauth, &given, clock::now()) {
        Ok(Ok(token)) => token,
        Ok(Err(refusal)) => {
            tracing::warn!(?refusal, "no token was given for a code");
            refusal.answer()
        }
        Err(error) => {
            tracing::error!(cause = %error, "no token could be made");
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    };
    write(&headers, answer)
}

fn change(oauth: &Oauth, given: &Parameters, now: u64) -> std::io::Result<Result<Answer, Refusal>> {
    let text = |name| given.get(name).unwrap_or_default();
    // First of all: nobody else can use up a code.
    if !oauth.client.is(text("client_id"), text("client_secret")) {
        return Ok(Err(Refusal::Client));
    }
    if given.get("grant_type").is_some_and(|kind| kind != "authorization_code") {
        return Ok(Err(Refusal::GrantType));
    }
    let granted = match oauth.grants.redeem(text("code"), text("redirect_uri"), text("code_verifier"), now) {
        Ok(granted) => granted,
        Err(BadCode::Wrong) => return Ok(Err(Refusal::Code)),
        Err(BadCode::Redirect) => return Ok(Err(Refusal::Redirect)),
        Err(BadCode::Replayed(token)) => {
            // Two have the code, and nobody knows which of them is the thief.
            if let Some(token) = token {
                oauth.tokens.revoke(&token);
            }
            return Ok(Err(Refusal::Code));
        }
    };
    let (token, id) = oauth.tokens.issue(granted.person, now)?;
    oauth.grants.note(text("code"), id);
    Ok(Ok(vec![
        ("access_token", token.expose_secret().to_owned()),
        ("token_type", "bearer".to_owned()),
        ("scope", granted.scope.replace(' ', ",")),
        ("expires_in", TOKEN_SECONDS.to_string()),
    ]))
}

/// JSON for who accepts it, else a form, which is GitHub's default.
fn write(headers: &HeaderMap, answer: Answer) -> Response {
    let accepted = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let json = accepted.split([',', ';']).any(|part| part.trim().eq_ignore_ascii_case("application/json"));
    let mut response = if json {
        let value = |name, text: String| if name == "expires_in" { Value::from(TOKEN_SECONDS) } else { text.into() };
        let fields = answer.into_iter().map(|(name, text)| (name.to_owned(), value(name, text)));
        Json(Value::Object(fields.collect::<Map<_, _>>())).into_response()
    } else {
        let text = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(answer).finish();
        let kind = HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8");
        ([(header::CONTENT_TYPE, kind)], text).into_response()
    };
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
