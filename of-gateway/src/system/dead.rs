//! `/system/async/dead`: the queued calls that were given up.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use http::StatusCode;
use queue::{DeadLetter, Letters};
use serde::Serialize;
use utoipa::ToSchema;

use super::function_id;
use super::query::Query;
use crate::app::App;
use crate::openapi::Flag;
use crate::problem::Problem;

const DEFAULT: usize = 100;
const MOST: usize = 1000;

/// How many letters something was done with.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Count {
    letters: usize,
}

/// List the queued calls that were given up, newest first.
#[utoipa::path(
    get,
    path = "/async/dead",
    operation_id = "ListDeadLetters",
    tag = "system",
    params(
        ("function" = Option<String>, Query, description = "Only those for this function (`name` or `name.namespace`)."),
        ("namespace" = Option<String>, Query, description = "The function's namespace; the default where left out."),
        ("limit" = Option<i64>, Query, minimum = 0, description = "At most this many; 100 where left out, never more than 1000."),
    ),
    responses(
        (status = 200, description = "The calls.", body = Vec<DeadLetter>),
        (status = 400, description = "The request names two namespaces."),
        (status = 404, description = "The namespace does not exist."),
        (status = 422, description = "A parameter is not understood."),
        (status = 503, description = "The queue does not answer."),
    )
)]
pub(crate) async fn list(State(app): State<Arc<App>>, query: Query) -> Result<Json<Vec<DeadLetter>>, Problem> {
    let number = |text: &str| text.parse::<i64>().ok().and_then(|number| usize::try_from(number).ok());
    let limit = match query.value("limit").map(number) {
        None => DEFAULT,
        Some(Some(limit)) => limit.min(MOST),
        Some(None) => return Err(Problem::Unprocessable("limit is not a number".to_owned())),
    };
    Ok(Json(app.queue.dead(function(&app, &query)?.as_deref(), limit).await?))
}

/// Show one call that was given up.
#[utoipa::path(
    get,
    path = "/async/dead/{id}",
    operation_id = "GetDeadLetter",
    tag = "system",
    params(
        ("id" = u64, Path, description = "The letter's id."),
    ),
    responses(
        (status = 200, description = "The call.", body = DeadLetter),
        (status = 404, description = "There is no such letter."),
        (status = 503, description = "The queue does not answer."),
    )
)]
pub(crate) async fn show(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Json<DeadLetter>, Problem> {
    app.queue.letter(number(&id)?).await?.map(Json).ok_or_else(|| missing(&id))
}

/// Put a call that was given up back into its queue.
#[utoipa::path(
    post,
    path = "/async/dead/{id}/redrive",
    operation_id = "RedriveDeadLetter",
    tag = "system",
    params(
        ("id" = u64, Path, description = "The letter's id."),
    ),
    responses(
        (status = 202, description = "It will be made again.", body = Count),
        (status = 404, description = "There is no such letter."),
        (status = 503, description = "The queue does not answer."),
    )
)]
pub(crate) async fn redrive(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<Count>), Problem> {
    let redriven = app.queue.redrive(Letters::One(number(&id)?)).await?;
    found(redriven, &id)
}

/// Put the calls that were given up back into their queues: those of a function, or all.
#[utoipa::path(
    post,
    path = "/async/dead/redrive",
    operation_id = "RedriveDeadLetters",
    tag = "system",
    params(
        ("function" = Option<String>, Query, description = "Only those for this function (`name` or `name.namespace`)."),
        ("namespace" = Option<String>, Query, description = "The function's namespace; the default where left out."),
        ("all" = inline(Option<Flag>), Query, description = "Whether all of them are meant."),
    ),
    responses(
        (status = 202, description = "They will be made again.", body = Count),
        (status = 400, description = "It is not said which letters, or it is said twice."),
        (status = 404, description = "The namespace does not exist."),
        (status = 422, description = "A parameter is not understood."),
        (status = 503, description = "The queue does not answer."),
    )
)]
pub(crate) async fn redrive_several(
    State(app): State<Arc<App>>,
    query: Query,
) -> Result<(StatusCode, Json<Count>), Problem> {
    let letters = app.queue.redrive(several(&app, &query)?).await?;
    tracing::info!(letters, "Dead letters were put back into the queue.");
    Ok((StatusCode::ACCEPTED, Json(Count { letters })))
}

/// Delete one call that was given up.
#[utoipa::path(
    delete,
    path = "/async/dead/{id}",
    operation_id = "DeleteDeadLetter",
    tag = "system",
    params(
        ("id" = u64, Path, description = "The letter's id."),
    ),
    responses(
        (status = 202, description = "It is deleted.", body = Count),
        (status = 404, description = "There is no such letter."),
        (status = 503, description = "The queue does not answer."),
    )
)]
pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<Count>), Problem> {
    let deleted = app.queue.discard(Letters::One(number(&id)?)).await?;
    found(deleted, &id)
}

/// Delete the calls that were given up: those of a function, or all.
#[utoipa::path(
    delete,
    path = "/async/dead",
    operation_id = "DeleteDeadLetters",
    tag = "system",
    params(
        ("function" = Option<String>, Query, description = "Only those for this function (`name` or `name.namespace`)."),
        ("namespace" = Option<String>, Query, description = "The function's namespace; the default where left out."),
        ("all" = inline(Option<Flag>), Query, description = "Whether all of them are meant."),
    ),
    responses(
        (status = 202, description = "They are deleted.", body = Count),
        (status = 400, description = "It is not said which letters, or it is said twice."),
        (status = 404, description = "The namespace does not exist."),
        (status = 422, description = "A parameter is not understood."),
        (status = 503, description = "The queue does not answer."),
    )
)]
pub(crate) async fn delete_several(
    State(app): State<Arc<App>>,
    query: Query,
) -> Result<(StatusCode, Json<Count>), Problem> {
    let letters = app.queue.discard(several(&app, &query)?).await?;
    tracing::info!(letters, "Dead letters were deleted.");
    Ok((StatusCode::ACCEPTED, Json(Count { letters })))
}

/// All of them only if that is said: a forgotten parameter must not cost anybody their calls.
fn several(app: &App, query: &Query) -> Result<Letters, Problem> {
    match (function(app, query)?, query.flag("all")?) {
        (Some(function), false) => Ok(Letters::Of(function)),
        (None, true) => Ok(Letters::All),
        (Some(_), true) => Err(Problem::Invalid("name a function, or say all=true, not both".to_owned())),
        (None, false) => {
            Err(Problem::Invalid("say which: ?function=NAME for those of a function, or ?all=true".to_owned()))
        }
    }
}

/// The full name of the function that a query names; it need not be deployed any more.
fn function(app: &App, query: &Query) -> Result<Option<String>, Problem> {
    let named = query.get("function").map(|name| function_id(app, name, &[query.get("namespace")]));
    Ok(named.transpose()?.map(|id| id.to_string()))
}

fn number(id: &str) -> Result<u64, Problem> {
    id.parse().map_err(|_| missing(id))
}

fn missing(id: &str) -> Problem {
    Problem::Missing(format!("there is no dead letter {id}"))
}

fn found(letters: usize, id: &str) -> Result<(StatusCode, Json<Count>), Problem> {
    if letters == 0 {
        return Err(missing(id));
    }
    Ok((StatusCode::ACCEPTED, Json(Count { letters })))
}
