//! `/system/async/dead`: the queued calls that were given up.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, RawQuery, State};
use http::StatusCode;
use queue::{DeadLetter, Letters};
use serde::Serialize;

use super::{Query, function_id};
use crate::app::App;
use crate::problem::Problem;

const DEFAULT: usize = 100;
const MOST: usize = 1000;

/// How many letters something was done with.
#[derive(Debug, Serialize)]
pub(crate) struct Count {
    letters: usize,
}

/// Newest first.
pub(crate) async fn list(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<Json<Vec<DeadLetter>>, Problem> {
    let query = Query::of(query.as_deref());
    let limit = match query.get("limit").map(str::parse::<usize>) {
        None => DEFAULT,
        Some(Ok(limit)) => limit.min(MOST),
        Some(Err(_)) => return Err(Problem::Unprocessable("limit is not a number".to_owned())),
    };
    Ok(Json(app.queue.dead(function(&app, &query)?.as_deref(), limit).await?))
}

pub(crate) async fn show(State(app): State<Arc<App>>, Path(id): Path<String>) -> Result<Json<DeadLetter>, Problem> {
    app.queue.letter(number(&id)?).await?.map(Json).ok_or_else(|| missing(&id))
}

pub(crate) async fn redrive(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<Count>), Problem> {
    let redriven = app.queue.redrive(Letters::One(number(&id)?)).await?;
    found(redriven, &id)
}

pub(crate) async fn redrive_several(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<(StatusCode, Json<Count>), Problem> {
    let letters = app.queue.redrive(several(&app, query.as_deref())?).await?;
    tracing::info!(letters, "Dead letters were put back into the queue.");
    Ok((StatusCode::ACCEPTED, Json(Count { letters })))
}

pub(crate) async fn delete(
    State(app): State<Arc<App>>,
    Path(id): Path<String>,
) -> Result<(StatusCode, Json<Count>), Problem> {
    let deleted = app.queue.discard(Letters::One(number(&id)?)).await?;
    found(deleted, &id)
}

pub(crate) async fn delete_several(
    State(app): State<Arc<App>>,
    RawQuery(query): RawQuery,
) -> Result<(StatusCode, Json<Count>), Problem> {
    let letters = app.queue.discard(several(&app, query.as_deref())?).await?;
    tracing::info!(letters, "Dead letters were deleted.");
    Ok((StatusCode::ACCEPTED, Json(Count { letters })))
}

/// All of them only if that is said: a forgotten parameter must not cost anybody their calls.
fn several(app: &App, query: Option<&str>) -> Result<Letters, Problem> {
    let query = Query::of(query);
    match (function(app, &query)?, query.flag("all")?) {
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
