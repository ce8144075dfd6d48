//! Clients' connections: how many there may be, how slow they may be, and how they end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

use crate::handler::Router;

/// The longest head of a request, in bytes.
const MAX_HEAD: usize = 64 * 1024;
/// The most headers of a request.
const MAX_HEADERS: usize = 100;
/// How long open requests may take to end after the stop was asked for.
const DRAIN: Duration = Duration::from_secs(20);
/// The wait after the system refused to accept a connection, for lack of file descriptors for example.
const BREATH: Duration = Duration::from_millis(100);

/// One connection's place, held until the connection and every tunnel made from it have ended.
pub(crate) type Slot = Arc<OwnedSemaphorePermit>;

/// Accepts and serves connections until the router's shutdown, then lets open requests end.
pub(crate) async fn serve(router: Arc<Router>, listener: TcpListener, max_connections: usize) {
    let slots = Arc::new(Semaphore::new(max_connections.max(1)));
    let tasks = TaskTracker::new();
    let shutdown = router.shutdown.clone();
    loop {
        let accepted = async {
            let slot = slots.clone().acquire_owned().await;
            (listener.accept().await, slot)
        };
        let (accepted, slot) = tokio::select! {
            () = shutdown.cancelled() => break,
            pair = accepted => pair,
        };
        match (accepted, slot) {
            (Ok((stream, client)), Ok(slot)) => {
                tasks.spawn(connection(router.clone(), stream, client, Arc::new(slot)));
            }
            (Err(error), _) => {
                tracing::warn!(cause = %error, "a connection could not be accepted");
                tokio::time::sleep(BREATH).await;
            }
            (_, Err(_)) => break,
        }
    }
    drop(listener);
    tasks.close();
    if tokio::time::timeout(DRAIN, tasks.wait()).await.is_err() {
        tracing::warn!("some requests did not end in time and are cut off");
    }
}

async fn connection(router: Arc<Router>, stream: TcpStream, client: SocketAddr, slot: Slot) {
    // Small answers go out at once.
    let _ = stream.set_nodelay(true);
    let shutdown = router.shutdown.clone();
    let head_time = router.client_timeout;
    let service = service_fn(move |request| {
        let (router, slot) = (router.clone(), slot.clone());
        async move { Ok::<_, std::convert::Infallible>(router.answer(request, client, slot).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_time)
        .max_buf_size(MAX_HEAD)
        .max_headers(MAX_HEADERS)
        .half_close(false)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%client, %error, "a client's connection ended with an error");
    }
}
