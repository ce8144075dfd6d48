#![doc = include_str!("../README.md")]

mod build_log;
mod builder;
mod config;
mod deployment;
mod ownership;
mod parcel;
mod problem;
mod quantity;
mod rollout;
mod ship;

use std::sync::Arc;

use axum::Router;
use axum::routing::post;
use sdk::{ConfigError, Env};

use config::Config;
use ship::App;

/// The function.
///
/// # Errors
/// When the configuration is not usable: every missing and malformed value at once.
pub fn router(env: &Env) -> Result<Router, ConfigError> {
    let app = Arc::new(App::new(Config::read(env)?));
    Ok(Router::new().route("/", post(ship::receive)).with_state(app))
}
