//! One container of a function: where it is, what is under way at it, and whether it is to be trusted.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tokio::sync::{Notify, OwnedSemaphorePermit};

use super::outlier::Outlier;
use crate::transit::Container;

/// Why no replica takes a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoReplica {
    /// None is ready, or there is none.
    NotReady,
    /// Those that are ready have as many requests in flight as they may.
    Full,
}

/// One container.
pub(crate) struct Replica {
    pub(crate) id: String,
    pub(crate) index: u32,
    /// `None` while it is not ready.
    upstream: RwLock<Option<Arc<Container>>>,
    in_flight: AtomicUsize,
    idle: Notify,
    watched: AtomicBool,
    outlier: Outlier,
}

impl Replica {
    pub(crate) fn new(id: String, index: u32, upstream: Option<Arc<Container>>) -> Arc<Self> {
        Arc::new(Self {
            id,
            index,
            upstream: RwLock::new(upstream),
            in_flight: AtomicUsize::new(0),
            idle: Notify::new(),
            watched: AtomicBool::new(false),
            outlier: Outlier::default(),
        })
    }

    pub(crate) fn upstream(&self) -> Option<Arc<Container>> {
        self.upstream.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_upstream(&self, upstream: Option<Arc<Container>>) {
        *self.upstream.write().unwrap_or_else(PoisonError::into_inner) = upstream;
        self.outlier.answered();
    }

    /// Whether it is ready, and known to be there.
    pub(crate) fn answers_at(&self, address: SocketAddr) -> bool {
        self.upstream().is_some_and(|container| container.authority() == address.to_string())
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Whether it failed so often lately that others are to be preferred.
    pub(super) fn is_ejected(&self) -> bool {
        self.outlier.is_ejected()
    }

    /// The claim is made before the address is read: whoever retires a replica takes the address first and then
    /// waits for the claims, so no request slips between.
    pub(super) fn claim(self: &Arc<Self>, most: usize) -> Result<InFlight, NoReplica> {
        let before = self.in_flight.fetch_add(1, Ordering::SeqCst);
        let claim = Claim { replica: Arc::clone(self), _tunnel: None };
        if before >= most {
            return Err(NoReplica::Full);
        }
        Ok(InFlight { container: self.upstream().ok_or(NoReplica::NotReady)?, claim })
    }

    /// Begins a watch over its becoming ready, unless there is one.
    pub(crate) fn begin_watch(&self) -> bool {
        !self.watched.swap(true, Ordering::SeqCst)
    }

    pub(crate) fn end_watch(&self) {
        self.watched.store(false, Ordering::SeqCst);
    }

    /// Resolves when no request is in flight.
    pub(crate) async fn idle(&self) {
        loop {
            let notified = self.idle.notified();
            tokio::pin!(notified);
            // Registered before the count is read, so that the last request cannot end unheard between.
            notified.as_mut().enable();
            if self.in_flight.load(Ordering::SeqCst) == 0 {
                return;
            }
            notified.await;
        }
    }
}

/// A request in flight at a replica: where it goes, and the mark that it is under way.
pub(crate) struct InFlight {
    pub(crate) container: Arc<Container>,
    pub(crate) claim: Claim,
}

/// Counts a request until it is dropped.
pub(crate) struct Claim {
    replica: Arc<Replica>,
    /// The room that a connection has which leaves HTTP.
    _tunnel: Option<OwnedSemaphorePermit>,
}

impl Claim {
    /// The replica, to tell it afterwards how the request went.
    pub(crate) fn replica(&self) -> Arc<Replica> {
        Arc::clone(&self.replica)
    }

    /// The room is given back with the claim.
    pub(crate) fn with_tunnel(mut self, room: Option<OwnedSemaphorePermit>) -> Self {
        self._tunnel = room;
        self
    }
}

impl Replica {
    /// It began an answer.
    pub(crate) fn answered(&self) {
        self.outlier.answered();
    }

    /// It took no connection, broke one, or did not answer in time.
    pub(crate) fn failed(&self) {
        if let Some(pause) = self.outlier.failed() {
            tracing::warn!(
                container = self.id,
                ?pause,
                "A replica failed several times and is passed over for a while."
            );
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if self.replica.in_flight.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.replica.idle.notify_waiters();
        }
    }
}
