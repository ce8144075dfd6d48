#![doc = include_str!("../README.md")]

mod config;
mod connections;
mod domain;
mod handler;
mod outside;
mod ownership;
mod path;
mod reply;
mod route;
pub mod tls;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

pub use config::Config;
pub use domain::{Domain, InvalidDomain};

use connections::Door;
use handler::Router;
use tls::Edge;

/// How often idle connections to the services behind are looked through.
const SWEEP: Duration = Duration::from_secs(10);

/// Where the router is reached.
#[derive(Debug)]
pub struct Listeners {
    /// Without encryption.
    pub plain: TcpListener,
    /// With it: the certificates, and where they are used.
    pub encrypted: Option<(Arc<Edge>, TcpListener)>,
}

/// Routes requests until `shutdown` is cancelled, then lets open ones end.
///
/// # Errors
/// When the configuration names an upstream that cannot be used.
pub async fn serve(config: Config, listener: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
    serve_on(config, Listeners { plain: listener, encrypted: None }, shutdown).await
}

/// The same, with and without encryption. Certificates are looked after for as long.
///
/// # Errors
/// When the configuration names an upstream that cannot be used.
pub async fn serve_on(config: Config, listeners: Listeners, shutdown: CancellationToken) -> anyhow::Result<()> {
    let router = Arc::new(Router::new(&config, shutdown.clone())?);
    let slots = Arc::new(Semaphore::new(config.max_connections.max(1)));
    let edge = listeners.encrypted.as_ref().map(|(edge, _)| edge.clone());
    let plain = connections::serve(router.clone(), listeners.plain, Door::Plain(edge.clone()), slots.clone());
    let encrypted = async {
        if let Some((edge, listener)) = listeners.encrypted {
            connections::serve(router.clone(), listener, Door::Encrypted(edge), slots).await;
        }
    };
    let sweeping = async {
        loop {
            tokio::time::sleep(SWEEP).await;
            router.sweep();
        }
    };
    let certificates = async {
        if let Some(edge) = edge {
            edge.run(shutdown).await;
        }
        // Open requests may take longer than that.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        _ = async { tokio::join!(plain, encrypted) } => {}
        () = sweeping => {}
        () = certificates => {}
    }
    Ok(())
}
