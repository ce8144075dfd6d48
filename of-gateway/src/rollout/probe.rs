//! One question to a container, on a connection of its own.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, USER_AGENT};
use http::{Request, StatusCode};
use http_body_util::Empty;
use tokio::time::timeout;
use upstream::Upstream;

const TIMEOUT: Duration = Duration::from_secs(2);

/// The status a container answers a GET of this path with, or why it does not answer.
pub(super) async fn ask_status(address: SocketAddr, path: &str) -> Result<StatusCode, String> {
    timeout(TIMEOUT, ask(address, path)).await.unwrap_or_else(|_| Err(format!("no answer within {TIMEOUT:?}")))
}

async fn ask(address: SocketAddr, path: &str) -> Result<StatusCode, String> {
    let host = address.to_string();
    let connected = Upstream::new(host.as_str(), Duration::ZERO).connect().await;
    let mut sender = connected.map_err(|error| format!("nothing listens on port {}: {error}", address.port()))?;
    let request = Request::get(path)
        .header(HOST, host)
        // The name by which watchdogs leave a probe out of their access log.
        .header(USER_AGENT, "kube-probe/of-gateway")
        .body(Empty::<Bytes>::new())
        .map_err(|error| error.to_string())?;
    let response = sender.send_request(request).await;
    response.map(|response| response.status()).map_err(|error| format!("the answer is not HTTP: {error}"))
}
