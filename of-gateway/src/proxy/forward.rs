//! One request to one container.

use std::error::Error as _;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use http::{Request, Response, StatusCode, Version};
use http_body_util::LengthLimitError;
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::body::Answer;
use super::headers::{is_upgrade, strip_hop_by_hop};
use super::pool::Upstream;
use crate::functions::InFlight;

/// Dead pooled connections tried in a row before only a new one will do.
const REUSE_ATTEMPTS: usize = 4;

/// Why a container gave no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ForwardError {
    #[error("cannot connect to the function at {address}")]
    Connect { address: SocketAddr, source: std::io::Error },
    #[error("the function broke the connection before it answered")]
    Broken(#[source] hyper::Error),
    #[error("the function did not answer within {0:?}")]
    Timeout(Duration),
    #[error("the request's body is larger than this gateway passes on")]
    BodyTooLarge,
}

/// Sends the request and returns the answer as soon as its head is there. `limit` bounds the wait for the head and
/// each pause within the body. Dropping the answer, or this future, cancels the request at the function.
pub(crate) async fn forward(
    mut request: Request<Body>,
    claim: InFlight,
    limit: Duration,
    shutdown: &CancellationToken,
) -> Result<Response<Body>, ForwardError> {
    let client = is_upgrade(request.headers()).then(|| hyper::upgrade::on(&mut request));
    strip_hop_by_hop(request.headers_mut());
    *request.version_mut() = Version::HTTP_11;
    let (sender, mut response) =
        timeout(limit, send(&claim.upstream, request)).await.map_err(|_| ForwardError::Timeout(limit))??;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS
        && let Some(client) = client
    {
        let function = hyper::upgrade::on(&mut response);
        tokio::spawn(tunnel(client, function, claim, shutdown.clone()));
        strip_hop_by_hop(response.headers_mut());
        return Ok(response.map(|_| Body::empty()));
    }
    strip_hop_by_hop(response.headers_mut());
    *response.version_mut() = Version::HTTP_11;
    Ok(response.map(|body| Body::new(Answer::new(body, sender, claim, limit))))
}

async fn send(
    upstream: &Upstream,
    mut request: Request<Body>,
) -> Result<(SendRequest<Body>, Response<Incoming>), ForwardError> {
    for _ in 0..REUSE_ATTEMPTS {
        let Some(mut sender) = upstream.reuse() else { break };
        match sender.try_send_request(request).await {
            Ok(response) => return Ok((sender, response)),
            // The connection died while it was idle and none of the request was written: it may go out again.
            Err(mut error) => match error.take_message() {
                Some(unsent) => request = unsent,
                None => return Err(broken(error.into_error())),
            },
        }
    }
    let mut sender =
        upstream.connect().await.map_err(|source| ForwardError::Connect { address: upstream.address, source })?;
    match sender.try_send_request(request).await {
        Ok(response) => Ok((sender, response)),
        Err(error) => Err(broken(error.into_error())),
    }
}

/// A body that ran over its limit breaks the connection, which is the client's doing and not the function's.
fn broken(error: hyper::Error) -> ForwardError {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if inner.is::<LengthLimitError>() {
            return ForwardError::BodyTooLarge;
        }
        cause = inner.source();
    }
    ForwardError::Broken(error)
}

/// Carries bytes both ways until either side ends, or the gateway does.
async fn tunnel(client: OnUpgrade, function: OnUpgrade, claim: InFlight, shutdown: CancellationToken) {
    let both = async {
        let (client, function) = tokio::try_join!(client, function)?;
        let (mut client, mut function) = (TokioIo::new(client), TokioIo::new(function));
        // Either side may vanish without a word; that ends the tunnel and is nobody's fault.
        let _ = tokio::io::copy_bidirectional(&mut client, &mut function).await;
        Ok::<_, hyper::Error>(())
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        outcome = both => if let Err(error) = outcome {
            tracing::debug!(%error, "An upgraded connection could not be joined.");
        },
    }
    drop(claim);
}
