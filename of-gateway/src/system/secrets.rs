//! `/system/secrets`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use bytes::Bytes;
use http::StatusCode;
use sdk::gateway::{NamedSecret, Secret};

use super::{Query, json, plain_name};
use crate::app::App;
use crate::problem::Problem;
use crate::secrets::{Secrets, SecretsError};

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<NamedSecret>>, Problem> {
    let namespace = app.config.namespace.clone();
    if Query::of(query.as_deref()).get("namespace").is_some_and(|asked| asked != namespace) {
        return Ok(Json(Vec::new()));
    }
    let names = app.secrets.names()?;
    Ok(Json(names.into_iter().map(|name| NamedSecret { name, namespace: namespace.clone() }).collect()))
}

pub(crate) async fn create(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    change(app, query, &body, |secrets, secret| secrets.create(secret)).await
}

pub(crate) async fn update(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    change(app, query, &body, |secrets, secret| secrets.update(secret)).await
}

pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    change(app, query, &body, |secrets, secret| secrets.delete(&secret.name)).await
}

/// Files are written and synced, so this happens off the threads that serve.
async fn change(
    app: Arc<App>,
    query: Option<String>,
    body: &Bytes,
    change: impl FnOnce(&Secrets, &Secret) -> Result<(), SecretsError> + Send + 'static,
) -> Result<StatusCode, Problem> {
    let secret: Secret = json(body)?;
    let query = Query::of(query.as_deref());
    // The dots in a secret's name are its own, so only the namespaces are looked at.
    plain_name(&app, "", &[query.get("namespace"), Some(&secret.namespace)])?;
    let work = tokio::task::spawn_blocking(move || change(&app.secrets, &secret));
    work.await.map_err(|_| Problem::ShuttingDown)??;
    Ok(StatusCode::ACCEPTED)
}
