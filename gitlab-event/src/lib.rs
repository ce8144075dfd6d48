#![doc = include_str!("../README.md")]

mod app;
mod config;
mod delivery;
mod hook;
mod notice;
mod owner;
mod project;
mod refusal;
mod token;
mod work;

use std::sync::Arc;

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
    let app = Arc::new(App::new(Config::read(env)?));
    Ok(Router::new().route("/", post(app::receive)).with_state(app))
}
