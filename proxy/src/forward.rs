//! One request to one server.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::UPGRADE;
use http::{Request, Response, StatusCode, Version};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::upgrade::OnUpgrade;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::answer::Answer;
use crate::express::Detour;
use crate::headers::{is_upgrade, strip_hop_by_hop, take_trailers, takes_trailers};
use crate::inbound::InboundError;
use crate::pool::Upstream;
use crate::tunnel;
use crate::wire::{self, Failed, Wire, WireBody};

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

impl Limits {
    /// When the answer's head has to be there.
    pub(crate) fn deadline(&self, now: Instant) -> Instant {
        now.checked_add(self.head).unwrap_or(now + FAR)
    }
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
    /// There is no request: it was sent before.
    #[error("the request was sent before")]
    Gone,
}

/// Sends a request, whose target has to be in origin form, and returns the answer when its head is there.
/// `guard` is dropped when the answer or the tunnel has ended. Dropping the future or the answer cancels the request.
///
/// The request is taken out of its place. It is there again when the server saw nothing of it: it may be sent to another one.
///
/// # Errors
/// When there is no answer; nothing was sent to the client then.
pub async fn forward<B, G>(
    upstream: &Arc<Upstream<B>>,
    place: &mut Option<Request<B>>,
    guard: G,
    limits: Limits,
    shutdown: &CancellationToken,
) -> Result<Response<Answer<B, G>>, ForwardError>
where
    B: Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    G: Send + 'static,
{
    let Some(request) = place else { return Err(ForwardError::Gone) };
    let client = is_upgrade(request.headers()).then(|| hyper::upgrade::on(&mut *request));
    let trailers = takes_trailers(request.headers());
    strip_hop_by_hop(request.headers_mut());
    if trailers {
        take_trailers(request.headers_mut());
    }
    *request.version_mut() = Version::HTTP_11;
    if client.is_some() || !wire::is_short(request) {
        // On the heap: its room would be moved about with every request that goes the short way.
        return Box::pin(at_length(upstream, place, client, guard, limits, shutdown)).await;
    }
    let now = Instant::now();
    let deadline = limits.deadline(now);
    let wire = match upstream.take_wire(now) {
        Some(wire) => wire,
        None => Box::pin(connect(upstream, place, limits.head, deadline)).await?,
    };
    let Some(request) = place else { return Err(ForwardError::Gone) };
    let exchanged = wire.exchange(request, upstream, deadline).await;
    *place = None;
    Ok(plain_answer(exchanged, limits)?.guarded(guard))
}

/// The answer to a request that was written at once.
pub(crate) fn plain_answer<B>(
    exchanged: Result<Response<WireBody<B>>, Failed>,
    limits: Limits,
) -> Result<Detour<B>, ForwardError> {
    let mut response = exchanged.map_err(|failed| match failed {
        Failed::Server(error) => ForwardError::Broken(error.into()),
        Failed::Body(error) => judge(error),
        Failed::Late => ForwardError::Timeout(limits.head),
    })?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        return Err(ForwardError::Unasked);
    }
    strip_answer(&mut response);
    Ok(Detour { response, limits })
}

/// A new connection for the short way: for requests that are written at once.
async fn connect<B>(
    upstream: &Upstream<B>,
    place: &mut Option<Request<B>>,
    limit: Duration,
    deadline: Instant,
) -> Result<Wire, ForwardError> {
    match timeout_at(deadline, upstream.connect_wire()).await {
        Ok(made) => made.map_err(|source| unreachable(upstream, source)),
        Err(_) => Err(too_late(place, limit)),
    }
}

/// There is no time left for another server either.
fn too_late<B>(place: &mut Option<Request<B>>, limit: Duration) -> ForwardError {
    *place = None;
    ForwardError::Timeout(limit)
}

fn unreachable<B>(upstream: &Upstream<B>, source: std::io::Error) -> ForwardError {
    ForwardError::Connect { authority: upstream.authority().to_owned(), source }
}

/// The long way: by a connection with a task of its own, which reads and writes at the same time.
async fn at_length<B, G>(
    upstream: &Arc<Upstream<B>>,
    place: &mut Option<Request<B>>,
    client: Option<OnUpgrade>,
    guard: G,
    limits: Limits,
    shutdown: &CancellationToken,
) -> Result<Response<Answer<B, G>>, ForwardError>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    G: Send + 'static,
{
    let sent = tokio::time::timeout(limits.head, send(upstream, place)).await;
    if client.is_some() {
        // The client's half of an upgrade was taken out of the request: it would not be one any more.
        *place = None;
    }
    let (sender, mut response) = sent.unwrap_or_else(|_| Err(too_late(place, limits.head)))?;
    let switching = response.status() == StatusCode::SWITCHING_PROTOCOLS;
    let server = switching.then(|| hyper::upgrade::on(&mut response));
    strip_answer(&mut response);
    match (client, server) {
        (Some(client), Some(server)) => {
            tokio::spawn(tunnel::run(client, server, guard, shutdown.clone()));
            Ok(response.map(|_| Answer::empty()))
        }
        (None, Some(_)) => Err(ForwardError::Unasked),
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

async fn send<B>(
    upstream: &Upstream<B>,
    place: &mut Option<Request<B>>,
) -> Result<(SendRequest<B>, Response<Incoming>), ForwardError>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    for _ in 0..DEAD_CONNECTIONS {
        let Some(mut sender) = upstream.take() else { break };
        let Some(request) = place.take() else { return Err(ForwardError::Gone) };
        match sender.try_send_request(request).await {
            Ok(response) => return Ok((sender, response)),
            Err(mut error) => match error.take_message() {
                // The server had closed it and nothing was written, so nothing can happen twice.
                Some(unsent) => *place = Some(unsent),
                None => return Err(judge(error.into_error().into())),
            },
        }
    }
    let mut sender = upstream.connect().await.map_err(|source| unreachable(upstream, source))?;
    let Some(request) = place.take() else { return Err(ForwardError::Gone) };
    match sender.try_send_request(request).await {
        Ok(response) => Ok((sender, response)),
        Err(error) => Err(judge(error.into_error().into())),
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
