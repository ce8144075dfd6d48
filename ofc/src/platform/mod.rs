//! The whole platform in one process: gateway with every function, builder, git host, of-auth and router.

mod auth;
mod functions;
mod listeners;
mod services;
mod variables;

use std::net::SocketAddr;

use sdk::id::Owner;
use tokio_util::sync::CancellationToken;

use crate::data_dir::{DataDir, private_dir};
use crate::embedded;
use crate::instance::{Lock, Record};
use crate::redelivery;
use crate::report::Trouble;
use crate::secrets::Secrets;

use listeners::Listeners;
use services::Services;
pub(crate) use services::gateway_base;
use variables::Variables;

/// What the user decides about a platform.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it keeps everything.
    pub data: DataDir,
    /// The domain below which functions are served.
    pub domain: String,
    /// Who is registered first, where nobody is registered yet.
    pub owner: Owner,
    /// The router's port; 0 for any.
    pub port: u16,
    /// The gateway's port; 0 for any.
    pub gateway_port: u16,
    /// The port of the gateway's metrics, if they are to be served; 0 for any.
    pub metrics_port: Option<u16>,
}

/// A running platform.
pub struct Platform {
    record: Record,
    services: Services,
    data: DataDir,
    // Held as long as the platform runs.
    _lock: Lock,
}

impl Platform {
    /// Starts everything. When this returns, pushes are taken and functions of an earlier run are served.
    ///
    /// # Errors
    /// When a port is taken, the data directory is in use or unusable, or the engine does not answer.
    pub async fn start(options: Options) -> anyhow::Result<Self> {
        let Options { data, domain, owner, port, gateway_port, metrics_port } = options;
        let lock = Lock::take(&data)?;
        let listeners = Listeners::bind(port, gateway_port, metrics_port).await?;
        let record = Record {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            domain,
            router: listeners.router_address,
            gateway: listeners.gateway_address,
            git: listeners.git_address,
        };
        let variables = prepare(&data, &record, &listeners)?;
        let services = Services::start(&data, &record, owner, variables, listeners).await?;
        record.write(&data)?;
        redelivery::at_start(&data, &record)?;
        Ok(Self { record, services, data, _lock: lock })
    }

    /// Where it can be reached.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// Waits until `stop` is cancelled, then drains and stops everything; functions' containers go on.
    ///
    /// # Errors
    /// When a part of the platform ends by itself: nothing works without it.
    pub async fn run(&mut self, stop: CancellationToken) -> anyhow::Result<()> {
        let ended = self.services.serve(stop).await;
        // From here on nobody should come any more.
        let _ = std::fs::remove_file(self.data.record());
        self.services.drain().await;
        ended
    }
}

/// Lays out on disk all that the parts expect to find.
fn prepare(data: &DataDir, record: &Record, listeners: &Listeners) -> anyhow::Result<Variables> {
    let secrets = Secrets::open(data.secrets())?;
    let templates = embedded::lay_out_templates(&data.templates())?;
    let unusable = |path: &std::path::Path, cause| {
        Trouble::new(format!("{} cannot be made", path.display())).hint("see `ofc doctor`").because(cause)
    };
    // What a killed platform was working on is done again from the queue, in a directory of its own.
    let _ = std::fs::remove_dir_all(data.work());
    for folder in [data.gateway(), data.git(), data.auth(), data.pipeline_logs(), data.work()] {
        private_dir(&folder).map_err(|cause| unusable(&folder, cause))?;
    }
    let customers = data.customers();
    let opened = std::fs::OpenOptions::new().create(true).append(true).open(&customers);
    opened.map_err(|cause| unusable(&customers, cause))?;
    Ok(Variables::new(data, record, listeners, secrets, templates))
}

/// Nothing listens on another interface: what comes from outside goes through a proxy of the operator's.
fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}
