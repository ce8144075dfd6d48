#![doc = include_str!("../README.md")]

mod book;
mod book_key;
mod config;
mod read;
mod record;
mod slack;
mod trail;

use axum::Router;
use axum::routing::post;
use sdk::{ConfigError, Env};

use config::Config;
use read::Reading;
use record::App;

/// The function.
///
/// # Errors
/// When the configuration is not usable: every missing and malformed value at once.
pub fn router(env: &Env) -> Result<Router, ConfigError> {
    let config = Config::read(env)?;
    let reading = Reading { key: config.read_key.clone(), book: config.book.clone() };
    let answers = Router::new().route("/read", post(read::answer)).with_state(reading);
    Ok(Router::new().route("/", post(record::receive)).with_state(App::new(config)).merge(answers))
}
