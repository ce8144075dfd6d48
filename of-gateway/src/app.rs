//! What the parts of a running gateway share.

use std::collections::HashSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use queue::Queue;
use tokio::runtime::Handle;
use tokio::sync::{OnceCell, OwnedMutexGuard, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::auth::Credentials;
use crate::complaints::Complaints;
use crate::config::Config;
use crate::engine::Engine;
use crate::functions::{Backend, FunctionId, Functions};
use crate::history::History;
use crate::locks::Locks;
use crate::metrics::Metrics;
use crate::namespaces::Namespaces;
use crate::quota::{Quota, Quotas};
use crate::rollout::Troubles;
use crate::scaling::Wakeups;
use crate::secrets::Secrets;
use crate::worker::{Callbacks, Cancellations};

/// Bodies of asynchronous calls held in memory until they are stored, in KiB.
pub(crate) const ENQUEUE_MEMORY_KIB: usize = 64 << 10;
/// Logs that may be read at the same time.
const LOG_STREAMS: usize = 128;

pub(crate) struct App {
    /// The runtime that the gateway was started on.
    pub(crate) home: Handle,
    pub(crate) config: Config,
    pub(crate) credentials: Arc<Credentials>,
    pub(crate) metrics: Metrics,
    pub(crate) history: History,
    pub(crate) functions: Functions,
    pub(crate) namespaces: Namespaces,
    pub(crate) engine: Engine,
    pub(crate) secrets: Secrets,
    pub(crate) queue: Queue,
    pub(crate) wakeups: Wakeups,
    pub(crate) quotas: Quotas,
    pub(crate) troubles: Troubles,
    pub(crate) callbacks: Callbacks,
    /// Stops queued calls that run.
    pub(crate) cancellations: Cancellations,
    pub(crate) enqueue_memory: Semaphore,
    /// That calls cannot be queued.
    pub(crate) not_queued: Complaints,
    /// Connections that have left HTTP: they do not count as connections of the port any more.
    pub(crate) tunnels: Arc<Semaphore>,
    pub(crate) log_streams: Arc<Semaphore>,
    /// Work that outlives its request: rollouts, retirements.
    pub(crate) tasks: TaskTracker,
    /// Cancelled when the port closes: what would stream on without end ends.
    pub(crate) closing: CancellationToken,
    /// Open connections of everybody but functions.
    pub(crate) visitors: TaskTracker,
    /// Cancelled when, after the port closed, nothing is under way that could need a function.
    pub(crate) quiet: CancellationToken,
    /// Cancelled when the last request has ended.
    pub(crate) shutdown: CancellationToken,
    /// Containers on their way out; nobody else is to touch them.
    pub(crate) retiring: Mutex<HashSet<String>>,
    /// Set once the engine's containers have been looked through after the start.
    pub(crate) adopted: OnceCell<()>,
    /// Set once all that the engine runs has been set right at least once.
    pub(crate) complete: AtomicBool,
    locks: Locks,
    /// Deployments of one function happen in the order in which they came.
    pub(crate) deployments: Locks,
}

impl App {
    /// To be called on the runtime that is to do the gateway's work.
    pub(crate) fn new(config: Config, namespaces: Namespaces, engine: Engine, secrets: Secrets, queue: Queue) -> Self {
        let callbacks = Callbacks::new(config.queueing.callbacks.clone(), config.inside.port);
        let tunnels = Arc::new(Semaphore::new(config.max_connections));
        Self {
            home: Handle::current(),
            credentials: Arc::new(Credentials::new(&config.user, &config.password)),
            metrics: Metrics::default(),
            history: History::new(),
            config,
            functions: Functions::default(),
            namespaces,
            engine,
            secrets,
            queue,
            wakeups: Wakeups::default(),
            quotas: Quotas::default(),
            troubles: Troubles::default(),
            callbacks,
            cancellations: Cancellations::default(),
            enqueue_memory: Semaphore::new(ENQUEUE_MEMORY_KIB),
            not_queued: Complaints::default(),
            tunnels,
            log_streams: Arc::new(Semaphore::new(LOG_STREAMS)),
            tasks: TaskTracker::new(),
            closing: CancellationToken::new(),
            visitors: TaskTracker::new(),
            quiet: CancellationToken::new(),
            shutdown: CancellationToken::new(),
            retiring: Mutex::default(),
            adopted: OnceCell::new(),
            complete: AtomicBool::new(false),
            locks: Locks::default(),
            deployments: Locks::default(),
        }
    }

    /// Changes of one function happen one after the other, those of different functions side by side.
    pub(crate) async fn lock(&self, function: &FunctionId) -> OwnedMutexGuard<()> {
        self.locks.lock(function).await
    }

    /// The same unless somebody changes the function already.
    pub(crate) fn try_lock(&self, function: &FunctionId) -> Option<OwnedMutexGuard<()>> {
        self.locks.try_lock(function)
    }

    /// What a namespace may hold.
    pub(crate) fn quota(&self, namespace: &str) -> Quota {
        let annotations = self.namespaces.get(namespace).unwrap_or_default().annotations;
        // They were checked when they were set; a bound of the operator's that came later holds in any case.
        self.config.quota.with(&annotations).unwrap_or_else(|_| self.config.quota.clone())
    }

    /// Whether a function is being changed at the moment.
    pub(crate) fn is_locked(&self, function: &FunctionId) -> bool {
        self.locks.is_locked(function)
    }

    /// The function of a queued call. Calls of the first releases name no namespace.
    pub(crate) fn queued(&self, function: &str) -> FunctionId {
        FunctionId::parse(function).unwrap_or_else(|| FunctionId::new(function, self.config.namespace.as_str()))
    }

    /// Asynchronous calls to this function that may run at once: no more than it takes.
    pub(crate) fn async_limit(&self, function: &FunctionId) -> usize {
        let general = self.config.async_concurrency_per_function;
        match self.functions.get(function).as_deref().map(|function| &function.backend) {
            Some(Backend::Platform(platform)) => platform.concurrency,
            Some(Backend::Containers(containers)) => general.min(containers.capacity()),
            None => general,
        }
    }
}
