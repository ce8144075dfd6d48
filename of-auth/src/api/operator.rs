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

/// Which sessions to end: exactly one of the three is said.
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
}

/// How many sessions were ended.
#[derive(Debug, Serialize)]
pub(crate) struct Ended {
    ended: usize,
}

/// `POST /api/sessions/revoke`.
pub(crate) async fn revoke(
    State(app): State<Arc<App>>,
    bearer: Bearer,
    body: Result<Json<End>, JsonRejection>,
) -> Result<Json<Ended>, ApiRefusal> {
    bearer.needs_operator(&app, "end sessions")?;
    let Json(end) = body.map_err(|error| ApiRefusal::NotUnderstood(error.body_text()))?;
    let (which, of) = match end {
        End { sid: Some(sid), subject: None, all: false } => (Which::One { sid, of: None }, "one session".to_owned()),
        End { sid: None, subject: Some(subject), all: false } => {
            let said = subject.chars().filter(|c| !c.is_control()).take(120).collect::<String>();
            (Which::Of(subject), format!("the sessions of {said}"))
        }
        End { sid: None, subject: None, all: true } => (Which::All, "all sessions".to_owned()),
        _ => return Err(ApiRefusal::NotUnderstood("say one of sid, subject and all".to_owned())),
    };
    let ended = app.revoke(which).await?;
    app.audit.note(actor(&bearer.who), format!("Ended {of} as an operator: {ended}."));
    Ok(Json(Ended { ended }))
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
