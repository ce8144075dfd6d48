//! Accepts connections and hands them to the workers in turn; swaps the configuration; ends all in order.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio_util::sync::CancellationToken;

use super::address::Clients;
use super::connection::Conn;
use super::door::{Door, Encrypted};
use super::lane::Lane;
use super::listen::steer_away;
use super::owners::Owners;
use super::worker::{self, Arrived, Worker};
use crate::access_log::Log;
use crate::handler::Router;
use crate::hosts::Table;
use crate::metrics::{Limit, Metrics};
use crate::tls::Edge;
use crate::{Change, Config, Listeners};

/// The wait after the system refused to accept a connection, for lack of file descriptors for example.
const BREATH: Duration = Duration::from_millis(100);
/// How many connections may wait for a worker.
const QUEUE: usize = 1024;
/// At the end, no client may have come for so long before the door is closed, and it is not held open longer than this.
const QUIET: Duration = Duration::from_millis(20);
const LAST_CALL: Duration = Duration::from_secs(1);

/// Somebody at one of the doors, and a place for them.
type AtDoor = std::io::Result<(TcpStream, SocketAddr, Door, OwnedSemaphorePermit)>;

/// What all workers share and what outlives a change of the configuration.
#[derive(Debug)]
pub(crate) struct Common {
    pub(crate) metrics: Metrics,
    pub(crate) log: Log,
    pub(crate) owners: Owners,
    /// The certificates, where there is encryption.
    pub(crate) edge: Option<Arc<Edge>>,
    /// The custom domains of the newest configuration.
    pub(crate) customs: Mutex<Table>,
    pub(crate) shutdown: CancellationToken,
}

/// The workers, and who may come in.
struct Hall {
    common: Arc<Common>,
    clients: Clients,
    began: Instant,
    workers: Vec<(Arc<Worker>, mpsc::Sender<Arrived>)>,
    next: usize,
}

/// Serves until the shutdown of `common`.
pub(crate) async fn run(
    mut config: Config,
    listeners: Listeners,
    mut changes: mpsc::Receiver<Change>,
    common: Arc<Common>,
) -> anyhow::Result<()> {
    let router = Arc::new(Router::new(&config, &common)?);
    let (mut hall, ended) = Hall::open(&router, common.clone())?;
    let slots = Arc::new(Semaphore::new(config.max_connections.max(1)));
    let mut changing = true;
    loop {
        tokio::select! {
            () = common.shutdown.cancelled() => break,
            change = changes.recv(), if changing => match change {
                Some(change) => {
                    common.edge.iter().for_each(|edge| edge.reload());
                    hall.change(change, &mut config);
                }
                None => changing = false,
            },
            arrived = arrive(&listeners, &slots) => hall.take(arrived, &config).await,
        }
    }
    // Until nobody is left in the queue of the socket.
    listeners.all().for_each(steer_away);
    hall.workers.iter().for_each(|(worker, _)| worker.close());
    let last_call = async {
        while let Ok(arrived) = tokio::time::timeout(QUIET, arrive(&listeners, &slots)).await {
            hall.take(arrived, &config).await;
        }
    };
    let _ = tokio::time::timeout(LAST_CALL, last_call).await;
    drop(listeners);
    drop(hall);
    for ended in ended {
        let _ = ended.await;
    }
    Ok(())
}

async fn arrive(listeners: &Listeners, slots: &Arc<Semaphore>) -> AtDoor {
    let place = slots.clone().acquire_owned().await.map_err(std::io::Error::other)?;
    let ((stream, client), door) = match &listeners.encrypted {
        None => (listeners.plain.accept().await?, Door::Plain(None)),
        Some((edge, encrypted)) => tokio::select! {
            accepted = listeners.plain.accept() => (accepted?, Door::Plain(Some(edge.clone()))),
            accepted = encrypted.accept() => (accepted?, Door::Encrypted(Encrypted::new(edge.clone()))),
        },
    };
    Ok((stream, client, door, place))
}

impl Hall {
    /// Starts the workers. The receivers end with them.
    fn open(router: &Arc<Router>, common: Arc<Common>) -> anyhow::Result<(Self, Vec<oneshot::Receiver<()>>)> {
        let (began, mut ended) = (Instant::now(), Vec::new());
        let mut workers = Vec::new();
        for index in 0..common.metrics.workers() {
            let worker = Worker::new(Lane::new(router.clone(), index, common.clone()), began);
            let ((give, arriving), (end, receiver)) = (mpsc::channel(QUEUE), oneshot::channel());
            worker::start(worker.clone(), format!("router-{index}"), arriving, end)?;
            workers.push((worker, give));
            ended.push(receiver);
        }
        Ok((Self { common, clients: Clients::default(), began, workers, next: 0 }, ended))
    }

    fn change(&self, change: Change, config: &mut Config) {
        self.common.log.reopen();
        let Change::Config(new) = change else { return };
        match Router::new(&new, &self.common) {
            Ok(router) => {
                let router = Arc::new(router);
                for (index, (worker, _)) in self.workers.iter().enumerate() {
                    worker.change(Lane::new(router.clone(), index, self.common.clone()));
                }
                *config = *new;
                tracing::info!("the configuration was read anew");
            }
            Err(error) => {
                tracing::error!(
                    cause = format!("{error:#}"),
                    "the new configuration cannot be used; the old one stays"
                );
            }
        }
    }

    async fn take(&mut self, arrived: AtDoor, config: &Config) {
        let (stream, client, door, place) = match arrived {
            Ok(arrived) => arrived,
            Err(error) => {
                tracing::warn!(cause = %error, "a connection could not be accepted");
                return tokio::time::sleep(BREATH).await;
            }
        };
        let Some(counted) = self.clients.enter(client.ip(), config.serving.max_client_connections) else {
            self.common.metrics.shard(0).limit(Limit::ClientConnections);
            return;
        };
        let conn = Conn::new(client, door, self.began, place, counted);
        self.next = (self.next + 1) % self.workers.len().max(1);
        if let (Ok(stream), Some((_, worker))) = (stream.into_std(), self.workers.get(self.next)) {
            let _ = worker.send((stream, conn)).await;
        }
    }
}
