//! One request to one server.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::UPGRADE;
use http::{Request, Response, StatusCode, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::answer::Answer;
use crate::headers::{is_upgrade, strip_hop_by_hop, take_trailers, takes_trailers};
use crate::inbound::InboundError;
use crate::pool::Upstream;
use crate::tunnel;
use crate::wire::{self, Failed};

/// How many pooled connections may turn out dead before a new one is made.
const DEAD_CONNECTIONS: usize = 4;

/// Where a limit is beyond all measure.
const FAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// How long a server may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Until the answer's head is there; the time for the request's body counts.
    pub head: Duration,
    /// Between two parts of the answer's body.
    pub pause: Duration,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ForwardError {
    /// The server cannot be reached.
    #[error("cannot connect to {authority}")]
    Connect {
        /// The server.
        authority: String,
        /// The reason.
        source: std::io::Error,
    },
    /// The server broke the connection.
    #[error("the server broke the connection before it answered")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The server took too long.
    #[error("the server did not answer within {0:?}")]
    Timeout(Duration),
    /// The server left HTTP although nobody asked it to.
    #[error("the server changed the protocol unasked")]
    Unasked,
    /// The request's body is too long.
    #[error("the request's body is too long")]
    TooLong,
    /// The client stopped sending.
    #[error("the client did not send its request to the end")]
    ClientGone,
}

/// A request that got no answer.
#[derive(Debug)]
pub struct Unanswered<B> {
    /// Why.
    pub error: ForwardError,
    /// The request itself, if the server saw nothing of it: it may be sent to another one.
    pub unsent: Option<Request<B>>,
}

impl<B> From<ForwardError> for Unanswered<B> {
    fn from(error: ForwardError) -> Self {
        Self { error, unsent: None }
    }
}

/// Sends a request, whose target has to be in origin form, and returns the answer when its head is there.
/// `guard` is dropped when the answer or the tunnel has ended. Dropping the future or the answer cancels the request.
///
/// # Errors
/// When there is no answer; nothing was sent to the client then.
pub async fn forward<B, G>(
    upstream: &Arc<Upstream<B>>,
    request: Request<B>,
    guard: G,
    limits: Limits,
    shutdown: &CancellationToken,
) -> Result<Response<Answer<B, G>>, ForwardError>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    G: Send + 'static,
{
    try_forward(upstream, request, guard, limits, shutdown).await.map_err(|unanswered| unanswered.error)
}

/// Like [`forward`], but gives a request back that could not be sent at all.
///
/// # Errors
/// When there is no answer; nothing was sent to the client then.
pub async fn try_forward<B, G>(
    upstream: &Arc<Upstream<B>>,
    mut request: Request<B>,
    guard: G,
    limits: Limits,
    shutdown: &CancellationToken,
) -> Result<Response<Answer<B, G>>, Box<Unanswered<B>>>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    G: Send + 'static,
{
    let client = is_upgrade(request.headers()).then(|| hyper::upgrade::on(&mut request));
    let trailers = takes_trailers(request.headers());
    strip_hop_by_hop(request.headers_mut());
    if trailers {
        take_trailers(request.headers_mut());
    }
    *request.version_mut() = Version::HTTP_11;
    if client.is_none() && wire::is_short(&request) {
        return at_once(upstream, request, guard, limits).await;
    }
    let sent = tokio::time::timeout(limits.head, send(upstream, request)).await;
    let sent = sent.unwrap_or_else(|_| Err(Box::new(ForwardError::Timeout(limits.head).into())));
    let (sender, mut response) = sent.map_err(|mut unanswered| {
        // The client's half of an upgrade was taken out of the request: it would not be one any more.
        unanswered.unsent.take_if(|_| client.is_some());
        unanswered
    })?;
    let switching = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    let server = switching.then(|| hyper::upgrade::on(&mut response));
    strip_answer(&mut response);
    match (client, server) {
        (Some(client), Some(server)) => {
            tokio::spawn(tunnel::run(client, server, guard, shutdown.clone()));
            Ok(response.map(|_| Answer::empty()))
        }
        (None, Some(_)) => Err(Box::new(ForwardError::Unasked.into())),
        (_, None) => Ok(response.map(|body| Answer::new(body, (sender, Arc::clone(upstream)), guard, limits.pause))),
    }
}

/// Makes an answer one for the connection to the client.
fn strip_answer<B>(response: &mut Response<B>) {
    // What a server could speak besides concerns who is connected to it.
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        response.headers_mut().remove(UPGRADE);
    }
    strip_hop_by_hop(response.headers_mut());
    *response.version_mut() = Version::HTTP_11;
}

/// The short way, for a request that is written at once.
async fn at_once<B, G>(
    upstream: &Arc<Upstream<B>>,
    request: Request<B>,
    guard: G,
    limits: Limits,
) -> Result<Response<Answer<B, G>>, Box<Unanswered<B>>>
where
    B: Body<Data = Bytes>,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let now = Instant::now();
    let deadline = now.checked_add(limits.head).unwrap_or(now + FAR);
    let wire = match upstream.take_wire(now) {
        Some(wire) => wire,
        None => match timeout_at(deadline, upstream.connect_wire()).await {
            Ok(Ok(wire)) => wire,
            Ok(Err(source)) => {
                let error = ForwardError::Connect { authority: upstream.authority().to_owned(), source };
                return Err(Box::new(Unanswered { error, unsent: Some(request) }));
            }
            Err(_) => return Err(Box::new(ForwardError::Timeout(limits.head).into())),
        },
    };
    let mut response = wire.exchange(request, upstream, deadline).await.map_err(|failed| {
        Box::new(Unanswered::from(match failed {
            Failed::Server(error) => ForwardError::Broken(error.into()),
            Failed::Body(error) => judge(error),
            Failed::Late => ForwardError::Timeout(limits.head),
        }))
    })?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Box::new(ForwardError::Unasked.into()));
    }
    strip_answer(&mut response);
    Ok(response.map(|body| Answer::wire(body, guard, limits.pause)))
}

async fn send<B>(
    upstream: &Upstream<B>,
    mut request: Request<B>,
) -> Result<(SendRequest<B>, Response<Incoming>), Box<Unanswered<B>>>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    for _ in 0..DEAD_CONNECTIONS {
        let Some(mut sender) = upstream.take() else { break };
        match sender.try_send_request(request).await {
            Ok(response) => return Ok((sender, response)),
            Err(mut error) => match error.take_message() {
                // The server had closed it and nothing was written, so nothing can happen twice.
                Some(unsent) => request = unsent,
                None => return Err(Box::new(judge(error.into_error().into()).into())),
            },
        }
    }
    let mut sender = match upstream.connect().await {
        Ok(sender) => sender,
        Err(source) => {
            let error = ForwardError::Connect { authority: upstream.authority().to_owned(), source };
            return Err(Box::new(Unanswered { error, unsent: Some(request) }));
        }
    };
    match sender.try_send_request(request).await {
        Ok(response) => Ok((sender, response)),
        Err(error) => Err(Box::new(judge(error.into_error().into()).into())),
    }
}

/// A request that breaks may do so because of its own body.
fn judge(error: Box<dyn std::error::Error + Send + Sync>) -> ForwardError {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(&*error);
    while let Some(cause) = next {
        match cause.downcast_ref::<InboundError>() {
            Some(InboundError::TooLong(_)) => return ForwardError::TooLong,
            Some(_) => return ForwardError::ClientGone,
            None => next = cause.source(),
        }
    }
    ForwardError::Broken(error)
}
