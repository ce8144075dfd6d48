//! Clients' connections: how many there may be, how slow they may be, and how they end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

use crate::handler::Router;
use crate::tls::Edge;

/// The longest head of a request, in bytes.
const MAX_HEAD: u32 = 64 * 1024;
/// The most headers of a request.
const MAX_HEADERS: usize = 100;
/// How long open requests may take to end after the stop was asked for.
const DRAIN: Duration = Duration::from_secs(20);
/// The wait after the system refused to accept a connection, for lack of file descriptors for example.
const BREATH: Duration = Duration::from_millis(100);

/// One connection's place, held until the connection and every tunnel made from it have ended.
pub(crate) type Slot = Arc<OwnedSemaphorePermit>;

/// How a connection comes in.
#[derive(Debug, Clone)]
pub(crate) enum Door {
    /// Without encryption; with an edge there is an encrypted door too, and most are sent there.
    Plain(Option<Arc<Edge>>),
    /// With it.
    Encrypted(Arc<Edge>),
}

/// Where a request comes from.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    pub(crate) door: Door,
    pub(crate) slot: Slot,
}

/// Accepts and serves connections until the router's shutdown, then lets open requests end.
pub(crate) async fn serve(router: Arc<Router>, listener: TcpListener, door: Door, slots: Arc<Semaphore>) {
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
            (Ok((stream, address)), Ok(slot)) => {
                let client = Client { address, door: door.clone(), slot: Arc::new(slot) };
                tasks.spawn(connection(router.clone(), stream, client));
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

async fn connection(router: Arc<Router>, stream: TcpStream, client: Client) {
    // Small answers go out at once.
    let _ = stream.set_nodelay(true);
    let Door::Encrypted(edge) = &client.door else { return http1(router, stream, client).await };
    let accepted = tokio::select! {
        accepted = edge.accept(stream) => accepted,
        () = router.shutdown.cancelled() => return,
    };
    match accepted {
        Ok(Some(stream)) if stream.get_ref().1.alpn_protocol() == Some(b"h2") => http2(router, stream, client).await,
        Ok(Some(stream)) => http1(router, stream, client).await,
        Ok(None) => {}
        Err(error) => {
            tracing::debug!(client = %client.address, cause = sdk::failure::chain(&error), "no encrypted connection")
        }
    }
}

async fn http1<S>(router: Arc<Router>, stream: S, client: Client)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (shutdown, head_time, address) = (router.shutdown.clone(), router.client_timeout, client.address);
    let service = service_fn(move |request| {
        let (router, client) = (router.clone(), client.clone());
        async move { Ok::<_, std::convert::Infallible>(router.answer(request, client).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_time)
        .max_buf_size(MAX_HEAD as usize)
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
        tracing::debug!(client = %address, %error, "a client's connection ended with an error");
    }
}

async fn http2<S>(router: Arc<Router>, stream: S, client: Client)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (shutdown, pause, address) = (router.shutdown.clone(), router.client_timeout, client.address);
    let service = service_fn(move |request| {
        let (router, client) = (router.clone(), client.clone());
        async move { Ok::<_, std::convert::Infallible>(router.answer(request, client).await) }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_header_list_size(MAX_HEAD)
        .keep_alive_interval(pause)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(client = %address, %error, "a client's connection ended with an error");
    }
}
