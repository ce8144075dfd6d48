//! `POST /v1/rotate`: the same documents, sealed to the newest certificate. Values do not leave this process.

use axum::body::Bytes;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, Method};
use sdk::failure::Failure;
use sealed_secrets::documents::to_yaml;

use super::caller::{Caller, Callers};
use super::{candidate, certificate, documents};
use crate::app::App;
use crate::problem::Problem;

/// The documents as YAML, in their order.
pub(super) async fn rotate(
    State(app): State<App>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Response> {
    let caller = Caller::prove(&app, &method, &headers, &body).map_err(Failure::into_response)?;
    let _turn = Callers::turn(&app, &caller).await.map_err(Failure::into_response)?;
    let yaml = rotated(&app, &caller, body.to_vec()).await.map_err(Problem::into_response)?;
    Ok(([(CONTENT_TYPE, "application/yaml"), (CACHE_CONTROL, "no-store")], yaml).into_response())
}

async fn rotated(app: &App, caller: &Caller, body: Vec<u8>) -> Result<String, Problem> {
    let documents = documents(app, body).await?;
    if let Some(other) = documents.iter().find(|document| !caller.may_use(app, &document.name)) {
        let sentence = format!("{} is not a secret of an owner that you belong to", other.name);
        return Err(Problem::Forbidden(sentence));
    }
    let newest = certificate::newest(app).await?;
    let mut yaml = String::new();
    for mut document in documents {
        document.encrypted_data = app.backend.reseal(&candidate(&document)).await?;
        document.set_fingerprint(&newest.fingerprint);
        yaml.push_str(&to_yaml(&document));
    }
    Ok(yaml)
}
