//! `/system/namespaces` and `/system/namespace/NAME`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use bytes::Bytes;
use http::StatusCode;
use sdk::gateway::Namespace;

use super::json;
use crate::app::App;
use crate::namespaces::{Marks, NamespaceError};
use crate::problem::Problem;

/// Kubernetes' way to say that a namespace is for functions; shown on every one, as other gateways do.
const MANAGED: (&str, &str) = ("openfaas", "1");

pub(crate) async fn list(State(app): State<Arc<App>>) -> Json<Vec<String>> {
    Json(app.namespaces.names())
}

pub(crate) async fn show(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<Json<Namespace>, Problem> {
    let mut marks = app.namespaces.get(&name)?;
    marks.labels.insert(MANAGED.0.to_owned(), MANAGED.1.to_owned());
    Ok(Json(Namespace { name, labels: marks.labels, annotations: marks.annotations }))
}

/// 201, as other gateways answer; faas-cli takes it.
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let marks = marks(&app, &name, &body)?;
    change(app, move |app| app.namespaces.create(&name, marks)).await?;
    Ok(StatusCode::CREATED)
}

pub(crate) async fn update(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let marks = marks(&app, &name, &body)?;
    change(app, move |app| app.namespaces.update(&name, marks)).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Only an empty namespace goes: nobody loses functions by a slip of the hand.
pub(crate) async fn delete(State(app): State<Arc<App>>, Path(name): Path<String>) -> Result<StatusCode, Problem> {
    app.namespaces.get(&name)?;
    if !app.functions.of(&name).is_empty() || !app.secrets.names(&name)?.is_empty() {
        let sentence = format!("the namespace {name} still has functions or secrets; remove them first");
        return Err(Problem::Conflict(sentence));
    }
    change(app, move |app| {
        app.namespaces.delete(&name)?;
        app.secrets.forget(&name);
        Ok(())
    })
    .await?;
    Ok(StatusCode::ACCEPTED)
}

fn marks(app: &App, name: &str, body: &Bytes) -> Result<Marks, Problem> {
    if body.is_empty() {
        return Ok(Marks::default());
    }
    let namespace: Namespace = json(body)?;
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
