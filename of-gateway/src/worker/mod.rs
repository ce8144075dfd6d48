//! Runs what the queue holds: claims due calls, makes them as if they came in now, and records how they ended.

mod callback;
mod lanes;
mod run;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};
use tokio_util::sync::CancellationToken;

pub(crate) use self::callback::address as callback_address;
use self::lanes::Lanes;
use crate::app::App;
use crate::queue::{Call, QueueError, Verdict, now_ms};

/// How long a claimed call is ours without a sign of life.
const LEASE: Duration = Duration::from_secs(60);
/// A lease is extended this often while its call runs.
const HEARTBEAT: Duration = Duration::from_secs(20);
/// How long the worker waits before it goes on after the queue refused it (a full disk).
const QUEUE_TROUBLE: Duration = Duration::from_secs(1);

/// How a call that failed is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// The wait after the first failure; it doubles with each further one.
    pub first: Duration,
    /// The longest wait.
    pub cap: Duration,
    /// After this many attempts a call becomes a dead letter.
    pub attempts: u32,
}

impl Retry {
    /// The wait after attempt number `attempt`, or `None` if that was the last.
    pub(crate) fn after(&self, attempt: u32) -> Option<Duration> {
        if attempt >= self.attempts {
            return None;
        }
        let doublings = attempt.saturating_sub(1).min(30);
        Some(self.first.saturating_mul(1 << doublings).min(self.cap))
    }
}

struct Worker {
    app: Arc<App>,
    lanes: Lanes,
    running: JoinSet<()>,
    /// Which call a task runs.
    tasks: HashMap<Id, Running>,
}

struct Running {
    function: String,
    id: i64,
    attempt: u32,
}

/// Works until `shutdown`, then lets the running calls end; what has not ended when told to `hurry` waits in the queue.
pub(crate) async fn run(app: Arc<App>, shutdown: CancellationToken, hurry: CancellationToken) {
    let lanes = Lanes::new(app.config.async_concurrency);
    let mut worker = Worker { app, lanes, running: JoinSet::new(), tasks: HashMap::new() };
    worker.wake_all_waiting().await;
    worker.work(&shutdown).await;
    worker.finish(&hurry).await;
}

impl Worker {
    async fn work(&mut self, shutdown: &CancellationToken) {
        let mut heartbeat = interval_at(Instant::now() + HEARTBEAT, HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let queue = self.app.queue.clone();
        loop {
            let wake = match self.claim().await {
                Ok(wake) => wake,
                Err(error) => {
                    tracing::error!(%error, "Queued calls cannot be claimed.");
                    Some(QUEUE_TROUBLE)
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => return,
                functions = queue.news() => self.wake(functions),
                Some(ended) = self.running.join_next_with_id(), if !self.running.is_empty() => self.ended(ended),
                () = sleep(wake.unwrap_or(HEARTBEAT)) => {}
                _ = heartbeat.tick() => self.heartbeat().await,
            }
        }
    }

    /// Starts everything that is due and has room; answers with the wait until the next call is due.
    async fn claim(&mut self) -> Result<Option<Duration>, QueueError> {
        loop {
            let wants = self.lanes.wants(now_ms());
            if wants.is_empty() {
                return Ok(self
                    .lanes
                    .next_due()
                    .map(|at| Duration::from_millis(at.saturating_sub(now_ms()).max(1).unsigned_abs())));
            }
            let claimed = self.app.queue.claim(wants.clone(), LEASE).await?;
            for (want, claimed) in wants.iter().zip(claimed) {
                self.lanes.claimed(&claimed.function, want.calls, claimed.calls.len(), claimed.next);
                for call in claimed.calls {
                    self.start(call);
                }
            }
        }
    }

    fn start(&mut self, call: Call) {
        let running = Running { function: call.function.clone(), id: call.id, attempt: call.attempt };
        let handle = self.running.spawn(run::run(Arc::clone(&self.app), call));
        self.tasks.insert(handle.id(), running);
    }

    fn ended(&mut self, ended: Result<(Id, ()), JoinError>) {
        let task = match ended {
            Ok((task, ())) => task,
            Err(error) => {
                // Its lease runs out, and the call is made again.
                tracing::error!(%error, "A queued call's task ended abnormally.");
                error.id()
            }
        };
        if let Some(running) = self.tasks.remove(&task) {
            self.lanes.ended(&running.function);
        }
    }

    fn wake(&mut self, functions: impl IntoIterator<Item = String>) {
        for function in functions {
            let limit = self.app.async_limit(&self.app.queued(&function));
            self.lanes.wake(function, limit);
        }
    }

    async fn wake_all_waiting(&mut self) {
        match self.app.queue.waiting().await {
            Ok(functions) => self.wake(functions),
            Err(error) => tracing::error!(%error, "The queue cannot say what waits in it."),
        }
    }

    async fn heartbeat(&mut self) {
        let running = self.tasks.values().map(|running| running.id).collect();
        match self.app.queue.extend(running, LEASE).await {
            Ok(released) => self.wake(released),
            Err(error) => tracing::error!(%error, "The leases of running calls cannot be extended."),
        }
        self.lanes.forget_idle();
    }

    async fn finish(mut self, hurry: &CancellationToken) {
        let all = async {
            while let Some(ended) = self.running.join_next_with_id().await {
                let task = ended.map_or_else(|error| error.id(), |(task, ())| task);
                self.tasks.remove(&task);
            }
        };
        if hurry.run_until_cancelled(all).await.is_some() {
            return;
        }
        self.running.shutdown().await;
        tracing::warn!(
            calls = self.tasks.len(),
            "Queued calls were interrupted; they are made again after the next start."
        );
        for running in self.tasks.into_values() {
            if let Err(error) = self.app.queue.settle(running.id, running.attempt, Verdict::Released).await {
                tracing::error!(%error, "An interrupted call cannot be given back; it is at the next start.");
            }
        }
    }
}

/// Records a verdict; a failure to do so means the call is made again when its lease has run out.
async fn settle(app: &App, call: &Call, verdict: Verdict) {
    if let Err(error) = app.queue.settle(call.id, call.attempt, verdict).await {
        tracing::error!(%error, function = call.function, call_id = call.call_id, "The end of a queued call cannot be recorded; it is made again.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_end_with_the_attempts() {
        let retry = Retry { first: Duration::from_millis(250), cap: Duration::from_secs(60), attempts: 12 };
        let waits: Vec<_> = (1..=12).map(|attempt| retry.after(attempt)).collect();
        assert_eq!(waits[0], Some(Duration::from_millis(250)));
        assert_eq!(waits[3], Some(Duration::from_secs(2)));
        assert_eq!(waits[10], Some(Duration::from_secs(60)));
        assert_eq!(waits[11], None);
    }
}
