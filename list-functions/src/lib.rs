#![doc = include_str!("../README.md")]

mod config;
mod list;
mod page;

use axum::Router;
use axum::routing::post;
use sdk::listing::{LIST_FUNCTION, LIST_PAGE};
use sdk::{ConfigError, Env};

use config::Config;
use list::App;

/// The function.
///
/// # Errors
/// When the configuration is not usable: every missing and malformed value at once.
pub fn router(env: &Env) -> Result<Router, ConfigError> {
    let config = Config::read(env)?;
    let all = Router::new().route("/", post(list::receive)).with_state(App::new(&config, LIST_FUNCTION));
    let page = Router::new().route("/page", post(page::receive)).with_state(App::new(&config, LIST_PAGE));
    Ok(all.merge(page))
}
