//! `/system/secrets`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};
use bytes::Bytes;
use http::StatusCode;
use sdk::gateway::{NamedSecret, Secret};

use super::{Query, json, listed_namespace, namespace};
use crate::app::App;
use crate::problem::Problem;
use crate::secrets::{Secrets, SecretsError};

pub(crate) async fn list(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<NamedSecret>>, Problem> {
    let Some(namespace) = listed_namespace(&app, &Query::of(query.as_deref())) else { return Ok(Json(Vec::new())) };
    let names = app.secrets.names(&namespace)?;
    Ok(Json(names.into_iter().map(|name| NamedSecret { name, namespace: namespace.clone() }).collect()))
}

pub(crate) async fn create(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    change(app, query, &body, |secrets, namespace, secret| secrets.create(namespace, secret)).await
}

pub(crate) async fn update(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    change(app, query, &body, |secrets, namespace, secret| secrets.update(namespace, secret)).await
}

pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    change(app, query, &body, |secrets, namespace, secret| secrets.delete(namespace, &secret.name)).await
}

/// Files are written and synced, so this happens off the threads that serve.
async fn change(
    app: Arc<App>,
    query: Option<String>,
    body: &Bytes,
    change: impl FnOnce(&Secrets, &str, &Secret) -> Result<(), SecretsError> + Send + 'static,
) -> Result<StatusCode, Problem> {
    let secret: Secret = json(body)?;
    let query = Query::of(query.as_deref());
    let namespace = namespace(&app, &[query.get("namespace"), Some(&secret.namespace)])?;
    let work = tokio::task::spawn_blocking(move || change(&app.secrets, &namespace, &secret));
    work.await.map_err(|_| Problem::ShuttingDown)??;
    Ok(StatusCode::ACCEPTED)
}
