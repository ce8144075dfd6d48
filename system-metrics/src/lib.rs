#![doc = include_str!("../README.md")]

mod answer;
mod config;
mod history;
mod owned;
mod prometheus;

use axum::Router;
use axum::routing::post;
use sdk::{ConfigError, Env};

use answer::App;
use config::Config;

/// The function.
///
/// # Errors
/// When the configuration is not usable: every missing and malformed value at once.
pub fn router(env: &Env) -> Result<Router, ConfigError> {
    let app = App::new(Config::read(env)?);
    Ok(Router::new().route("/", post(answer::receive)).with_state(app))
}
