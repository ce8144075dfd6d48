//! Looks through a worker's connections for clients that hold a place and do not use it.
//!
//! One timer for all of them: a request costs a few stores instead of a timer each.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::connection::Wait;
use super::worker::Worker;
use crate::metrics::Limit;

const SHORTEST: Duration = Duration::from_millis(10);
const LONGEST: Duration = Duration::from_secs(1);
/// A connection without a request for so long is parked.
const PARK: Duration = Duration::from_millis(100);
/// How often idle connections to the services behind are looked through.
const POOLS: Duration = Duration::from_secs(10);

/// Runs until it is dropped.
pub(crate) async fn run(worker: Arc<Worker>) {
    let mut pools = Instant::now();
    loop {
        let lane = worker.lane();
        let shortest = lane.router.client_timeout.min(lane.limits().client_idle);
        let longest = if worker.connections().is_empty() { LONGEST } else { PARK };
        tokio::time::sleep((shortest / 4).clamp(SHORTEST, longest)).await;
        let now = Instant::now();
        look(&worker, now);
        if now - pools >= POOLS {
            pools = now;
            lane.router.sweep(lane.index);
        }
    }
}

/// One look.
pub(crate) fn look(worker: &Worker, now: Instant) {
    let lane = worker.lane();
    let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX / 2);
    let now = millis(now.saturating_duration_since(worker.began)) + 1;
    let park = millis(PARK);
    let (slow, mut idle) = (millis(lane.router.client_timeout), millis(lane.limits().client_idle));
    if worker.is_closing() {
        idle = millis(lane.limits().drain_idle).min(idle);
    }
    let mut slow_ones = Vec::new();
    for entry in worker.connections().values() {
        match entry.conn.wait() {
            // Gently: a request that is just coming in may still be answered.
            Some(Wait::Idle(since)) if now >= since + idle => entry.conn.retire.notify_one(),
            Some(Wait::Idle(since)) if now >= since + park => entry.conn.park(),
            Some(Wait::Head(since)) if worker.is_closing() && now >= since + idle => entry.conn.retire.notify_one(),
            Some(Wait::Head(since)) if now >= since + slow => slow_ones.push((Limit::Head, entry.task.clone())),
            Some(Wait::Reader(since)) if now >= since + slow => slow_ones.push((Limit::Reader, entry.task.clone())),
            _ => {}
        }
    }
    // Not under the lock: a task that ends takes it.
    for (limit, task) in slow_ones {
        lane.shard().limit(limit);
        task.abort();
    }
}
