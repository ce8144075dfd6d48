//! A function and the places it runs at.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use chrono::{DateTime, Utc};
use sdk::gateway::{FunctionDeployment, FunctionStatus};

use super::FunctionId;
use super::replica::{InFlight, NoReplica, Replica};
use super::settings::Settings;
use crate::metrics::Invocations;
use crate::worker::Retry;

/// A function of the platform itself: a router in this process instead of a container.
#[derive(Debug, Clone)]
pub struct PlatformFunction {
    /// Its name.
    pub name: String,
    /// What answers its requests; paths begin at the function's root.
    pub router: Router,
    /// Labels shown in the list.
    pub labels: BTreeMap<String, String>,
    /// Annotations shown in the list.
    pub annotations: BTreeMap<String, String>,
    /// How long it may take to begin its answer.
    pub timeout: Duration,
    /// Retries of asynchronous calls to it.
    pub retry: Retry,
    /// Asynchronous calls to it that run at once.
    pub concurrency: usize,
}

impl PlatformFunction {
    /// A platform function with the defaults: 15 minutes, 20 attempts from 250 ms on, 16 at once.
    pub fn new(name: impl Into<String>, router: Router) -> Self {
        Self {
            name: name.into(),
            router,
            labels: BTreeMap::from([(sdk::labels::ROLE.to_owned(), sdk::labels::SYSTEM_ROLE.to_owned())]),
            annotations: BTreeMap::new(),
            timeout: Duration::from_secs(15 * 60),
            retry: Retry { first: Duration::from_millis(250), cap: Duration::from_secs(60), attempts: 20 },
            concurrency: 16,
        }
    }
}

/// A deployed function: one version of it, with the replicas it has at the moment.
pub(crate) struct Function {
    pub(crate) id: FunctionId,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) backend: Backend,
    /// Shared by all versions, so that the count survives a deployment.
    pub(crate) invocations: Arc<Invocations>,
}

pub(crate) enum Backend {
    Platform(Box<PlatformFunction>),
    Containers(Containers),
}

/// A version that runs in containers.
#[derive(Clone)]
pub(crate) struct Containers {
    pub(crate) spec: Arc<FunctionDeployment>,
    /// What the deployment says about how it is to be called and scaled.
    pub(crate) settings: Arc<Settings>,
    pub(crate) generation: u64,
    pub(crate) image_id: String,
    /// Which versions of its secrets the containers were started with.
    pub(crate) secrets: String,
    /// Empty when scaled to zero.
    pub(crate) replicas: Vec<Arc<Replica>>,
    /// The stopped container that keeps the record of a function scaled to zero.
    pub(crate) parked: Option<Arc<Replica>>,
}

impl Containers {
    /// The ready replica with the fewest requests in flight.
    pub(crate) fn choose(&self) -> Result<InFlight, NoReplica> {
        // A replica may be retired between the choice and the claim; then there is another, or none.
        for _ in 0..=self.replicas.len() {
            match self.least_loaded()?.claim(self.settings.max_in_flight) {
                Err(NoReplica::NotReady) => {}
                other => return other,
            }
        }
        Err(NoReplica::NotReady)
    }

    /// One that failed lately is passed over for as long as there is another: where all fail, trying is better than
    /// refusing.
    fn least_loaded(&self) -> Result<&Arc<Replica>, NoReplica> {
        if let [only] = self.replicas.as_slice() {
            return Ok(only);
        }
        let ready = || self.replicas.iter().filter(|replica| replica.upstream().is_some());
        let sound = ready().filter(|replica| !replica.is_ejected()).min_by_key(|replica| replica.in_flight());
        let chosen = sound.or_else(|| ready().min_by_key(|replica| replica.in_flight()));
        chosen.ok_or(NoReplica::NotReady)
    }

    /// Whether all replicas that are ready have as many requests in flight as they take.
    pub(crate) fn is_full(&self) -> bool {
        let mut ready = self.replicas.iter().filter(|replica| replica.upstream().is_some()).peekable();
        ready.peek().is_some() && ready.all(|replica| replica.in_flight() >= self.settings.max_in_flight)
    }

    /// Requests that all replicas together take at a time; for a function at zero, that one replica takes.
    pub(crate) fn capacity(&self) -> usize {
        self.settings.max_in_flight.saturating_mul(self.replicas.len().max(1))
    }

    /// Requests in flight at all replicas.
    pub(crate) fn in_flight(&self) -> usize {
        self.replicas.iter().map(|replica| replica.in_flight()).sum()
    }

    pub(crate) fn available(&self) -> u64 {
        self.replicas.iter().filter(|replica| replica.upstream().is_some()).count() as u64
    }

    /// All containers of this version, the parked one included.
    pub(crate) fn everyone(&self) -> impl Iterator<Item = &Arc<Replica>> {
        self.replicas.iter().chain(&self.parked)
    }
}

impl Function {
    pub(crate) fn platform(function: PlatformFunction, namespace: &str) -> Arc<Self> {
        Arc::new(Self {
            id: FunctionId::new(function.name.as_str(), namespace),
            created_at: Utc::now(),
            backend: Backend::Platform(Box::new(function)),
            invocations: Arc::default(),
        })
    }

    /// The same function with other containers.
    pub(crate) fn with(&self, containers: Containers) -> Arc<Self> {
        Arc::new(Self {
            id: self.id.clone(),
            created_at: self.created_at,
            backend: Backend::Containers(containers),
            invocations: Arc::clone(&self.invocations),
        })
    }

    pub(crate) fn containers(&self) -> Option<&Containers> {
        match &self.backend {
            Backend::Containers(containers) => Some(containers),
            Backend::Platform(_) => None,
        }
    }

    pub(crate) fn status(&self) -> FunctionStatus {
        let base = FunctionStatus {
            name: self.id.name.clone(),
            namespace: self.id.namespace.clone(),
            invocation_count: self.invocations.started() as f64,
            created_at: Some(self.created_at),
            ..FunctionStatus::default()
        };
        match &self.backend {
            Backend::Platform(function) => FunctionStatus {
                image: format!("in-process/{}", self.id.name),
                labels: function.labels.clone(),
                annotations: function.annotations.clone(),
                replicas: 1,
                available_replicas: 1,
                ..base
            },
            Backend::Containers(containers) => {
                let spec = FunctionDeployment::clone(&containers.spec);
                FunctionStatus {
                    image: spec.image,
                    env_process: spec.env_process,
                    env_vars: spec.env_vars,
                    constraints: spec.constraints,
                    secrets: spec.secrets,
                    labels: spec.labels,
                    annotations: spec.annotations,
                    limits: spec.limits,
                    requests: spec.requests,
                    read_only_root_filesystem: spec.read_only_root_filesystem.unwrap_or(true),
                    replicas: containers.replicas.len() as u64,
                    available_replicas: containers.available(),
                    ..base
                }
            }
        }
    }
}
