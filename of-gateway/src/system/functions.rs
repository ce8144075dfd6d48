//! `/system/functions` and `/system/function/NAME`.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use sdk::gateway::{DeleteRequest, FunctionDeployment, FunctionStatus};

use super::body::JsonBody;
use super::query::Query;
use super::{function_id, listed_namespace, not_deployed};
use crate::app::App;
use crate::functions::Function;
use crate::openapi::Flag;
use crate::problem::Problem;
use crate::rollout::{self, Mode};

/// List the functions of a namespace.
///
/// With `usage=1`, each with what its replicas use at the moment. A namespace that does not exist has none.
#[utoipa::path(
    get,
    path = "/functions",
    operation_id = "GetFunctions",
    tag = "system",
    params(
        ("namespace" = Option<String>, Query, description = "The namespace; the default where left out."),
        ("usage" = inline(Option<Flag>), Query, description = "Whether to measure what each function uses."),
    ),
    responses(
        (status = 200, description = "The functions, sorted by name.", body = Vec<FunctionStatus>),
        (status = 422, description = "A parameter is not understood."),
    )
)]
pub(crate) async fn list(State(app): State<Arc<App>>, query: Query) -> Result<Json<Vec<FunctionStatus>>, Problem> {
    let measured = query.flag("usage")?;
    let namespace = listed_namespace(&app, &query);
    let functions = namespace.map(|namespace| app.functions.of(&namespace)).unwrap_or_default();
    let mut list: Vec<_> = functions.iter().map(|function| status(&app, function)).collect();
    if measured {
        let groups: Vec<_> = functions.iter().map(|function| running(function)).collect();
        for (status, usage) in list.iter_mut().zip(app.engine.usage(&groups).await?) {
            status.usage = Some(usage);
        }
    }
    Ok(Json(list))
}

/// Deploy a function.
///
/// Answers once the new version is ready and takes all calls. A function that is there already is updated. A version
/// that does not become ready changes nothing; the answer then carries its exit code and last log lines.
#[utoipa::path(
    post,
    path = "/functions",
    operation_id = "DeployFunction",
    tag = "system",
    request_body = FunctionDeployment,
    responses(
        (status = 202, description = "The function is deployed."),
        (status = 400, description = "The deployment is not valid, or a secret or the namespace does not exist."),
        (status = 409, description = "The name belongs to another owner or to the platform."),
        (status = 422, description = "The image cannot be had, or the new version does not become ready."),
        (status = 503, description = "The container engine does not answer."),
    )
)]
pub(crate) async fn create(
    State(app): State<Arc<App>>,
    JsonBody(spec): JsonBody<FunctionDeployment>,
) -> Result<StatusCode, Problem> {
    deploy(&app, spec, Mode::CreateOrUpdate).await
}

/// Update a function.
///
/// Like the deployment, but of a function that exists.
#[utoipa::path(
    put,
    path = "/functions",
    operation_id = "UpdateFunction",
    tag = "system",
    request_body = FunctionDeployment,
    responses(
        (status = 202, description = "The new version has taken the place of the old one, or nothing had changed."),
        (status = 400, description = "The deployment is not valid, or a secret or the namespace does not exist."),
        (status = 404, description = "The function is not deployed; deploy it with POST."),
        (status = 409, description = "The name belongs to another owner or to the platform."),
        (status = 422, description = "The image cannot be had, or the new version does not become ready."),
        (status = 503, description = "The container engine does not answer."),
    )
)]
pub(crate) async fn update(
    State(app): State<Arc<App>>,
    JsonBody(spec): JsonBody<FunctionDeployment>,
) -> Result<StatusCode, Problem> {
    deploy(&app, spec, Mode::Update).await
}

/// 202 in any case of success: faas-cli takes nothing else for a clean end of an update.
async fn deploy(app: &Arc<App>, spec: FunctionDeployment, mode: Mode) -> Result<StatusCode, Problem> {
    rollout::deploy(app, spec, mode).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Remove a function.
///
/// Its containers end in the background, after the calls they still have.
#[utoipa::path(
    delete,
    path = "/functions",
    operation_id = "DeleteFunction",
    tag = "system",
    params(("namespace" = Option<String>, Query, description = "The namespace, if the body names none.")),
    request_body = DeleteRequest,
    responses(
        (status = 202, description = "The function is removed."),
        (status = 400, description = "The request is not valid."),
        (status = 404, description = "The function is not deployed, or the namespace does not exist."),
        (status = 409, description = "The function belongs to the platform."),
        (status = 503, description = "The container engine does not answer."),
    )
)]
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    query: Query,
    JsonBody(request): JsonBody<DeleteRequest>,
) -> Result<StatusCode, Problem> {
    let id = function_id(&app, &request.function_name, &[query.get("namespace"), Some(&request.namespace)])?;
    rollout::remove(&app, id).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Show one function.
#[utoipa::path(
    get,
    path = "/function/{functionName}",
    operation_id = "GetFunctionStatus",
    tag = "system",
    params(
        ("functionName" = String, Path, description = "The function's name, or `name.namespace`."),
        ("namespace" = Option<String>, Query, description = "The namespace; the default where left out."),
        ("usage" = inline(Option<Flag>), Query, description = "Whether to measure what the function uses."),
    ),
    responses(
        (status = 200, description = "The function.", body = FunctionStatus),
        (status = 400, description = "The request names two namespaces."),
        (status = 404, description = "The function is not deployed, or the namespace does not exist."),
        (status = 422, description = "A parameter is not understood."),
        (status = 503, description = "The container engine does not answer."),
    )
)]
pub(crate) async fn show(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    query: Query,
) -> Result<Json<FunctionStatus>, Problem> {
    let measured = query.flag("usage")?;
    let id = function_id(&app, &name, &[query.get("namespace")])?;
    let function = app.functions.get(&id).ok_or_else(|| not_deployed(&id))?;
    let mut status = status(&app, &function);
    if measured && function.containers().is_some() {
        status.usage = app.engine.usage(&[running(&function)]).await?.pop();
    }
    Ok(Json(status))
}

fn status(app: &App, function: &Function) -> FunctionStatus {
    let conditions = function.containers().map(|containers| app.troubles.of(containers)).unwrap_or_default();
    FunctionStatus { conditions, ..function.status() }
}

/// The containers whose figures count.
fn running(function: &Function) -> Vec<String> {
    let replicas = function.containers().into_iter().flat_map(|containers| &containers.replicas);
    replicas.filter(|replica| replica.upstream().is_some()).map(|replica| replica.id.clone()).collect()
}
