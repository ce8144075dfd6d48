//! From a configuration to a gateway that is ready to serve.

use std::path::PathBuf;
use std::sync::Arc;

use queue::{Limits, Options, Queue, QueueError};

use crate::app::App;
use crate::auth::Credentials;
use crate::config::{Config, PlatformFunction};
use crate::engine::{Engine, EngineError};
use crate::functions::{Function, FunctionId, valid_name};
use crate::instance::{self, InstanceError};
use crate::metrics;
use crate::namespaces::Namespaces;
use crate::rollout::reconcile;
use crate::secrets::Secrets;

/// Dead letters kept for a look.
const DEAD_LETTERS: usize = 10_000;

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data directory cannot be used.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// The queue file cannot be used.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The file of the namespaces cannot be used.
    #[error("cannot use the file of the namespaces")]
    Namespaces(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The secrets' directory cannot be used.
    #[error("cannot use the directory of the secrets in {}", .data_dir.display())]
    Secrets {
        /// The data directory.
        data_dir: PathBuf,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Two platform functions have one name, or one has an invalid name.
    #[error("the platform function name \"{0}\" is taken already, or not an RFC 1123 label")]
    PlatformName(String),
    /// The engine answers, but not as it should.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

/// A gateway that has opened its queue, mounted the platform's functions and taken over the containers of before.
pub struct Gateway {
    pub(crate) app: Arc<App>,
}

impl Gateway {
    /// Prepares everything but the port. An engine that does not answer is no failure: the platform's functions work
    /// without it, and the containers are taken over as soon as it is there.
    pub async fn start(mut config: Config) -> Result<Self, StartError> {
        let instance = instance::read_or_make(&config.data_dir)?;
        // First of all, because its lock keeps a second gateway away from everything else in the directory.
        let queue = queue(&config).await?;
        let secrets = Secrets::open(&config.data_dir, config.secrets_mount_dir.as_deref(), &instance)
            .map_err(|source| StartError::Secrets { data_dir: config.data_dir.clone(), source: source.into() })?;
        let namespaces = Namespaces::open(&config.data_dir, &config.namespace)
            .map_err(|source| StartError::Namespaces(source.into()))?;
        let platform = std::mem::take(&mut config.platform);
        let engine = Engine::new(&config, instance);
        let gateway = Self { app: Arc::new(App::new(config, namespaces, engine, secrets, queue)) };
        for function in platform {
            gateway.mount(function)?;
        }
        match reconcile::adopt(&gateway.app).await {
            Ok(()) => {}
            Err(error @ EngineError::Unreachable { .. }) => {
                tracing::warn!(%error, "Starting without a container engine.");
            }
            Err(error) => return Err(error.into()),
        }
        Ok(gateway)
    }

    /// Adds a function that runs in this process. Meant for functions that need the gateway's address first.
    pub fn mount(&self, function: PlatformFunction) -> Result<(), StartError> {
        let name = function.name.clone();
        let id = FunctionId::new(name.as_str(), self.app.config.namespace.as_str());
        if !valid_name(&name) || self.app.functions.get(&id).is_some_and(|other| other.containers().is_none()) {
            return Err(StartError::PlatformName(name));
        }
        self.app.functions.put(Function::platform(function, &id.namespace));
        Ok(())
    }

    /// The credentials of the management API, to change them while it runs.
    pub fn credentials(&self) -> Arc<Credentials> {
        Arc::clone(&self.app.credentials)
    }

    /// What is to be served on a port for Prometheus: `/metrics`, and `/healthz`.
    pub fn metrics(&self) -> axum::Router {
        metrics::page(Arc::clone(&self.app))
    }

    /// The random id that this installation's containers and network carry in their names and labels.
    pub fn instance(&self) -> &str {
        &self.app.engine.instance
    }
}

async fn queue(config: &Config) -> Result<Queue, QueueError> {
    let general = Options::default();
    let limits = Limits {
        calls: config.max_queued,
        dead: DEAD_LETTERS,
        body_files: config.queueing.max_stored,
        ..general.limits
    };
    let options = Options { limits, lease: config.queueing.lease, former_namespace: config.namespace.clone() };
    match config.queueing.nats.clone() {
        None => queue::embedded(&config.data_dir, options).await,
        Some(nats) => queue::jetstream(&config.data_dir, nats, options).await,
    }
}
