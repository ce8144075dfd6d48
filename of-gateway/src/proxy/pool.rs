//! Keep-alive connections to one container.
//!
//! A pool of our own over hyper's connections, not hyper-util's legacy client: measured 5 to 10 % faster, and it says
//! exactly when a request may be sent again (only while none of it was written).

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Below the shortest keep-alive that common servers have (2 s), so that it is we who close.
const IDLE: Duration = Duration::from_millis(1500);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Idle connections kept per container.
const MAX_IDLE: usize = 512;

/// The address of a container, with its idle connections.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    idle: Mutex<VecDeque<Idle>>,
}

struct Idle {
    sender: SendRequest<Body>,
    since: Instant,
}

impl Upstream {
    pub(crate) fn new(address: SocketAddr) -> Arc<Self> {
        Arc::new(Self { address, idle: Mutex::default() })
    }

    /// The connection that has been idle longest, if it still stands.
    pub(super) fn reuse(&self) -> Option<SendRequest<Body>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..idle.len() {
            let candidate = idle.pop_front()?;
            if candidate.sender.is_closed() || candidate.since.elapsed() > IDLE {
                continue;
            }
            if candidate.sender.is_ready() {
                return Some(candidate.sender);
            }
            // Its connection has not yet noticed that the last answer ended.
            idle.push_back(candidate);
        }
        None
    }

    pub(super) fn give_back(&self, sender: SendRequest<Body>) {
        if sender.is_closed() {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.push_back(Idle { sender, since: Instant::now() });
        }
    }

    /// Closes what has been idle too long.
    pub(crate) fn sweep(&self) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|entry| !entry.sender.is_closed() && entry.since.elapsed() <= IDLE);
    }

    pub(super) async fn connect(&self) -> std::io::Result<SendRequest<Body>> {
        let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect(self.address))
            .await
            .map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
        tokio::spawn(async move {
            if let Err(error) = connection.with_upgrades().await {
                tracing::debug!(%error, "A connection to a function ended with an error.");
            }
        });
        Ok(sender)
    }
}
