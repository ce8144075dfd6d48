//! `/system/scale-function/NAME`.

use std::sync::Arc;

use axum::extract::{Path, State};
use http::StatusCode;
use sdk::gateway::ScaleRequest;

use super::body::JsonBody;
use super::function_id;
use super::query::Query;
use crate::app::App;
use crate::problem::Problem;
use crate::rollout;

/// Set a function's number of replicas.
///
/// Answers once they are ready. Zero stops the function; nothing of it is lost.
#[utoipa::path(
    post,
    path = "/scale-function/{functionName}",
    operation_id = "ScaleFunction",
    tag = "system",
    params(
        ("functionName" = String, Path, description = "The function's name, or `name.namespace`."),
        ("namespace" = Option<String>, Query, description = "The namespace, if the body names none."),
    ),
    request_body = ScaleRequest,
    responses(
        (status = 202, description = "There are that many replicas."),
        (status = 400, description = "The request is not valid, or asks for too many replicas."),
        (status = 404, description = "The function is not deployed, or the namespace does not exist."),
        (status = 409, description = "The function belongs to the platform."),
        (status = 422, description = "A new replica does not become ready."),
        (status = 503, description = "The container engine does not answer."),
    )
)]
pub(crate) async fn scale(
    State(app): State<Arc<App>>,
    Path(name): Path<String>,
    query: Query,
    JsonBody(request): JsonBody<ScaleRequest>,
) -> Result<StatusCode, Problem> {
    let id = function_id(&app, &name, &[query.get("namespace"), Some(&request.namespace)])?;
    if !request.service_name.is_empty() && request.service_name != id.name && request.service_name != id.to_string() {
        let sentence = format!("the path names the function {id}, the body {}", request.service_name);
        return Err(Problem::Invalid(sentence));
    }
    rollout::scale(&app, id, request.replicas).await?;
    Ok(StatusCode::ACCEPTED)
}
