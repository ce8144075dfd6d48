//! The router as a program of its own.

use std::sync::Arc;

use anyhow::Context;
use of_router::tls::{Allowed, Edge, Host};
use of_router::{Config, Domain, Listeners};
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
    let plain = listen(&address).await?;
    let encrypted = match config.tls.clone() {
        Some(settings) => {
            let edge = Arc::new(Edge::new(settings, allowed(&config.domain))?);
            tokio::spawn(reload_on_signal(edge.clone()));
            Some((edge, listen(env.var("https_address").unwrap_or("0.0.0.0:8443")).await?))
        }
        None => None,
    };
    tracing::info!(address, encrypted = encrypted.is_some(), "of-router is routing requests");
    let shutdown = CancellationToken::new();
    tokio::spawn(stop_on_signal(shutdown.clone()));
    of_router::serve_on(config, Listeners { plain, encrypted }, shutdown).await
}

async fn listen(address: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| format!("could not listen on {address}"))
}

/// The platform's own hosts; others need `acme_hosts`, or a wildcard.
fn allowed(domain: &Domain) -> Allowed {
    let domain = domain.to_string();
    let ours = ["system.", "auth.system.", "git.", ""].map(|host| format!("{host}{domain}"));
    Allowed::new(move |host: Host| std::future::ready(ours.iter().any(|own| own == host.as_str())))
}

async fn reload_on_signal(edge: Arc<Edge>) {
    let Ok(mut hangups) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()) else { return };
    while hangups.recv().await.is_some() {
        edge.reload();
    }
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
