#![doc = include_str!("../README.md")]

mod announce;
mod app;
mod apply;
mod backend;
mod build;
mod config;
mod gateway;
mod import;
mod keys;
#[cfg(feature = "kubernetes")]
mod kubernetes;
mod messages;
mod names;
mod opening;
mod plan;
mod problem;
mod prune;
mod public;
mod record;
mod records;
mod recovery;
mod trail;
mod wishes;
mod withdraw;

use axum::Router;
use axum::routing::post;
use sdk::{ConfigError, Env};

use app::App;
use config::Config;

/// The function.
///
/// # Errors
/// When the configuration is not usable: every missing and malformed value at once.
pub fn router(env: &Env) -> Result<Router, ConfigError> {
    let app = App::new(Config::read(env)?);
    app.begin_recovery();
    Ok(Router::new().route("/", post(messages::receive)).merge(public::routes()).with_state(app))
}
