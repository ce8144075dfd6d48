//! A function and the places it runs at.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use chrono::{DateTime, Utc};
use sdk::gateway::{FunctionDeployment, FunctionStatus};
use tokio::sync::Notify;

use super::FunctionId;
use crate::transit::Container;
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
    pub(crate) invocations: Arc<AtomicU64>,
}

pub(crate) enum Backend {
    Platform(Box<PlatformFunction>),
    Containers(Containers),
}

/// A version that runs in containers.
#[derive(Clone)]
pub(crate) struct Containers {
    pub(crate) spec: Arc<FunctionDeployment>,
    pub(crate) generation: u64,
    pub(crate) image_id: String,
    /// Which versions of its secrets the containers were started with.
    pub(crate) secrets: String,
    /// Empty when scaled to zero.
    pub(crate) replicas: Vec<Arc<Replica>>,
    /// The stopped container that keeps the record of a function scaled to zero.
    pub(crate) parked: Option<Arc<Replica>>,
}

/// One container.
pub(crate) struct Replica {
    pub(crate) id: String,
    pub(crate) index: u32,
    /// `None` while it is not ready.
    upstream: RwLock<Option<Arc<Container>>>,
    in_flight: AtomicUsize,
    idle: Notify,
    watched: AtomicBool,
}

impl Replica {
    pub(crate) fn new(id: String, index: u32, upstream: Option<Arc<Container>>) -> Arc<Self> {
        Arc::new(Self {
            id,
            index,
            upstream: RwLock::new(upstream),
            in_flight: AtomicUsize::new(0),
            idle: Notify::new(),
            watched: AtomicBool::new(false),
        })
    }

    pub(crate) fn upstream(&self) -> Option<Arc<Container>> {
        self.upstream.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_upstream(&self, upstream: Option<Arc<Container>>) {
        *self.upstream.write().unwrap_or_else(PoisonError::into_inner) = upstream;
    }

    /// Whether it is ready, and known to be there.
    pub(crate) fn answers_at(&self, address: SocketAddr) -> bool {
        self.upstream().is_some_and(|container| container.authority() == address.to_string())
    }

    /// The claim is made before the address is read: whoever retires a replica takes the address first and then
    /// waits for the claims, so no request slips between.
    fn claim(self: &Arc<Self>) -> Option<InFlight> {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        let claim = Claim(Arc::clone(self));
        Some(InFlight { container: self.upstream()?, claim })
    }

    /// Begins a watch over its becoming ready, unless there is one.
    pub(crate) fn begin_watch(&self) -> bool {
        !self.watched.swap(true, Ordering::SeqCst)
    }

    pub(crate) fn end_watch(&self) {
        self.watched.store(false, Ordering::SeqCst);
    }

    /// Resolves when no request is in flight.
    pub(crate) async fn idle(&self) {
        loop {
            let notified = self.idle.notified();
            tokio::pin!(notified);
            // Registered before the count is read, so that the last request cannot end unheard between.
            notified.as_mut().enable();
            if self.in_flight.load(Ordering::SeqCst) == 0 {
                return;
            }
            notified.await;
        }
    }
}

/// A request in flight at a replica: where it goes, and the mark that it is under way.
pub(crate) struct InFlight {
    pub(crate) container: Arc<Container>,
    pub(crate) claim: Claim,
}

/// Counts a request until it is dropped.
pub(crate) struct Claim(Arc<Replica>);

impl Drop for Claim {
    fn drop(&mut self) {
        if self.0.in_flight.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.0.idle.notify_waiters();
        }
    }
}

impl Containers {
    /// The ready replica with the fewest requests in flight.
    pub(crate) fn choose(&self) -> Option<InFlight> {
        // A replica may be retired between the choice and the claim; then there is another, or none.
        (0..=self.replicas.len()).find_map(|_| self.least_loaded()?.claim())
    }

    fn least_loaded(&self) -> Option<&Arc<Replica>> {
        if let [only] = self.replicas.as_slice() {
            return Some(only);
        }
        let ready = self.replicas.iter().filter(|replica| replica.upstream().is_some());
        ready.min_by_key(|replica| replica.in_flight.load(Ordering::Relaxed))
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
            invocation_count: self.invocations.load(Ordering::Relaxed) as f64,
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
