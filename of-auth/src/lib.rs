#![doc = include_str!("../README.md")]

mod address;
mod api;
mod api_token;
mod app;
mod audit;
mod clock;
mod config;
mod issue;
mod keys;
mod limit;
mod notices;
mod pages;
mod provider;
mod question;
mod random;
mod refusal;
mod routes;
mod store;
mod tenants;

use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use clock::Clock;
pub use config::Config;

use app::App;

/// How long requests may take to end after the stop was asked for.
const DRAIN: Duration = Duration::from_secs(10);
/// How often what is over is forgotten.
const TEND: Duration = Duration::from_secs(60);

/// Signs people in until `shutdown` is cancelled, then lets open requests end.
///
/// # Errors
/// When the data directory or the file of sessions cannot be used, or the listener fails.
pub async fn serve(config: Config, listener: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
    let (app, sending) = App::open(config, shutdown.clone()).await?;
    app.tasks.spawn(sending.run(shutdown.clone()));
    let server = axum::serve(listener, routes::routes(app.clone()));
    let server = server.with_graceful_shutdown(shutdown.clone().cancelled_owned());
    let tending = async {
        let mut times = tokio::time::interval(TEND);
        loop {
            times.tick().await;
            app.tend().await;
        }
    };
    let drained = async {
        shutdown.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        ended = server.into_future() => ended.context("of-auth's listener failed")?,
        () = tending => {}
        () = drained => tracing::warn!("some requests did not end in time and are cut off"),
    }
    app.tasks.close();
    let _ = tokio::time::timeout(DRAIN, app.tasks.wait()).await;
    Ok(())
}
