#![doc = include_str!("../README.md")]

use axum::Router;
use sdk::{ConfigError, Env};

/// The function.
///
/// # Errors
/// When the configuration is not usable: every missing and malformed value at once.
pub fn router(env: &Env) -> Result<Router, ConfigError> {
    sdk::push::router("gitlab-push", env)
}
