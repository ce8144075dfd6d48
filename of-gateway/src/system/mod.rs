//! The management API, `/system/…`: one module per kind of thing. Each handler carries its own description, and the
//! routes are made from the descriptions, so that the two cannot disagree (see [`crate::openapi`]).

mod alert;
mod body;
pub(crate) mod cancel;
mod dead;
mod functions;
mod history;
mod info;
mod load;
mod logs;
mod namespaces;
mod query;
mod scale;
mod secrets;

use std::sync::Arc;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub(crate) use self::body::{MAX_BODY, MAX_SECRET_BODY};
use self::query::Query;
use crate::app::App;
use crate::functions::FunctionId;
use crate::problem::Problem;

/// All routes, without the `/system` before them.
pub(crate) fn routes() -> OpenApiRouter<Arc<App>> {
    OpenApiRouter::default()
        .routes(routes!(functions::list, functions::create, functions::update, functions::delete))
        .routes(routes!(functions::show))
        .routes(routes!(scale::scale))
        .routes(routes!(alert::receive))
        .routes(routes!(secrets::list, secrets::create, secrets::update, secrets::delete))
        .routes(routes!(logs::read))
        .routes(routes!(history::show))
        .routes(routes!(info::info))
        .routes(routes!(load::show))
        .routes(routes!(namespaces::list))
        .routes(routes!(namespaces::create))
        .routes(routes!(namespaces::show, namespaces::create_named, namespaces::update, namespaces::delete))
        .routes(routes!(dead::list, dead::delete_several))
        .routes(routes!(dead::redrive_several))
        .routes(routes!(dead::show, dead::delete))
        .routes(routes!(dead::redrive))
}

/// `name` or `name.namespace` with the namespaces named elsewhere, which must not contradict each other.
fn function_id(app: &App, name: &str, namespaces: &[Option<&str>]) -> Result<FunctionId, Problem> {
    let (name, own) = match name.rsplit_once('.') {
        Some((name, namespace)) => (name, Some(namespace)),
        None => (name, None),
    };
    let named: Vec<_> = namespaces.iter().copied().chain([own]).collect();
    Ok(FunctionId::new(name, namespace(app, &named)?))
}

/// The namespace that a request is about: the one it names, else the default one. It has to exist, so that it may
/// become part of a path.
fn namespace(app: &App, named: &[Option<&str>]) -> Result<String, Problem> {
    let mut all = named.iter().copied().flatten().filter(|namespace| !namespace.is_empty());
    let Some(first) = all.next() else { return Ok(app.config.namespace.clone()) };
    if let Some(other) = all.find(|other| *other != first) {
        return Err(Problem::Invalid(format!("the request names two namespaces, {first} and {other}")));
    }
    app.namespaces.get(first)?;
    Ok(first.to_owned())
}

/// Like [`namespace`] for a list: one that does not exist has nothing in it.
fn listed_namespace(app: &App, query: &Query) -> Option<String> {
    let asked = query.get("namespace").unwrap_or(&app.config.namespace);
    app.namespaces.exists(asked).then(|| asked.to_owned())
}

fn not_deployed(function: &FunctionId) -> Problem {
    Problem::Missing(format!("the function {function} is not deployed"))
}
