#![doc = include_str!("../README.md")]

mod access;
mod access_log;
mod auth;
mod call_id;
mod callee;
mod config;
mod customs;
mod domain;
mod express;
mod gate;
mod handler;
mod hosts;
mod metrics;
mod outside;
mod ownership;
mod passage;
mod path;
mod recall;
mod reply;
mod route;
mod serving;
pub mod tls;

use std::sync::{Arc, Mutex};
use std::time::Instant;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
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
use tls::Edge;

/// What a running router can be told.
#[derive(Debug)]
pub enum Change {
    /// To go on with this configuration. Requests that have begun end under the old one; what [`Config`] says is read
    /// at the start only stays as it is. One that cannot be used is logged, and the old one stays.
    Config(Box<Config>),
    /// To open the file of the access log anew. A new configuration does so too.
    Logs,
}

/// Where the router is reached.
#[derive(Debug)]
pub struct Listeners {
    /// Without encryption.
    pub plain: TcpListener,
    /// With it: the certificates, and where they are used.
    pub encrypted: Option<(Arc<Edge>, TcpListener)>,
}

impl Listeners {
    fn edge(&self) -> Option<&Arc<Edge>> {
        self.encrypted.as_ref().map(|(edge, _)| edge)
    }

    fn all(&self) -> impl Iterator<Item = &TcpListener> {
        std::iter::once(&self.plain).chain(self.encrypted.as_ref().map(|(_, listener)| listener))
    }
}

/// Routes requests until `shutdown` is cancelled, then lets open ones end. Requests are served on threads of its own.
///
/// # Errors
/// When the configuration names an upstream that cannot be used, or a file or an address that cannot be opened.
pub async fn serve(config: Config, listener: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
    let listeners = Listeners { plain: listener, encrypted: None };
    serve_on(config, listeners, shutdown, mpsc::channel(1).1).await
}

/// The same, with and without encryption; and it can be told to go on differently. Certificates are looked after for as
/// long.
///
/// # Errors
/// As [`serve`].
pub async fn serve_on(
    config: Config,
    listeners: Listeners,
    shutdown: CancellationToken,
    changes: mpsc::Receiver<Change>,
) -> anyhow::Result<()> {
    let common = Arc::new(Common {
        metrics: Metrics::new(config.serving.workers),
        log: Log::open(&config.serving.access_log).context("the access log cannot be opened")?,
        owners: Owners::new(Instant::now()),
        edge: listeners.edge().cloned(),
        customs: Mutex::default(),
        shutdown,
    });
    let mut beside = JoinSet::new();
    if let Some(address) = config.serving.metrics_address {
        let listener = listen(address).with_context(|| format!("could not listen on {address} for metrics"))?;
        beside.spawn(metrics::serve(listener, common.clone()));
    }
    if let Some(edge) = common.edge.clone() {
        let shutdown = common.shutdown.clone();
        beside.spawn(async move { edge.run(shutdown).await });
    }
    let ended = serving::run(config, listeners, changes, common).await;
    beside.shutdown().await;
    ended
}
