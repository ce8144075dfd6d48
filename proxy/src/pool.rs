//! Keep-alive connections to one server.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body::Body;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::express::Ready;
use crate::wire::Wire;

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(2);
/// The most idle connections that are kept.
const MAX_IDLE: usize = 512;
/// How many of them are looked at for one that is ready; the newest come first.
const LOOKS: usize = 16;

/// A server's address and the idle connections to it. `B` is the type of the request bodies.
#[derive(Debug)]
pub struct Upstream<B> {
    authority: String,
    idle_limit: Duration,
    idle: Mutex<Vec<Idle<B>>>,
    /// Those of requests without a body.
    wires: Mutex<Vec<(Wire, Instant)>>,
}

#[derive(Debug)]
struct Idle<B> {
    sender: SendRequest<B>,
    since: Instant,
}

impl<B> Upstream<B> {
    /// A server by host and port. `idle_limit` has to be shorter than the time after which the server itself
    /// closes idle connections, so that it is this side that does.
    pub fn new(authority: impl Into<String>, idle_limit: Duration) -> Arc<Self> {
        Arc::new(Self { authority: authority.into(), idle_limit, idle: Mutex::default(), wires: Mutex::default() })
    }

    /// Host and port.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Closes what has been idle for too long. Call it now and then; requests alone close only what they meet.
    pub fn sweep(&self) {
        self.idle().retain(|idle| !idle.sender.is_closed() && idle.since.elapsed() < self.idle_limit);
        self.wires().retain(|(wire, since)| since.elapsed() < self.idle_limit && wire.is_usable());
    }

    /// Takes a connection that a request can be written to at once.
    pub(crate) fn take(&self) -> Option<SendRequest<B>> {
        let mut idle = self.idle();
        let mut index = idle.len();
        for _ in 0..LOOKS.min(index) {
            index -= 1;
            let candidate = &idle[index];
            if candidate.sender.is_closed() || candidate.since.elapsed() >= self.idle_limit {
                idle.swap_remove(index);
            } else if candidate.sender.is_ready() {
                return Some(idle.swap_remove(index).sender);
            }
        }
        None
    }

    /// Keeps a connection whose last answer has ended. It may need a moment to notice that.
    pub(crate) fn give_back(&self, sender: SendRequest<B>) {
        let mut idle = self.idle();
        if !sender.is_closed() && idle.len() < MAX_IDLE {
            idle.push(Idle { sender, since: Instant::now() });
        }
    }

    /// Takes a connection that a request without a body can be written to at once.
    pub(crate) fn take_wire(&self, now: Instant) -> Option<Wire> {
        let mut wires = self.wires();
        while let Some((wire, since)) = wires.pop() {
            if now.saturating_duration_since(since) < self.idle_limit && wire.is_usable() {
                return Some(wire);
            }
        }
        None
    }

    /// Takes a connection that a request can be written to at once, for one that is written before it is given away.
    pub fn ready(self: &Arc<Self>, now: std::time::Instant) -> Option<Ready<B>> {
        let wire = self.take_wire(Instant::from_std(now))?;
        Some(Ready { wire, upstream: Arc::clone(self) })
    }

    /// Keeps a connection whose last answer was read to its end.
    pub(crate) fn give_wire_back(&self, mut wire: Wire) {
        let mut wires = self.wires();
        if wires.len() < MAX_IDLE && wire.is_usable() {
            wire.rest();
            wires.push((wire, Instant::now()));
        }
    }

    /// Makes a connection for requests without a body.
    pub(crate) async fn connect_wire(&self) -> std::io::Result<Wire> {
        self.stream().await.map(Wire::new)
    }

    async fn stream(&self) -> std::io::Result<TcpStream> {
        let connecting = tokio::time::timeout(CONNECT, TcpStream::connect(&self.authority));
        let stream = connecting.await.map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn wires(&self) -> std::sync::MutexGuard<'_, Vec<(Wire, Instant)>> {
        self.wires.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Idle<B>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<B> Upstream<B>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    /// Makes a connection of the caller's own, which the pool never sees. A probe wants one: that an old connection
    /// still stands says nothing about whether new ones are taken.
    ///
    /// # Errors
    /// When nobody listens, or the connection is not made within two seconds.
    pub async fn connect(&self) -> std::io::Result<SendRequest<B>> {
        let stream = self.stream().await?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
        tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "a connection to a server ended with an error");
            }
        });
        Ok(sender)
    }
}
