//! The listener that Prometheus asks.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::exposition::CONTENT_TYPE;
use crate::contract::Contract;

/// Scrapers at once.
const MAX_CONNECTIONS: usize = 16;
/// How long a scraper may take over its request, or stay idle.
const PATIENCE: Duration = Duration::from_secs(75);
/// How long a whole connection may last.
const LIFETIME: Duration = Duration::from_secs(3600);

/// Answers `GET /metrics`, for ever.
pub(crate) async fn serve(listener: TcpListener, contract: Arc<Contract>) {
    let open = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let mut tasks = JoinSet::new();
    while let Ok(permit) = Arc::clone(&open).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let contract = Arc::clone(&contract);
                tasks.spawn(async move {
                    connection(stream, contract).await;
                    drop(permit);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "could not accept a connection for metrics; trying again");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
        while tasks.try_join_next().is_some() {}
    }
}

async fn connection(stream: TcpStream, contract: Arc<Contract>) {
    let answer = service_fn(move |request| {
        let response = answer(&request, &contract);
        async move { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), answer);
    // A scraper that leaves early has lost nothing.
    let _ = tokio::time::timeout(LIFETIME, connection).await;
}

fn answer<B>(request: &Request<B>, contract: &Contract) -> Response<axum::body::Body> {
    let (status, kind, text) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/metrics") => {
            let text = contract.observers.metrics.text(contract.in_flight.count());
            (StatusCode::OK, CONTENT_TYPE, Bytes::from(text))
        }
        (_, "/metrics") => (
            StatusCode::METHOD_NOT_ALLOWED,
            "text/plain",
            Bytes::from_static(b"only GET is allowed here\n"),
        ),
        _ => (
            StatusCode::NOT_FOUND,
            "text/plain",
            Bytes::from_static(b"only /metrics is here\n"),
        ),
    };
    let mut response = Response::new(text.into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
