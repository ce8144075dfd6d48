//! Counters for Prometheus. Each worker has its own, so that counting costs nothing; they are added up when asked for.

mod render;
mod server;

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

pub(crate) use server::serve;

/// Upper bounds of the histogram, in seconds.
pub(crate) const BOUNDS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// A limit that somebody met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum Limit {
    /// An owner's requests a second.
    OwnerRate,
    /// An owner's open requests.
    OwnerConcurrent,
    /// Connections of one address.
    ClientConnections,
    /// A request's head took too long.
    Head,
    /// A client did not take its answer.
    Reader,
    /// A request's body was too long or too slow.
    Body,
}

pub(crate) const LIMITS: [&str; 6] =
    ["owner_rate", "owner_concurrent", "client_connections", "slow_head", "slow_reader", "body"];

/// How it was decided whether a caller may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(crate) enum AuthDecision {
    /// Everybody may.
    Public,
    /// This one may.
    Allowed,
    /// Nobody is signed in.
    SignIn,
    /// This one may not.
    Forbidden,
    /// It could not be told, so no.
    Unclear,
}

pub(crate) const AUTH: [&str; 5] = ["public", "allowed", "sign_in", "forbidden", "unclear"];

/// One worker's counters.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Shard {
    answers: [AtomicU64; 6],
    buckets: [AtomicU64; BOUNDS.len() + 1],
    microseconds: AtomicU64,
    received: AtomicU64,
    sent: AtomicU64,
    connections: AtomicI64,
    accepted: AtomicU64,
    tunnels: AtomicU64,
    upstream_errors: AtomicU64,
    limits: [AtomicU64; LIMITS.len()],
    auth: [AtomicU64; AUTH.len()],
}

fn add(counter: &AtomicU64, value: u64) {
    counter.fetch_add(value, Ordering::Relaxed);
}

impl Shard {
    /// A request has ended.
    pub(crate) fn request(&self, status: u16, seconds: f64, received: u64, sent: u64) {
        add(&self.answers[usize::from(status / 100).min(5)], 1);
        let bucket = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        add(&self.buckets[bucket], 1);
        add(&self.microseconds, (seconds * 1e6) as u64);
        add(&self.received, received);
        add(&self.sent, sent);
    }

    /// A connection begins (`1`) or has ended (`-1`).
    pub(crate) fn connection(&self, change: i64) {
        self.connections.fetch_add(change, Ordering::Relaxed);
        if change > 0 {
            add(&self.accepted, 1);
        }
    }

    /// A connection became a tunnel.
    pub(crate) fn tunnel(&self) {
        add(&self.tunnels, 1);
    }

    /// A service gave no answer.
    pub(crate) fn upstream_error(&self) {
        add(&self.upstream_errors, 1);
    }

    /// Somebody met a limit.
    pub(crate) fn limit(&self, limit: Limit) {
        add(&self.limits[limit as usize], 1);
    }

    /// It was decided whether a caller may call.
    pub(crate) fn auth(&self, decision: AuthDecision) {
        add(&self.auth[decision as usize], 1);
    }
}

/// All workers' counters.
#[derive(Debug)]
pub(crate) struct Metrics(Vec<Shard>);

impl Metrics {
    pub(crate) fn new(workers: usize) -> Self {
        Self((0..workers.max(1)).map(|_| Shard::default()).collect())
    }

    pub(crate) fn workers(&self) -> usize {
        self.0.len()
    }

    /// A worker's counters.
    pub(crate) fn shard(&self, worker: usize) -> &Shard {
        &self.0[worker]
    }

    fn sum(&self, counter: impl Fn(&Shard) -> &AtomicU64) -> u64 {
        self.0.iter().map(|shard| counter(shard).load(Ordering::Relaxed)).sum()
    }

    fn open(&self) -> i64 {
        self.0.iter().map(|shard| shard.connections.load(Ordering::Relaxed)).sum()
    }
}
