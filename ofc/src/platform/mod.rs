//! The whole platform in one process: gateway with every function, builder, git host, of-auth and router.

mod auth;
mod edge;
mod functions;
mod import_secrets;
mod listeners;
mod services;
mod site;
mod stage;
mod tenants;
mod variables;

use std::net::SocketAddr;
use std::path::PathBuf;

use sdk::id::Owner;
use tokio_util::sync::CancellationToken;

use crate::config_file::{ConfigFile, Tenants};
use crate::data_dir::{DataDir, private_dir};
use crate::embedded;
use crate::instance::{Lock, Record};
use crate::redelivery;
use crate::report::Trouble;

pub(crate) use listeners::Addresses;
use listeners::Listeners;
use services::Services;
pub(crate) use services::gateway_base;
use site::{Host, Site};
pub(crate) use stage::{Stage, registry};
pub(crate) use tenants::fetch as fetch_tenants;
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
    /// Where it listens.
    pub(crate) addresses: Addresses,
    /// A folder with secrets that others gave.
    pub(crate) given_secrets: Option<PathBuf>,
    /// Which stage it is.
    pub(crate) stage: Stage,
    /// The configuration file, if there is one.
    pub(crate) config: Option<ConfigFile>,
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
        let Options { data, domain, owner, addresses, given_secrets, stage, config } = options;
        let lock = Lock::take(&data)?;
        let site = Site::of(config, stage, &data, given_secrets.as_deref())?;
        let listeners = Listeners::bind(addresses).await?;
        let record = Record {
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            domain,
            router: listeners.router_address,
            gateway: listeners.gateway_address,
            git: (site.host() == Host::Own).then_some(listeners.git_address),
            outside: site.outside(&listeners)?,
        };
        let variables = prepare(&data, &record, &listeners, &site, given_secrets)?;
        if let Some(config) = &site.config {
            tenants::lay_out(&config.tenants, &data.customers()).await?;
        }
        let secrets = variables.secrets().clone();
        let mut services = Services::start(&data, &record, owner, variables, listeners).await?;
        if let Some(Tenants::At(url)) = site.config.as_ref().map(|config| &config.tenants) {
            services.keep_tenants(url.clone(), data.customers());
        }
        record.write(&data)?;
        if site.host() != Host::Gitlab {
            redelivery::at_start(&secrets, &record)?;
        }
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
fn prepare(
    data: &DataDir,
    record: &Record,
    listeners: &Listeners,
    site: &Site,
    given_secrets: Option<PathBuf>,
) -> anyhow::Result<Variables> {
    let secrets = site.secrets(data, given_secrets)?;
    let templates = embedded::lay_out_templates(&data.templates())?;
    let unusable = |path: &std::path::Path, cause| {
        Trouble::new(format!("{} cannot be made", path.display())).hint("see `ofc doctor`").because(cause)
    };
    // What a killed platform was working on is done again from the queue, in a directory of its own.
    let _ = std::fs::remove_dir_all(data.work());
    let logs = [data.pipeline_logs(), data.function_logs(), data.audit_events()];
    for folder in [data.gateway(), data.git(), data.auth(), data.work()].into_iter().chain(logs) {
        private_dir(&folder).map_err(|cause| unusable(&folder, cause))?;
    }
    let customers = data.customers();
    let opened = std::fs::OpenOptions::new().create(true).append(true).open(&customers);
    opened.map_err(|cause| unusable(&customers, cause))?;
    Ok(Variables::new(data, record, listeners, secrets, templates, site.clone()))
}

/// Nothing listens on another interface, unless a configuration file says so of the router: what comes from outside goes
/// through a proxy of the operator's.
fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}
