#![doc = include_str!("../README.md")]

mod archive;
mod build_args;
mod cache_scope;
mod config;
mod dockerfile;
mod engine;
mod image_name;
mod job;
mod leftovers;
mod log_budget;
mod order;
mod refusal;
mod registry;
mod report;
mod routes;
mod secrets;
mod session;
mod signature;
mod spool;
mod text;
mod transcript;
mod verdict;

use std::time::Duration;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use archive::Limits;
pub use build_args::{BuildArgs, BuildArgsError};
pub use config::Config;
pub use image_name::{ImageName, InvalidImageName};
pub use registry::Registry;
pub use report::{Load, Report, Status};
pub use secrets::{BuilderKey, InvalidBuilderKey};

/// How long requests may take to end once the builds are cancelled.
const DRAIN_TIME: Duration = Duration::from_secs(15);

/// Serves the Function Builder API until `shutdown` is cancelled; builds that run then are cancelled, and their
/// clients told so.
///
/// # Errors
/// When the listener fails.
pub async fn serve(config: Config, listener: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
    let builder = routes::Builder::new(config, shutdown.clone());
    let app = routes::router(builder.clone());
    let server = axum::serve(listener, app).with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let drained = async {
        shutdown.cancelled().await;
        builder.tasks.close();
        tokio::time::sleep(DRAIN_TIME).await;
    };
    tokio::select! {
        served = server => served.context("the builder's listener failed")?,
        () = drained => tracing::warn!("requests were still open {DRAIN_TIME:?} after the stop; left them"),
    }
    builder.tasks.close();
    // Every build ends by itself on the same signal, after at most one last report.
    builder.tasks.wait().await;
    Ok(())
}
