#![doc = include_str!("../README.md")]

mod access;
mod auth;
mod config;
mod connections;
mod customs;
mod domain;
mod gate;
mod handler;
mod hosts;
mod outside;
mod ownership;
mod path;
mod reply;
mod route;

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use config::Config;
pub use customs::{CustomDomains, InvalidCustomDomain};
pub use domain::{Domain, InvalidDomain};
pub use hosts::{DnsServer, InvalidDnsServer};
#[cfg(feature = "fuzzing")]
pub use route::property::holds as the_route_decision_holds;

use handler::Router;

/// How often idle connections to the services behind are looked through.
const SWEEP: Duration = Duration::from_secs(10);

/// Routes requests until `shutdown` is cancelled, then lets open ones end.
///
/// # Errors
/// When the configuration names an upstream that cannot be used.
pub async fn serve(config: Config, listener: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
    let router = Arc::new(Router::new(&config, shutdown)?);
    let sweeping = async {
        loop {
            tokio::time::sleep(SWEEP).await;
            router.sweep();
        }
    };
    tokio::select! {
        () = connections::serve(router.clone(), listener, config.max_connections) => {}
        () = sweeping => {}
    }
    Ok(())
}
