#![doc = include_str!("../README.md")]

mod access;
mod access_log;
mod auth;
mod call_id;
mod config;
mod customs;
mod domain;
mod gate;
mod handler;
mod hosts;
mod metrics;
mod outside;
mod ownership;
mod path;
mod reply;
mod route;
mod serving;

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub use config::Config;
pub use customs::{CustomDomains, InvalidCustomDomain};
pub use domain::{Domain, InvalidDomain};
pub use hosts::{DnsServer, InvalidDnsServer};
#[cfg(feature = "fuzzing")]
pub use route::property::holds as the_route_decision_holds;
pub use serving::listen::listen;
pub use serving::{AccessLog, Serving};

use access_log::Log;
use metrics::Metrics;
use serving::Common;
use serving::owners::Owners;

/// What a running router can be told.
#[derive(Debug)]
pub enum Change {
    /// To go on with this configuration. Requests that have begun end under the old one; what [`Config`] says is read
    /// at the start only stays as it is. One that cannot be used is logged, and the old one stays.
    Config(Box<Config>),
    /// To open the file of the access log anew. A new configuration does so too.
    Logs,
}

/// Routes requests until `shutdown` is cancelled, then lets open ones end. Requests are served on threads of its own.
///
/// # Errors
/// When the configuration names an upstream that cannot be used, or a file or an address that cannot be opened.
pub async fn serve(config: Config, listener: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
    serve_changing(config, listener, shutdown, mpsc::channel(1).1).await
}

/// Like [`serve`], and can be told to go on differently.
///
/// # Errors
/// As [`serve`].
pub async fn serve_changing(
    config: Config,
    listener: TcpListener,
    shutdown: CancellationToken,
    changes: mpsc::Receiver<Change>,
) -> anyhow::Result<()> {
    let common = Arc::new(Common {
        metrics: Metrics::new(config.serving.workers),
        log: Log::open(&config.serving.access_log).context("the access log cannot be opened")?,
        owners: Owners::new(Instant::now()),
        shutdown,
    });
    let measuring = match config.serving.metrics_address {
        Some(address) => {
            let listener = listen(address).with_context(|| format!("could not listen on {address} for metrics"))?;
            Some(tokio::spawn(metrics::serve(listener, common.clone())))
        }
        None => None,
    };
    let ended = serving::run(config, listener, changes, common).await;
    if let Some(measuring) = measuring {
        measuring.abort();
        let _ = measuring.await;
    }
    ended
}
