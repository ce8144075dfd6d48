//! The server: two listeners, and an orderly end.

use std::future::Future;
use std::io;
use std::net::{Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::access_log::AccessLog;
use crate::config::Config;
use crate::connection::Connections;
use crate::contract::Contract;
use crate::lock_file::LockFile;
use crate::metrics::scrape;
use crate::socket::Socket;

/// How long to wait before accepting again after the system refused (it is out of file descriptors, mostly).
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Why a function could not be served.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A port is taken or not allowed.
    #[error("could not listen on port {port} ({variable}); is another process using it?")]
    Listen {
        /// The variable that sets the port.
        variable: &'static str,
        /// The port.
        port: u16,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The folder for temporary files cannot be written.
    #[error("could not write the lock file {}; mount a writable folder there or set suppress_lock=true", path.display())]
    LockFile {
        /// Where it should be.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The access log's thread could not be started.
    #[error("could not start the access log")]
    AccessLog(#[source] io::Error),
}

/// Where the function listens.
#[derive(Debug)]
pub struct Listeners {
    /// For requests.
    pub http: TcpListener,
    /// For `/metrics`.
    pub metrics: TcpListener,
}

impl Listeners {
    /// Listens on all addresses at the configured ports.
    ///
    /// # Errors
    /// When a port is taken.
    pub async fn bind(config: &Config) -> Result<Self, ServeError> {
        Ok(Self {
            http: bind("port", config.port).await?,
            metrics: bind("metrics_port", config.metrics_port).await?,
        })
    }
}

async fn bind(variable: &'static str, port: u16) -> Result<TcpListener, ServeError> {
    // The IPv6 wildcard takes IPv4 too, except where the machine has no IPv6 at all.
    let result = match TcpListener::bind(SocketAddr::from((Ipv6Addr::UNSPECIFIED, port))).await {
        Err(error) if error.kind() != io::ErrorKind::AddrInUse => TcpListener::bind(("0.0.0.0", port)).await,
        result => result,
    };
    result.map_err(|source| ServeError::Listen { variable, port, source })
}

/// Serves `router` under the container contract until `stop` is ready, then drains.
///
/// Dropping the future ends everything at once.
///
/// # Errors
/// When the lock file cannot be written; never once it serves.
pub async fn serve(
    config: Config,
    router: Router,
    listeners: Listeners,
    stop: impl Future<Output = ()>,
) -> Result<(), ServeError> {
    let access_log = config.access_log.then(|| AccessLog::start(io::stdout())).transpose();
    let access_log = access_log.map_err(ServeError::AccessLog)?;
    let contract = Arc::new(Contract::new(&config, router, access_log));
    let lock = config.lock_file.as_deref().map(|path| {
        LockFile::create(path).map_err(|source| ServeError::LockFile {
            path: path.to_owned(),
            source,
        })
    });
    let lock = lock.transpose()?;
    contract.health.accept();

    let (close, closing) = watch::channel(false);
    let shared = Connections {
        contract: Arc::clone(&contract),
        read_timeout: config.read_timeout,
        closing,
    };
    let mut server = Server::new(&config, shared);
    let metrics = tokio::spawn(scrape::serve(listeners.metrics, Arc::clone(&contract)));

    let draining = async {
        stop.await;
        contract.health.stop_accepting();
        drop(lock);
        tokio::time::sleep(config.healthcheck_interval).await;
    };
    tokio::select! {
        () = draining => {}
        () = server.accept(&listeners.http) => {}
    }
    drop(listeners.http);
    // Fails only when no connection is left.
    let _ = close.send(true);
    server.finish(config.write_timeout).await;
    metrics.abort();
    Ok(())
}

/// The open connections.
struct Server {
    shared: Arc<Connections>,
    tasks: JoinSet<()>,
    sockets: Arc<Semaphore>,
    max_sockets: u32,
    write_timeout: Duration,
}

impl Server {
    fn new(config: &Config, shared: Connections) -> Self {
        Self {
            shared: Arc::new(shared),
            tasks: JoinSet::new(),
            sockets: Arc::new(Semaphore::new(config.max_connections as usize)),
            max_sockets: config.max_connections,
            write_timeout: config.write_timeout,
        }
    }

    /// Accepts connections, for ever.
    async fn accept(&mut self, listener: &TcpListener) {
        // The semaphore is never closed.
        while let Ok(open) = Arc::clone(&self.sockets).acquire_owned().await {
            match listener.accept().await {
                Ok((stream, _)) => self.start(stream, open),
                Err(error) => {
                    tracing::warn!(%error, "could not accept a connection; trying again");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
            while self.tasks.try_join_next().is_some() {}
        }
    }

    fn start(&mut self, stream: TcpStream, open: OwnedSemaphorePermit) {
        // Answers are written whole; holding them back for more only delays them.
        let _ = stream.set_nodelay(true);
        let socket = Socket::new(stream, self.write_timeout, open);
        self.tasks.spawn(Arc::clone(&self.shared).serve(socket));
    }

    /// Waits until every socket is closed, web sockets included, but not for longer than `limit`.
    async fn finish(mut self, limit: Duration) {
        let all_closed = self.sockets.acquire_many(self.max_sockets);
        if tokio::time::timeout(limit, all_closed).await.is_err() {
            let requests = self.shared.contract.in_flight.count();
            tracing::warn!(requests, "cutting off what did not end within write_timeout");
            self.tasks.shutdown().await;
        }
    }
}
