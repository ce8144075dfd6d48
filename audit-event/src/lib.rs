#![doc = include_str!("../README.md")]

mod config;
mod record;
mod slack;
mod trail;

use axum::Router;
use axum::routing::post;
use sdk::{ConfigError, Env};

use config::Config;
use record::App;

/// The function.
///
/// # Errors
/// When the configuration is not usable: every missing and malformed value at once.
pub fn router(env: &Env) -> Result<Router, ConfigError> {
    let app = App::new(Config::read(env)?);
    Ok(Router::new().route("/", post(record::receive)).with_state(app))
}
