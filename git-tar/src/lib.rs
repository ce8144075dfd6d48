#![doc = include_str!("../README.md")]

mod claims;
mod config;
mod deploy;
mod environment;
mod git;
mod handler;
mod hosts;
mod image_name;
mod plan;
mod pretty_url;
mod problem;
mod push;
mod record;
mod report;
mod repository;
mod secrets;
mod submodules;
mod templates;
mod turns;

use axum::Router;
use axum::routing::post;
use sdk::{ConfigError, Env};

pub use config::Config;

/// The function. Reads its configuration once.
///
/// # Errors
/// Names every variable and secret that is missing or wrong.
pub fn router(env: &Env) -> Result<Router, ConfigError> {
    let config = Config::read(env)?;
    let platform = push::Platform::new(config)?;
    Ok(Router::new().route("/", post(handler::push)).with_state(platform))
}
