//! The router as a program of its own.

use anyhow::Context;
use of_router::Config;
use sdk::Env;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().json().with_env_filter(filter).init();
    let env = Env::from_process();
    let config = Config::from_env(&env)?;
    let address = env.var("listen_address").unwrap_or("0.0.0.0:8080").to_owned();
    let listener = TcpListener::bind(&address).await.with_context(|| format!("could not listen on {address}"))?;
    tracing::info!(address, "of-router is routing requests");
    let shutdown = CancellationToken::new();
    tokio::spawn(stop_on_signal(shutdown.clone()));
    of_router::serve(config, listener, shutdown).await
}

async fn stop_on_signal(shutdown: CancellationToken) {
    let terminated = async {
        match tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) {
            Ok(mut signal) => signal.recv().await,
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = terminated => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    shutdown.cancel();
}
