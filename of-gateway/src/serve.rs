//! The port: connections, and the order in which things end.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http::HeaderValue;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::config::Config;
use crate::rollout::reconcile;
use crate::start::Gateway;
use crate::{routes, scaling, worker};

/// A connection that has not sent its request's head by then is closed.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// Pause after a connection could not be accepted, for example because no file handles are left.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// Starts a gateway and serves until `shutdown`.
pub async fn serve(config: Config, listener: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
    Gateway::start(config).await?.serve(listener, shutdown).await
}

impl Gateway {
    /// Serves until `shutdown`, then ends in order: no more queued calls are begun; those that run get time to end,
    /// with the port still open because they may call other functions; then the port closes and its requests end.
    /// Containers go on running.
    pub async fn serve(self, listener: TcpListener, shutdown: CancellationToken) -> anyhow::Result<()> {
        let app = self.app;
        let monitor = tokio::spawn(reconcile::monitor(Arc::clone(&app)));
        let scaler = tokio::spawn(scaling::run(Arc::clone(&app)));
        let worker = tokio::spawn(worker::run(Arc::clone(&app), shutdown.clone(), app.config.graces.calls));
        let port = tokio::spawn(accept(Arc::clone(&app), listener));
        shutdown.cancelled().await;
        worker.await?;
        app.closing.cancel();
        port.await?;
        app.shutdown.cancel();
        app.tasks.close();
        if timeout(app.config.graces.deployments, app.tasks.wait()).await.is_err() {
            tracing::warn!("Deployments were cut off; what they left behind is cleared at the next start.");
        }
        monitor.abort();
        scaler.abort();
        app.queue.close().await?;
        Ok(())
    }
}

async fn accept(app: Arc<App>, listener: TcpListener) {
    let management = routes::management(&app);
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(app.config.max_connections));
    let mut connections = JoinSet::new();
    loop {
        let next = async {
            let permit = Arc::clone(&room).acquire_owned().await;
            (listener.accept().await, permit)
        };
        let (accepted, permit) = tokio::select! {
            () = app.closing.cancelled() => break,
            Some(_) = connections.join_next(), if !connections.is_empty() => continue,
            next = next => next,
        };
        match accepted {
            Ok((stream, peer)) => {
                let connection = connection(Client::new(&app, &management, peer.ip()), stream, &graceful);
                connections.spawn(async move {
                    connection.await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "A connection could not be accepted.");
                sleep(ACCEPT_RETRY).await;
            }
        }
    }
    drop(listener);
    if timeout(app.config.graces.connections, graceful.shutdown()).await.is_err() {
        tracing::warn!("Some requests took too long to end and are cut off.");
        connections.shutdown().await;
    }
}

/// What the requests of one connection share.
struct Client {
    app: Arc<App>,
    management: Router,
    /// Its address, as functions are told it.
    address: HeaderValue,
}

impl Client {
    fn new(app: &Arc<App>, management: &Router, address: IpAddr) -> Arc<Self> {
        let address = HeaderValue::from_str(&address.to_string());
        let address = address.unwrap_or_else(|_| HeaderValue::from_static("unknown"));
        Arc::new(Self { app: Arc::clone(app), management: management.clone(), address })
    }
}

/// HTTP/1.1 and HTTP/2 without TLS, with upgrades.
fn connection(
    client: Arc<Client>,
    stream: TcpStream,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + Send + use<> {
    // Small answers are sent at once; a socket that cannot do that works all the same.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let client = Arc::clone(&client);
        async move {
            let Client { app, management, address } = &*client;
            Ok::<_, Infallible>(routes::dispatch(app, management, request, address).await)
        }
    });
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    builder.http2().timer(TokioTimer::new());
    let serving = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
    let serving = graceful.watch(serving);
    async move {
        if let Err(error) = serving.await {
            tracing::debug!(error, "A connection ended with an error.");
        }
    }
}
