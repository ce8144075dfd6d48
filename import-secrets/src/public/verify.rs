//! `POST /v1/verify`: whether this stage opens what a file says. Never a value.

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, Method, StatusCode};
use sdk::failure::Failure;
use sdk::sealing::{SealedTo, Verified, VerifiedSecret};

use super::caller::{Caller, Callers};
use super::{candidate, certificate, documents};
use crate::app::App;
use crate::backend::{Opened, Unopenable};
use crate::problem::Problem;

/// 200 where everything opens, 409 where something does not, as the controller answers; both with [`Verified`].
pub(super) async fn verify(
    State(app): State<App>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Response> {
    let caller = Caller::prove(&app, &method, &headers, &body).map_err(Failure::into_response)?;
    let _turn = Callers::turn(&app, &caller).await.map_err(Failure::into_response)?;
    let verified = verified(&app, &caller, body.to_vec()).await.map_err(Problem::into_response)?;
    let all = verified.secrets.iter().all(|secret| secret.opens);
    let status = if all { StatusCode::OK } else { StatusCode::CONFLICT };
    Ok((status, Json(verified)).into_response())
}

async fn verified(app: &App, caller: &Caller, body: Vec<u8>) -> Result<Verified, Problem> {
    let documents = documents(app, body).await?;
    let certificate = certificate::newest(app).await?;
    let (allowed, others): (Vec<_>, Vec<_>) = documents.iter().partition(|one| caller.may_use(app, &one.name));
    let outcomes = app.backend.open(allowed.iter().map(|document| candidate(document)).collect()).await?;
    let opened =
        allowed.iter().zip(outcomes).map(|(document, outcome)| told(&document.name, outcome, &certificate.fingerprint));
    let foreign = others.iter().map(|document| VerifiedSecret {
        name: document.name.clone(),
        opens: false,
        problem: format!(
            "{} is not a secret of an owner that you belong to: its name begins with the owner's login and a hyphen",
            document.name
        ),
        keys: Default::default(),
    });
    Ok(Verified { secrets: opened.chain(foreign).collect(), certificate })
}

fn told(name: &str, outcome: Result<Opened, Unopenable>, newest: &str) -> VerifiedSecret {
    let name = name.to_owned();
    match outcome {
        Ok(opened) => {
            let sealed_to = |fingerprint: String| SealedTo { newest: fingerprint == newest, fingerprint };
            let keys = opened.into_iter().map(|(key, opened)| (key, sealed_to(opened.fingerprint))).collect();
            VerifiedSecret { name, opens: true, problem: String::new(), keys }
        }
        Err(error) => VerifiedSecret { name, opens: false, problem: error.to_string(), keys: Default::default() },
    }
}
