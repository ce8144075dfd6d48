//! The port: connections, and the order in which things end.

use std::convert::Infallible;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::config::Config;
use crate::rollout::reconcile;
use crate::start::Gateway;
use crate::{routes, worker};

/// A connection that has not sent its request's head by then is closed.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// What runs at the shutdown gets this long to end, first the queue's calls, then the others.
const GRACE: Duration = Duration::from_secs(10);
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
        let worker = tokio::spawn(worker::run(Arc::clone(&app), shutdown.clone(), GRACE));
        let port = tokio::spawn(accept(Arc::clone(&app), listener));
        shutdown.cancelled().await;
        worker.await?;
        app.closing.cancel();
        port.await?;
        app.shutdown.cancel();
        app.tasks.close();
        if timeout(2 * GRACE, app.tasks.wait()).await.is_err() {
            tracing::warn!("Deployments were cut off; what they left behind is cleared at the next start.");
        }
        monitor.abort();
        app.queue.close().await?;
        Ok(())
    }
}

async fn accept(app: Arc<App>, listener: TcpListener) {
    let management = routes::management(&app);
    let graceful = GracefulShutdown::new();
    let room = Arc::new(Semaphore::new(app.config.max_connections));
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { break };
        let accepted = tokio::select! {
            () = app.closing.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "A connection could not be accepted.");
                sleep(ACCEPT_RETRY).await;
                continue;
            }
        };
        let connection = connection(&app, &management, stream, peer.ip(), &graceful);
        tokio::spawn(async move {
            connection.await;
            drop(permit);
        });
    }
    drop(listener);
    if timeout(GRACE, graceful.shutdown()).await.is_err() {
        tracing::warn!("Some requests took too long to end and are cut off.");
    }
}

/// HTTP/1.1 and HTTP/2 without TLS, with upgrades.
fn connection(
    app: &Arc<App>,
    management: &Router,
    stream: TcpStream,
    peer: IpAddr,
    graceful: &GracefulShutdown,
) -> impl Future<Output = ()> + Send + use<> {
    // Small answers are sent at once; a socket that cannot do that works all the same.
    let _ = stream.set_nodelay(true);
    let (app, management) = (Arc::clone(app), management.clone());
    let service = service_fn(move |request| {
        let (app, management) = (Arc::clone(&app), management.clone());
        async move { Ok::<_, Infallible>(routes::dispatch(&app, &management, request, peer).await) }
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
