//! `/system/functions`, `/system/function/NAME`, `/system/scale-function/NAME`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use bytes::Bytes;
use http::StatusCode;
use sdk::gateway::{DeleteRequest, FunctionDeployment, FunctionStatus, ScaleRequest};

use super::{Query, function_id, json, listed_namespace};
use crate::app::App;
use crate::functions::Function;
use crate::problem::Problem;
use crate::rollout::{self, Mode};

pub(crate) async fn list(State(app): State<Arc<App>>, RawQuery(query): RawQuery) -> Json<Vec<FunctionStatus>> {
    let namespace = listed_namespace(&app, &Query::of(query.as_deref()));
    let functions = namespace.map(|namespace| app.functions.of(&namespace)).unwrap_or_default();
    Json(functions.iter().map(|function| status(&app, function)).collect())
}

fn status(app: &App, function: &Function) -> FunctionStatus {
    let conditions = function.containers().map(|containers| app.troubles.of(containers)).unwrap_or_default();
    FunctionStatus { conditions, ..function.status() }
}

pub(crate) async fn create(State(app): State<Arc<App>>, body: Bytes) -> Result<StatusCode, Problem> {
    deploy(&app, &body, Mode::CreateOrUpdate).await
}

pub(crate) async fn update(State(app): State<Arc<App>>, body: Bytes) -> Result<StatusCode, Problem> {
    deploy(&app, &body, Mode::Update).await
}

/// 202 in any case of success: faas-cli takes nothing else for a clean end of an update.
async fn deploy(app: &Arc<App>, body: &Bytes, mode: Mode) -> Result<StatusCode, Problem> {
    let spec: FunctionDeployment = json(body)?;
    rollout::deploy(app, spec, mode).await?;
    Ok(StatusCode::ACCEPTED)
}

pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let request: DeleteRequest = json(&body)?;
    let query = Query::of(query.as_deref());
    let id = function_id(&app, &request.function_name, &[query.get("namespace"), Some(&request.namespace)])?;
    rollout::remove(&app, id).await?;
    Ok(StatusCode::ACCEPTED)
}

pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Json<FunctionStatus>, Problem> {
    let query = Query::of(query.as_deref());
    let id = function_id(&app, &name, &[query.get("namespace")])?;
    let missing = || Problem::Missing(format!("the function {id} is not deployed"));
    let function = app.functions.get(&id).ok_or_else(missing)?;
    let mut status = status(&app, &function);
    if query.flag("usage")?
        && let Some(containers) = function.containers()
    {
        let running = containers.replicas.iter().filter(|replica| replica.upstream().is_some());
        let ids: Vec<String> = running.map(|replica| replica.id.clone()).collect();
        status.usage = Some(app.engine.usage(&ids).await?);
    }
    Ok(Json(status))
}

pub(crate) async fn scale(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    RawQuery(query): RawQuery,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let request: ScaleRequest = json(&body)?;
    let query = Query::of(query.as_deref());
    let id = function_id(&app, &name, &[query.get("namespace"), Some(&request.namespace)])?;
    if !request.service_name.is_empty() && request.service_name != id.name && request.service_name != id.to_string() {
        let sentence = format!("the path names the function {id}, the body {}", request.service_name);
        return Err(Problem::Invalid(sentence));
    }
    rollout::scale(&app, id, request.replicas).await?;
    Ok(StatusCode::ACCEPTED)
}
