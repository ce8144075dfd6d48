#![doc = include_str!("../README.md")]

mod config;
mod gate;
mod push;

use axum::Router;
use axum::routing::post;
use sdk::{ConfigError, Env};

use config::Config;
use push::App;

/// The function.
///
/// # Errors
/// When the configuration is not usable: every missing and malformed value at once.
pub fn router(env: &Env) -> Result<Router, ConfigError> {
    let app = App::new(Config::read(env)?);
    Ok(Router::new().route("/", post(push::receive)).with_state(app))
}
