//! What the edge counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counts since the start. Each is read with [`Counters::get`].
#[derive(Debug, Default)]
pub struct Counters {
    /// Handshakes that came to a good end.
    pub handshakes: AtomicU64,
    /// Handshakes for hosts that are not ours, or for no host.
    pub unknown_hosts: AtomicU64,
    /// Handshakes for which there was no certificate yet.
    pub no_certificate: AtomicU64,
    /// Handshakes that took too long.
    pub timeouts: AtomicU64,
    /// Handshakes that failed otherwise, by an old version or a broken connection for example.
    pub failures: AtomicU64,
    /// Checks by an authority that were answered.
    pub challenges: AtomicU64,
    /// Orders at the authority that were begun.
    pub orders: AtomicU64,
    /// Orders that ended without a certificate, and attempts that did not come as far.
    pub failed_orders: AtomicU64,
}

impl Counters {
    /// The count at this moment.
    pub fn get(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }

    pub(super) fn add(counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
