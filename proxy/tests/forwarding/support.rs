//! Servers on ports of their own, and requests to them.
#![expect(clippy::unwrap_used, reason = "test helper")]

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use upstream::{Answer, ForwardError, Inbound, Limits, Upstream, forward};

/// Long enough for a loaded machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
pub(crate) const PATIENT: Limits = Limits { head: DEADLINE, pause: DEADLINE };

pub(crate) type Pool = Arc<Upstream<Full<Bytes>>>;
pub(crate) type Outcome = Result<Response<Answer<Full<Bytes>, oneshot::Sender<()>>>, ForwardError>;

/// A port whose connections the test answers itself, and a pool for it.
pub(crate) async fn bare() -> (TcpListener, Pool) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let pool = Upstream::new(listener.local_addr().unwrap().to_string(), DEADLINE);
    (listener, pool)
}

/// A server that sends back what it gets, and how many connections were made to it.
pub(crate) async fn echo(idle: Duration) -> (Pool, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let pool = Upstream::new(listener.local_addr().unwrap().to_string(), idle);
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let service = service_fn(|request: Request<Incoming>| async {
                let (head, body) = request.into_parts();
                let mut response = Response::new(body);
                *response.headers_mut() = head.headers;
                Ok::<_, Infallible>(response)
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    (pool, connections)
}

pub(crate) fn post(text: &str) -> Request<Full<Bytes>> {
    Request::post("/").header("host", "x").body(Full::from(text.to_owned())).unwrap()
}

/// Sends a request; the receiver resolves when its guard was dropped.
pub(crate) async fn send_within(pool: &Pool, text: &str, limits: Limits) -> (Outcome, oneshot::Receiver<()>) {
    let (guard, ended) = oneshot::channel();
    (forward(pool, &mut Some(post(text)), guard, limits, &CancellationToken::new()).await, ended)
}

pub(crate) async fn send(pool: &Pool, text: &str) -> Outcome {
    send_within(pool, text, PATIENT).await.0
}

pub(crate) async fn text(outcome: Outcome) -> Bytes {
    outcome.unwrap().into_body().collect().await.unwrap().to_bytes()
}

/// Reads until the text is there; what was read, the text included.
pub(crate) async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut seen = Vec::new();
    let reading = async {
        while !seen.ends_with(end.as_bytes()) {
            seen.push(stream.read_u8().await.unwrap());
        }
    };
    tokio::time::timeout(DEADLINE, reading).await.unwrap();
    String::from_utf8(seen).unwrap()
}

/// Resolves when the other side has closed the connection.
pub(crate) async fn closed(stream: &mut TcpStream) {
    let reading = async { while stream.read(&mut [0; 1024]).await.unwrap_or(0) > 0 {} };
    tokio::time::timeout(DEADLINE, reading).await.unwrap();
}

/// Resolves when a guard was dropped.
pub(crate) async fn over(guard: oneshot::Receiver<()>) {
    assert!(tokio::time::timeout(DEADLINE, guard).await.unwrap().is_err());
}

/// A proxy in front of a server, which lets bodies of ten bytes through.
pub(crate) struct Front {
    pub(crate) address: SocketAddr,
    pub(crate) shutdown: CancellationToken,
    pub(crate) errors: mpsc::UnboundedReceiver<ForwardError>,
    /// Closed when every guard was dropped.
    pub(crate) guards: mpsc::UnboundedReceiver<()>,
}

impl Front {
    pub(crate) const MAX_BODY: u64 = 10;

    pub(crate) async fn start(server: SocketAddr, client_pause: Duration) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let pool: Arc<Upstream<Inbound>> = Upstream::new(server.to_string(), DEADLINE);
        let shutdown = CancellationToken::new();
        let token = shutdown.clone();
        let (error, errors) = mpsc::unbounded_channel();
        let (guard, guards) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            let service = service_fn(move |request: Request<Incoming>| {
                let (pool, token, error, guard) = (pool.clone(), token.clone(), error.clone(), guard.clone());
                let request = request.map(|body| Inbound::new(body.into(), Self::MAX_BODY, client_pause));
                async move {
                    let answer = forward(&pool, &mut Some(request), guard, PATIENT, &token).await;
                    answer.map_err(|cause| {
                        let _ = error.send(cause);
                        std::io::Error::other("no answer")
                    })
                }
            });
            let server = hyper::server::conn::http1::Builder::new();
            let _ = server.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
        });
        Self { address, shutdown, errors, guards }
    }

    pub(crate) async fn error(&mut self) -> ForwardError {
        tokio::time::timeout(DEADLINE, self.errors.recv()).await.unwrap().unwrap()
    }
}
