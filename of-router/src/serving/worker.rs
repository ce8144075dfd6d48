//! One thread that serves requests, with connections to services of its own: nothing is shared that a request waits for.

use std::collections::HashMap;
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};
use tokio::task::AbortHandle;
use tokio_util::task::TaskTracker;

use super::connection::{self, Conn, Slot};
use super::lane::Lane;
use super::sweep;

/// How long open requests may take to end after the stop was asked for.
const DRAIN: Duration = Duration::from_secs(20);

/// What the threads of the router give to one of them.
pub(crate) type Arrived = (TcpStream, Slot);

/// One thread's connections and its view of the configuration.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) began: Instant,
    lane: RwLock<Arc<Lane>>,
    connections: Mutex<HashMap<usize, Entry>>,
    closing: AtomicBool,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) conn: Arc<Conn>,
    pub(crate) task: AbortHandle,
}

impl Worker {
    pub(crate) fn new(lane: Arc<Lane>, began: Instant) -> Arc<Self> {
        Arc::new(Self {
            began,
            lane: RwLock::new(lane),
            connections: Mutex::default(),
            closing: AtomicBool::new(false),
        })
    }

    /// The configuration as it is now.
    pub(crate) fn lane(&self) -> Arc<Lane> {
        self.lane.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Requests that begin from now on see this one.
    pub(crate) fn change(&self, lane: Arc<Lane>) {
        *self.lane.write().unwrap_or_else(PoisonError::into_inner) = lane;
    }

    /// From now on connections end with the request that they have.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Relaxed);
        self.lane().close();
    }

    pub(crate) fn is_closing(&self) -> bool {
        self.closing.load(Ordering::Relaxed)
    }

    pub(crate) fn connections(&self) -> std::sync::MutexGuard<'_, HashMap<usize, Entry>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(self: &Arc<Self>, tasks: &TaskTracker, (stream, conn): Arrived) {
        // Small answers go out at once.
        let _ = stream.set_nodelay(true);
        let Ok(stream) = tokio::net::TcpStream::from_std(stream) else { return };
        let (worker, slot) = (self.clone(), conn.clone());
        let key = Arc::as_ptr(&conn).addr();
        self.lane().shard().connection(1);
        let leaving = Leaving { worker: self.clone(), key };
        let task = tasks.spawn(async move {
            let _leaving = leaving;
            connection::open(worker, stream, slot).await;
        });
        // The task begins only after this: it is on this thread.
        self.connections().insert(key, Entry { conn, task: task.abort_handle() });
    }

    async fn run(self: Arc<Self>, mut arriving: mpsc::Receiver<Arrived>) {
        let tasks = TaskTracker::new();
        let sweeping = tokio::spawn(sweep::run(self.clone()));
        while let Some(arrived) = arriving.recv().await {
            self.take(&tasks, arrived);
        }
        sweep::look(&self, Instant::now());
        tasks.close();
        if tokio::time::timeout(DRAIN, tasks.wait()).await.is_err() {
            tracing::warn!("some requests did not end in time and are cut off");
        }
        sweeping.abort();
    }
}

/// Forgets a connection when its task ends, however it does.
struct Leaving {
    worker: Arc<Worker>,
    key: usize,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        self.worker.connections().remove(&self.key);
        self.worker.lane().shard().connection(-1);
    }
}

/// Starts a worker's thread. It ends when nobody can give it connections any more and those that it has are done;
/// `ended` is dropped then.
pub(crate) fn start(
    worker: Arc<Worker>,
    name: String,
    arriving: mpsc::Receiver<Arrived>,
    ended: oneshot::Sender<()>,
) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name(name).spawn(move || {
        runtime.block_on(worker.run(arriving));
        // What is left are tunnels that were told to end, and connections to services.
        runtime.shutdown_timeout(Duration::from_millis(100));
        drop(ended);
    })?;
    Ok(())
}
