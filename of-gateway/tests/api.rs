//! The gateway's HTTP interface over functions in the process; no engine is needed.

#[path = "api/asynchronous.rs"]
mod asynchronous;
#[path = "api/management.rs"]
mod management;
#[path = "api/metrics.rs"]
mod metrics;
#[path = "api/shutdown.rs"]
mod shutdown;
mod support;
#[path = "api/synchronous.rs"]
mod synchronous;

use axum::Router;
use of_gateway::{Config, PlatformFunction};
use support::config;

/// A gateway's configuration with these functions, and no engine to be found.
fn without_engine(dir: &std::path::Path, functions: impl IntoIterator<Item = (&'static str, Router)>) -> Config {
    let platform = functions.into_iter().map(|(name, router)| PlatformFunction::new(name, router)).collect();
    Config { engine: format!("unix://{}/no-engine.sock", dir.display()), platform, ..config(dir) }
}
