//! `/system/secrets`.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use sdk::gateway::{NamedSecret, Secret};

use super::body::{JsonBody, SecretBody};
use super::query::Query;
use super::{listed_namespace, namespace};
use crate::app::App;
use crate::namespaces::Stay;
use crate::problem::Problem;
use crate::secrets::{Secrets, SecretsError};

/// List the names of a namespace's secrets.
///
/// Values are never shown. A namespace that does not exist has none.
#[utoipa::path(
    get,
    path = "/secrets",
    operation_id = "ListSecrets",
    tag = "system",
    params(("namespace" = Option<String>, Query, description = "The namespace; the default where left out.")),
    responses((status = 200, description = "The names, sorted.", body = Vec<NamedSecret>))
)]
pub(crate) async fn list(State(app): State<Arc<App>>, query: Query) -> Result<Json<Vec<NamedSecret>>, Problem> {
    let Some(namespace) = listed_namespace(&app, &query) else { return Ok(Json(Vec::new())) };
    let names = app.secrets.names(&namespace)?;
    Ok(Json(names.into_iter().map(|name| NamedSecret { name, namespace: namespace.clone() }).collect()))
}

/// Create a secret.
///
/// Functions that mount it see it as the file `/var/openfaas/secrets/NAME`, or `/var/openfaas/secrets/FILENAME` where
/// `fileName` is given.
#[utoipa::path(
    post,
    path = "/secrets",
    operation_id = "CreateSecret",
    tag = "system",
    params(("namespace" = Option<String>, Query, description = "The namespace, if the body names none.")),
    request_body = Secret,
    responses(
        (status = 202, description = "The secret is kept."),
        (status = 400, description = "The name, the file's name or the value is not valid."),
        (status = 404, description = "The namespace does not exist."),
        (status = 409, description = "The secret exists already; change it with PUT."),
    )
)]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    query: Query,
    SecretBody(secret): SecretBody,
) -> Result<StatusCode, Problem> {
    change(app, query, secret, |secrets, namespace, secret| secrets.create(namespace, secret)).await
}

/// Change the value of a secret.
///
/// Functions see it when they are deployed again. Without `fileName` its file keeps the name that it has.
#[utoipa::path(
    put,
    path = "/secrets",
    operation_id = "UpdateSecret",
    tag = "system",
    params(("namespace" = Option<String>, Query, description = "The namespace, if the body names none.")),
    request_body = Secret,
    responses(
        (status = 202, description = "The new value is kept."),
        (status = 400, description = "The name, the file's name or the value is not valid."),
        (status = 404, description = "The secret or the namespace does not exist."),
    )
)]
pub(crate) async fn update(
    State(app): State<Arc<App>>,
    query: Query,
    SecretBody(secret): SecretBody,
) -> Result<StatusCode, Problem> {
    change(app, query, secret, |secrets, namespace, secret| secrets.update(namespace, secret)).await
}

/// Delete a secret.
#[utoipa::path(
    delete,
    path = "/secrets",
    operation_id = "DeleteSecret",
    tag = "system",
    params(("namespace" = Option<String>, Query, description = "The namespace, if the body names none.")),
    request_body = NamedSecret,
    responses(
        (status = 202, description = "The secret is deleted."),
        (status = 400, description = "The name is not valid."),
        (status = 404, description = "The secret or the namespace does not exist."),
    )
)]
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    query: Query,
    JsonBody(secret): JsonBody<NamedSecret>,
) -> Result<StatusCode, Problem> {
    let NamedSecret { name, namespace } = secret;
    let secret = Secret { name, namespace, ..Secret::default() };
    change(app, query, secret, |secrets, namespace, secret| secrets.delete(namespace, &secret.name)).await
}

/// Files are written and synced, so this happens off the threads that serve.
async fn change(
    app: Arc<App>,
    query: Query,
    secret: Secret,
    change: impl FnOnce(&Secrets, &str, &Secret) -> Result<(), SecretsError> + Send + 'static,
) -> Result<StatusCode, Problem> {
    let namespace = namespace(&app, &[query.get("namespace"), Some(&secret.namespace)])?;
    let stay = Stay::begin(&app, &namespace)?;
    let work = tokio::task::spawn_blocking(move || {
        let _stay = stay;
        change(&app.secrets, &namespace, &secret)
    });
    work.await.map_err(|_| Problem::ShuttingDown)??;
    Ok(StatusCode::ACCEPTED)
}
