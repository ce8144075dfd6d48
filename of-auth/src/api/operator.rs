//! What only operators may do: end other people's sessions, change the signing key at once.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::api::{ApiRefusal, Bearer};
use crate::app::{App, actor};
use crate::keys::KeysError;
use crate::store::Which;

/// What to end: exactly one of the first three is said.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct End {
    /// One session.
    sid: Option<String>,
    /// All of a person's, by `<host>/<number>`.
    subject: Option<String>,
    /// All there are.
    #[serde(default)]
    all: bool,
    /// Whether API tokens end too; they do unless something else is said. One session has none.
    tokens: Option<bool>,
}

/// How many sessions and API tokens were ended.
#[derive(Debug, Serialize)]
pub(crate) struct Ended {
    ended: usize,
    tokens: usize,
}

/// Whose sessions and tokens end, in words too.
struct Chosen {
    which: Which,
    /// Whose tokens: a person's, or everybody's. `None` for nobody's.
    tokens: Option<Option<String>>,
    words: String,
}

impl End {
    fn choose(self) -> Result<Chosen, ApiRefusal> {
        let too = self.tokens.unwrap_or(true);
        let and = if too { " and the API tokens" } else { "" };
        match self {
            Self { sid: Some(_), tokens: Some(true), .. } => {
                Err(ApiRefusal::NotUnderstood("a session has no API tokens: say subject".to_owned()))
            }
            Self { sid: Some(sid), subject: None, all: false, .. } => {
                Ok(Chosen { which: Which::One { sid, of: None }, tokens: None, words: "one session".to_owned() })
            }
            Self { sid: None, subject: Some(subject), all: false, .. } => {
                let said = subject.chars().filter(|c| !c.is_control()).take(120).collect::<String>();
                let tokens = too.then(|| Some(subject.clone()));
                Ok(Chosen { which: Which::Of(subject), tokens, words: format!("the sessions{and} of {said}") })
            }
            Self { sid: None, subject: None, all: true, .. } => {
                Ok(Chosen { which: Which::All, tokens: too.then_some(None), words: format!("all sessions{and}") })
            }
            _ => Err(ApiRefusal::NotUnderstood("say one of sid, subject and all".to_owned())),
        }
    }
}

/// `POST /api/sessions/revoke`. The API token that asks stays: its holder can take it back by itself.
pub(crate) async fn revoke(
    State(app): State<Arc<App>>,
    bearer: Bearer,
    body: Result<Json<End>, JsonRejection>,
) -> Result<Json<Ended>, ApiRefusal> {
    bearer.needs_operator(&app, "end sessions")?;
    let Json(end) = body.map_err(|error| ApiRefusal::NotUnderstood(error.body_text()))?;
    let Chosen { which, tokens, words } = end.choose()?;
    // In this order: a session could make another token, a token no session.
    let ended = app.revoke(which).await?;
    let tokens = match tokens {
        Some(of) => app.revoke_tokens(of, &bearer.token.id).await?,
        None => 0,
    };
    app.audit.note(actor(&bearer.who), format!("Ended {words} as an operator: {ended} and {tokens}."));
    Ok(Json(Ended { ended, tokens }))
}

/// How to change the key.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rotate {
    /// No token that an older key signed is believed any more, and everybody has to sign in again: for a key that is
    /// known to somebody else.
    #[serde(default)]
    forget_others: bool,
}

/// `POST /api/keys/rotate`.
pub(crate) async fn rotate(
    State(app): State<Arc<App>>,
    bearer: Bearer,
    body: Result<Json<Rotate>, JsonRejection>,
) -> Result<StatusCode, ApiRefusal> {
    bearer.needs_operator(&app, "change the signing key")?;
    let Json(Rotate { forget_others }) = body.map_err(|error| ApiRefusal::NotUnderstood(error.body_text()))?;
    match app.keys.rotate(app.clock.now(), forget_others).await {
        Ok(()) => {}
        Err(KeysError::Given) => return Err(ApiRefusal::Conflict(KeysError::Given.to_string())),
        Err(error) => return Err(ApiRefusal::Unavailable(error.into())),
    }
    if forget_others {
        // Routers still know the old keys: they are told of each session that must not be believed.
        app.revoke(Which::All).await?;
    }
    let others = if forget_others { ", and the ones before are not believed any more" } else { "" };
    app.audit.note(actor(&bearer.who), format!("Changed the signing key as an operator{others}."));
    Ok(StatusCode::NO_CONTENT)
}
