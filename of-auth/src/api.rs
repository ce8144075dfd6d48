//! The JSON interface, for command lines and operators. Who asks is proven by an API token as bearer, never by a
//! cookie, so that no other page can make a browser ask.

pub(crate) mod device;
pub(crate) mod operator;
pub(crate) mod tokens;

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{AUTHORIZATION, HeaderMap, RETRY_AFTER, WWW_AUTHENTICATE};
use http::request::Parts;
use sdk::identity::Identity;
use serde::Serialize;
use session::protocol::Scope;

use crate::address::Site;
use crate::api_token::NoToken;
use crate::app::{App, actor};
use crate::issue::No;
use crate::random::NoRandom;
use crate::refusal::Refusal;
use crate::store::{ApiToken, StoreError};

/// Why a question of a program's is not answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ApiRefusal {
    #[error("this interface is at the host auth.system.<domain>")]
    NotHere,
    #[error("an API token is needed: Authorization: Bearer ofct_…")]
    NoToken,
    #[error("this API token does not count (any more)")]
    TokenRefused,
    #[error("this API token is not for that: it lacks the scope {0}")]
    Scope(&'static str),
    #[error("only an operator of this installation may do that")]
    NotOperator,
    #[error("there is no such token")]
    NoSuchToken,
    #[error("the question is not understood: {0}")]
    NotUnderstood(String),
    #[error("{0}")]
    Conflict(String),
    #[error("there were too many attempts from this network; try again in a minute")]
    TooOften,
    #[error("it does not work at the moment; try again in a while")]
    Unavailable(#[source] Box<dyn std::error::Error + Send + Sync>),
}

impl ApiRefusal {
    fn parts(&self) -> (StatusCode, &'static str) {
        match self {
            Self::NotHere | Self::NoSuchToken => (StatusCode::NOT_FOUND, "not_found"),
            Self::NoToken | Self::TokenRefused => (StatusCode::UNAUTHORIZED, "invalid_token"),
            Self::Scope(_) => (StatusCode::FORBIDDEN, "insufficient_scope"),
            Self::NotOperator => (StatusCode::FORBIDDEN, "access_denied"),
            Self::NotUnderstood(_) => (StatusCode::BAD_REQUEST, "invalid_request"),
            Self::Conflict(_) => (StatusCode::CONFLICT, "conflict"),
            Self::TooOften => (StatusCode::TOO_MANY_REQUESTS, "too_many_requests"),
            Self::Unavailable(_) => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable"),
        }
    }
}

/// The form of every refusal, as in OAuth 2.0.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorBody {
    pub(crate) error: &'static str,
    pub(crate) error_description: String,
}

impl IntoResponse for ApiRefusal {
    fn into_response(self) -> Response {
        let (status, error) = self.parts();
        if let Self::Unavailable(cause) = &self {
            tracing::error!(cause = sdk::failure::chain(cause.as_ref()), "A question could not be answered");
        }
        let mut response = (status, Json(ErrorBody { error, error_description: self.to_string() })).into_response();
        let header = match status {
            StatusCode::UNAUTHORIZED => Some((WWW_AUTHENTICATE, "Bearer")),
            StatusCode::TOO_MANY_REQUESTS => Some((RETRY_AFTER, "60")),
            _ => None,
        };
        response.headers_mut().extend(header.map(|(name, value)| (name, http::HeaderValue::from_static(value))));
        response
    }
}

impl From<StoreError> for ApiRefusal {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<NoRandom> for ApiRefusal {
    fn from(error: NoRandom) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<Refusal> for ApiRefusal {
    fn from(error: Refusal) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<NoToken> for ApiRefusal {
    fn from(error: NoToken) -> Self {
        match error {
            NoToken::Store(error) => error.into(),
            NoToken::Random(error) => error.into(),
            NoToken::TooMany => Self::Conflict(error.to_string()),
            NoToken::Name | NoToken::Scopes | NoToken::Days => Self::NotUnderstood(error.to_string()),
        }
    }
}

/// The request is for `auth.system.<domain>`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Here;

impl FromRequestParts<Arc<App>> for Here {
    type Rejection = ApiRefusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiRefusal> {
        (app.addresses.asked(&parts.headers) == Some(Site::Auth)).then_some(Self).ok_or(ApiRefusal::NotHere)
    }
}

/// Somebody whose API token was good, at the right host.
#[derive(Debug, Clone)]
pub(crate) struct Bearer {
    pub(crate) token: ApiToken,
    pub(crate) who: Identity,
}

impl FromRequestParts<Arc<App>> for Bearer {
    type Rejection = ApiRefusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, ApiRefusal> {
        Here::from_request_parts(parts, app).await?;
        let text = bearer(&parts.headers).ok_or(ApiRefusal::NoToken)?;
        match app.bearer(text, &Site::Auth).await {
            Ok((token, answer)) => Ok(Self { token, who: answer.claims.who }),
            Err(No::Store(error)) => Err(error.into()),
            Err(No::Key(error)) => Err(ApiRefusal::Unavailable(error.into())),
            Err(No::Invalid | No::Ended | No::RolesOld | No::NotAdmitted(_)) => Err(ApiRefusal::TokenRefused),
        }
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (scheme, token) = values.next()?.to_str().ok()?.split_once(' ')?;
    (values.next().is_none() && scheme.eq_ignore_ascii_case("bearer")).then_some(token.trim())
}

impl Bearer {
    /// Goes on only with this scope.
    pub(crate) fn needs(&self, app: &App, scope: Scope) -> Result<(), ApiRefusal> {
        if self.token.scopes.contains(&scope) {
            return Ok(());
        }
        let name = match scope {
            Scope::Invoke => "invoke",
            Scope::Read => "read",
            Scope::Write => "write",
        };
        let note = format!("The API token '{}' was refused: it lacks the scope {name}.", self.token.name);
        app.audit.note(actor(&self.who), note);
        Err(ApiRefusal::Scope(name))
    }

    /// Goes on only for operators, with a token that may change things.
    pub(crate) fn needs_operator(&self, app: &App, what: &str) -> Result<(), ApiRefusal> {
        self.needs(app, Scope::Write)?;
        if self.who.operator {
            return Ok(());
        }
        app.audit.note(actor(&self.who), format!("Was refused to {what}: no operator."));
        Err(ApiRefusal::NotOperator)
    }
}

/// What `GET /api/me` says.
#[derive(Debug, Serialize)]
pub(crate) struct Me {
    #[serde(flatten)]
    who: Identity,
    subject: String,
    /// What the token that asked may be used for.
    scopes: BTreeSet<Scope>,
}

/// `GET /api/me`: whose token this is.
pub(crate) async fn me(bearer: Bearer) -> Json<Me> {
    let subject = bearer.who.subject();
    Json(Me { who: bearer.who, subject, scopes: bearer.token.scopes })
}
