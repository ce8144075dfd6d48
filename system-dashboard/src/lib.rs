#![doc = include_str!("../README.md")]

mod address;
mod ansi;
mod app;
mod ask;
mod assets;
mod badges;
mod build_log;
mod chart;
mod config;
mod forms;
mod page;
mod pages;
mod refusal;
mod stream;
mod visitor;
mod words;

use axum::Router;
use axum::middleware::from_fn;
use axum::routing::{get, post};
use sdk::{ConfigError, Env};

use app::App;
use config::Config;
use pages::{actions, audit, badge, build, deploys, function, home, invoke, logs, operator, owner, secrets};
use refusal::Refusal;

/// The function. A first part `-` is no login and no function's name, so pages of ours below it hide nobody's.
///
/// # Errors
/// When the configuration is not usable: every missing and malformed value at once.
pub fn router(env: &Env) -> Result<Router, ConfigError> {
    let app = App::new(Config::read(env)?);
    let routes = Router::new()
        .route("/", get(home::show))
        .route("/-/assets/{name}", get(assets::show))
        .route("/-/badge/{owner}/{function}/{file}", get(badge::show))
        .route("/-/operator", get(operator::show))
        .route("/{owner}", get(owner::show))
        .route("/{owner}/", get(owner::show))
        .route("/{owner}/-/deploys", get(deploys::show))
        .route("/{owner}/-/secrets", get(secrets::show))
        .route("/{owner}/-/audit", get(audit::show))
        .route("/{owner}/{function}", get(function::show))
        .route("/{owner}/{function}/build-log", get(build::show))
        .route("/{owner}/{function}/build-log/live", get(build::live))
        .route("/{owner}/{function}/logs", get(logs::show))
        .route("/{owner}/{function}/logs/live", get(logs::live))
        .route("/{owner}/{function}/invoke", get(invoke::show).post(invoke::call))
        .route("/{owner}/{function}/redeploy", post(actions::redeploy))
        .route("/{owner}/{function}/scale", post(actions::scale))
        .route("/{owner}/{function}/delete", post(actions::delete))
        .fallback(async || Refusal::NotFound)
        .method_not_allowed_fallback(async || Refusal::NotFound)
        .layer(from_fn(page::finish));
    Ok(routes.with_state(app))
}
