//! The Docker-compatible engine, reduced to what the gateway asks of it.
//!
//! What is deployed is written on the containers themselves: labels hold the whole deployment, and the end of a
//! container's name says which part it plays ([`Role`]). A gateway that was killed at any moment finds in the engine
//! all it needs to go on; there is no second store that could disagree.

mod container;
mod error;
mod figures;
mod firewall;
mod image;
mod network;
mod observe;
mod pull;
mod record;
mod registry;
mod residents;
mod resources;
mod template;

use std::sync::OnceLock;
use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, Docker};
use tokio::sync::watch;

pub(crate) use self::container::Process;
pub use self::error::EngineError;
pub(crate) use self::figures::Figures;
pub use self::firewall::{BlockedNetwork, Isolation, IsolationMode};
pub(crate) use self::image::ImageError;
pub use self::image::PullPolicy;
pub(crate) use self::network::Bridge;
pub(crate) use self::observe::{Change, Tail, What};
pub(crate) use self::record::{Found, Record, Role};
pub use self::registry::RegistryCredentials;
pub(crate) use self::resources::{InvalidQuantity, check_requests, cpu, memory};
pub(crate) use self::template::Template;

use self::firewall::Firewall;
use crate::config::Config;

/// What the engine gets for a request, beyond the time for which it is asked to wait.
const TIMEOUT: Duration = Duration::from_secs(120);

/// A client of the engine, for one installation.
pub(crate) struct Engine {
    connection: OnceLock<Docker>,
    address: String,
    /// The installation's id: containers with another one are none of our business.
    pub(crate) instance: String,
    reach: crate::config::Reach,
    /// The namespace of containers whose labels name none: those of the first releases.
    namespace: String,
    registries: RegistryCredentials,
    pull_policy: PullPolicy,
    pulls: pull::Pulls,
    pull_timeout: Duration,
    stop_timeout: Duration,
    /// The engine's own version, once it has answered.
    version: OnceLock<String>,
    /// Held while the network is looked for and made: the engine would make two of one name.
    making_network: tokio::sync::Mutex<()>,
    bridge: watch::Sender<Option<Bridge>>,
    last_seen: network::LastSeen,
    residents: residents::Residents,
    /// Whether functions find the gateway on their network.
    inside: bool,
    firewall: Firewall,
}

impl Engine {
    /// Nothing is asked of the engine yet: it may be started after the gateway.
    pub(crate) fn new(config: &Config, instance: String) -> Self {
        let firewall = Firewall::new(&instance, config.isolation.clone(), config.inside.port);
        let last_seen = network::LastSeen::within(&config.data_dir);
        Self {
            connection: OnceLock::new(),
            address: config.engine.clone(),
            instance,
            reach: config.reach,
            namespace: config.namespace.clone(),
            registries: config.registries.clone(),
            pull_policy: config.pull_policy,
            pulls: pull::Pulls::default(),
            pull_timeout: config.pull_timeout,
            stop_timeout: config.stop_timeout,
            version: OnceLock::new(),
            making_network: tokio::sync::Mutex::default(),
            bridge: watch::Sender::new(last_seen.read()),
            last_seen,
            residents: residents::Residents::default(),
            inside: config.inside.port.is_some(),
            firewall,
        }
    }

    fn docker(&self) -> Result<&Docker, EngineError> {
        if let Some(docker) = self.connection.get() {
            return Ok(docker);
        }
        // Stopping a container is the longest wait that it is asked for.
        let seconds = TIMEOUT.saturating_add(self.stop_timeout).as_secs();
        let made = match self.address.strip_prefix("tcp://").or_else(|| self.address.strip_prefix("http://")) {
            Some(host) => Docker::connect_with_http(&format!("http://{host}"), seconds, API_DEFAULT_VERSION),
            None => Docker::connect_with_unix(&self.address, seconds, API_DEFAULT_VERSION),
        };
        let docker = made.map_err(|source| self.error("connect to", "the engine", source))?;
        Ok(self.connection.get_or_init(|| docker))
    }

    /// The engine's version, asked once.
    pub(crate) async fn version(&self) -> Result<&str, EngineError> {
        if self.version.get().is_none() {
            let answer =
                self.docker()?.version().await.map_err(|source| self.error("ask for", "the version", source))?;
            let _ = self.version.set(answer.version.unwrap_or_default());
        }
        Ok(self.version.get().map_or("", String::as_str))
    }

    fn error(&self, operation: &'static str, object: &str, source: bollard::errors::Error) -> EngineError {
        EngineError::of(operation, object, &self.address, source)
    }
}
