//! `/system/history`: how functions did in the last day.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use sdk::metrics::{MAX_HISTORY_NAMES, MAX_POINTS, MetricsAnswer, Window};

use super::function_id;
use super::query::Query;
use crate::app::App;
use crate::problem::Problem;

/// Show how functions did in the last hour or day.
///
/// Calls by code, latencies, replicas, and over time with memory and processors. Known since the gateway's start, at
/// most for a day; `since` of the answer says since when. Functions that do not exist are left out of it. Not a part of
/// OpenFaaS' own API.
#[utoipa::path(
    get,
    path = "/history",
    operation_id = "GetFunctionHistory",
    tag = "system",
    params(
        ("name" = String, Query, min_length = 1, pattern = "^[^,]+(,[^,]+){0,99}$",
            description = "The functions' names (`name` or `name.namespace`), by commas; at most 100."),
        ("namespace" = Option<String>, Query, description = "The functions' namespace; the default where left out."),
        ("window" = inline(Option<Window>), Query, description = "How far back: `1h` (the default), `24h` or `7d`."),
        ("points" = Option<i64>, Query, minimum = 0, maximum = 240, description = "With so many points over the window; none where left out."),
    ),
    responses(
        (status = 200, description = "How they did.", body = MetricsAnswer),
        (status = 400, description = "The request names two namespaces."),
        (status = 404, description = "The namespace does not exist."),
        (status = 422, description = "A parameter is missing or not understood."),
    )
)]
pub(crate) async fn show(State(app): State<Arc<App>>, query: Query) -> Result<Json<MetricsAnswer>, Problem> {
    let (window, points) = (window(&query)?, points(&query)?);
    let mut functions = Vec::new();
    for name in names(&query)? {
        let id = function_id(&app, name, &[query.get("namespace")])?;
        functions.extend(app.functions.get(&id).map(|function| (name.to_owned(), function)));
    }
    Ok(Json(app.history.answer(&functions, window, points)))
}

fn names(query: &Query) -> Result<Vec<&str>, Problem> {
    let names = query.get("name").ok_or_else(|| Problem::Unprocessable("name is missing".to_owned()))?;
    let names: Vec<_> = names.split(',').take(MAX_HISTORY_NAMES + 1).collect();
    if names.len() > MAX_HISTORY_NAMES {
        return Err(Problem::Unprocessable(format!("name has more than {MAX_HISTORY_NAMES} names")));
    }
    if names.contains(&"") {
        return Err(Problem::Unprocessable("name has an empty name between its commas".to_owned()));
    }
    Ok(names)
}

fn window(query: &Query) -> Result<Window, Problem> {
    let all = [Window::Hour, Window::Day, Window::Week];
    let Some(asked) = query.value("window") else { return Ok(Window::default()) };
    let found = all.into_iter().find(|window| window.as_str() == asked);
    found.ok_or_else(|| Problem::Unprocessable("window is none of 1h, 24h and 7d".to_owned()))
}

fn points(query: &Query) -> Result<usize, Problem> {
    let Some(asked) = query.value("points") else { return Ok(0) };
    let points = asked.parse().ok().filter(|points| *points <= MAX_POINTS);
    points.ok_or_else(|| Problem::Unprocessable(format!("points is no number from 0 to {MAX_POINTS}")))
}
