//! `/system/namespaces` and `/system/namespace/NAME`.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use sdk::gateway::{Namespace, or_default};
use serde::Deserialize;
use utoipa::ToSchema;

use super::body::{JsonBody, OptionalBody};
use crate::app::App;
use crate::namespaces::{Marks, NamespaceError};
use crate::problem::Problem;

/// Kubernetes' way to say that a namespace is for functions; shown on every one, as other gateways do.
const MANAGED: (&str, &str) = ("openfaas", "1");

/// A namespace to be made, by a path that names none.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewNamespace {
    /// The namespace's name.
    #[schema(pattern = "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length = 63, examples("staging"))]
    name: String,
    /// Labels.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(nullable)]
    labels: BTreeMap<String, String>,
    /// Annotations; `com.openfaas.quota.…` set bounds.
    #[serde(default, deserialize_with = "or_default")]
    #[schema(nullable)]
    annotations: BTreeMap<String, String>,
}

/// List the names of all namespaces.
#[utoipa::path(
    get,
    path = "/namespaces",
    operation_id = "ListNamespaces",
    tag = "system",
    responses((status = 200, description = "The names, sorted.", body = Vec<String>))
)]
pub(crate) async fn list(State(app): State<Arc<App>>) -> Json<Vec<String>> {
    Json(app.namespaces.names())
}

/// Show a namespace.
#[utoipa::path(
    get,
    path = "/namespace/{namespace}",
    operation_id = "GetNamespace",
    tag = "system",
    params(("namespace" = String, Path, description = "The namespace's name.")),
    responses(
        (status = 200, description = "The namespace with its labels and annotations.", body = Namespace),
        (status = 404, description = "The namespace does not exist."),
    )
)]
pub(crate) async fn show(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<Json<Namespace>, Problem> {
    let mut marks = app.namespaces.get(&name)?;
    marks.labels.insert(MANAGED.0.to_owned(), MANAGED.1.to_owned());
    Ok(Json(Namespace { name, labels: marks.labels, annotations: marks.annotations }))
}

/// Create a namespace.
#[utoipa::path(
    post,
    path = "/namespace/",
    operation_id = "CreateNamespace",
    tag = "system",
    request_body = NewNamespace,
    responses(
        (status = 201, description = "The namespace is created."),
        (status = 400, description = "The name is missing, not valid or reserved."),
        (status = 409, description = "The namespace exists already."),
    )
)]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    JsonBody(NewNamespace { name, labels, annotations }): JsonBody<NewNamespace>,
) -> Result<StatusCode, Problem> {
    let named = Namespace { name: name.clone(), labels, annotations };
    let marks = marks(&app, &name, Some(named))?;
    create_now(app, name, marks).await
}

/// Create the namespace that the path names.
#[utoipa::path(
    post,
    path = "/namespace/{namespace}",
    operation_id = "CreateNamedNamespace",
    tag = "system",
    params(("namespace" = String, Path, description = "The namespace's name.")),
    request_body = Option<Namespace>,
    responses(
        (status = 201, description = "The namespace is created."),
        (status = 400, description = "The name is not valid or reserved, or the body has another one."),
        (status = 409, description = "The namespace exists already."),
    )
)]
pub(crate) async fn create_named(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    OptionalBody(namespace): OptionalBody<Namespace>,
) -> Result<StatusCode, Problem> {
    let marks = marks(&app, &name, namespace)?;
    create_now(app, name, marks).await
}

/// 201, as other gateways answer; faas-cli takes it.
async fn create_now(app: Arc<App>, name: String, marks: Marks) -> Result<StatusCode, Problem> {
    change(app, move |app| app.namespaces.create(&name, marks)).await?;
    Ok(StatusCode::CREATED)
}

/// Replace the labels and annotations of a namespace.
#[utoipa::path(
    put,
    path = "/namespace/{namespace}",
    operation_id = "UpdateNamespace",
    tag = "system",
    params(("namespace" = String, Path, description = "The namespace's name.")),
    request_body = Option<Namespace>,
    responses(
        (status = 202, description = "The namespace is changed."),
        (status = 400, description = "The body is not valid, or names another namespace."),
        (status = 404, description = "The namespace does not exist."),
    )
)]
pub(crate) async fn update(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    OptionalBody(namespace): OptionalBody<Namespace>,
) -> Result<StatusCode, Problem> {
    let marks = marks(&app, &name, namespace)?;
    change(app, move |app| app.namespaces.update(&name, marks)).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Delete an empty namespace.
///
/// Nobody loses functions or secrets by a slip of the hand: they have to be removed first.
#[utoipa::path(
    delete,
    path = "/namespace/{namespace}",
    operation_id = "DeleteNamespace",
    tag = "system",
    params(("namespace" = String, Path, description = "The namespace's name.")),
    responses(
        (status = 202, description = "The namespace is deleted."),
        (status = 404, description = "The namespace does not exist."),
        (status = 409, description = "The namespace is not empty, or it is the default one."),
    )
)]
pub(crate) async fn delete(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<StatusCode, Problem> {
    // Before it becomes part of a path.
    app.namespaces.get(&name)?;
    change(app, move |app| {
        // What cannot be read may hold something.
        let is_empty =
            || app.functions.of(&name).is_empty() && app.secrets.names(&name).is_ok_and(|all| all.is_empty());
        app.namespaces.delete(&name, is_empty)?;
        app.secrets.forget(&name);
        Ok(())
    })
    .await?;
    Ok(StatusCode::ACCEPTED)
}

fn marks(app: &App, name: &str, namespace: Option<Namespace>) -> Result<Marks, Problem> {
    let namespace = namespace.unwrap_or_default();
    if !namespace.name.is_empty() && namespace.name != name {
        let sentence = format!("the path names the namespace {name}, the body {}", namespace.name);
        return Err(Problem::Invalid(sentence));
    }
    app.config.quota.with(&namespace.annotations).map_err(Problem::Invalid)?;
    Ok(Marks { labels: namespace.labels, annotations: namespace.annotations })
}

/// A file is written and synced, so this happens off the threads that serve.
async fn change(
    app: Arc<App>,
    change: impl FnOnce(&App) -> Result<(), NamespaceError> + Send + 'static,
) -> Result<(), Problem> {
    let work = tokio::task::spawn_blocking(move || change(&app));
    Ok(work.await.map_err(|_| Problem::ShuttingDown)??)
}
