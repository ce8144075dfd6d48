//! `/system/async/dead`: the queued calls that were given up, newest first.

use std::sync::Arc;

use axum::Json;
use axum::extract::{RawQuery, State};

use super::Query;
use crate::app::App;
use crate::problem::Problem;
use crate::queue::DeadLetter;

const DEFAULT: usize = 100;
const MOST: usize = 1000;

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
    let function = query.get("function").map(|name| app.queued(name).to_string());
    Ok(Json(app.queue.dead(function, limit).await?))
}
