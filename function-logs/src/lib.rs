#![doc = include_str!("../README.md")]

mod answer;
mod background;
mod book;
mod collector;
mod config;
mod desk;
mod follow;
mod layout;
mod progress;
mod record;
mod retention;
mod seen;
mod source_log;
mod tracker;
mod wanted;

use std::sync::Arc;

use axum::Router;
use axum::routing::post;
use sdk::function_log::{FOLLOW_LOGS, FUNCTION_LOGS_FUNCTION};
use sdk::{ConfigError, Env};
use tokio_util::sync::CancellationToken;

use collector::Collector;
use config::Config;
use desk::{Desk, Shared};

/// The function. It collects logs from now on, until the router is dropped.
///
/// # Errors
/// When the configuration is not usable: every missing and malformed value at once. Or when nothing can be done in the
/// background.
pub fn router(env: &Env) -> Result<Router, ConfigError> {
    let Config { functions, gateway, place, limits } = Config::read(env)?;
    let stop = CancellationToken::new();
    let runtime = background::runtime(stop.clone())?;
    let collector = Collector::begin(gateway, place.open(), limits, runtime, stop.clone());
    let shared = Arc::new(Shared::new(collector, stop.drop_guard()));
    let desk = |purpose| Desk { key: functions.key(purpose), shared: Arc::clone(&shared) };
    let answers = Router::new().route("/", post(answer::receive)).with_state(desk(FUNCTION_LOGS_FUNCTION));
    let follows = Router::new().route("/follow", post(follow::receive)).with_state(desk(FOLLOW_LOGS));
    Ok(answers.merge(follows))
}
