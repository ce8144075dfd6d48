//! Runs what the queue holds: claims due calls, makes them as if they came in now, and records how they ended.

mod annotations;
mod answer;
mod callback;
mod cancel;
mod lanes;
mod retry;
mod run;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use queue::{Call, Lane, QueueError, Ticket, Verdict, now_ms};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};
use tokio_util::sync::CancellationToken;

pub(crate) use self::annotations::Asynchronous;
pub use self::callback::CallbackHosts;
pub(crate) use self::callback::{BadCallback, Callbacks, Target};
pub(crate) use self::cancel::Cancellations;
use self::lanes::{Lanes, Limit};
pub use self::retry::Retry;
use crate::app::App;

/// A lease is extended this many times before it would run out.
const HEARTBEATS: u32 = 3;
/// How long the worker waits before it goes on after the queue refused it (a full disk).
const QUEUE_TROUBLE: Duration = Duration::from_secs(1);
/// How long the queue gets to take interrupted calls back. After that their leases run out.
const GIVING_BACK: Duration = Duration::from_secs(2);

struct Worker {
    app: Arc<App>,
    lanes: Lanes,
    running: JoinSet<()>,
    /// Which call a task runs.
    tasks: HashMap<Id, Running>,
}

struct Running {
    lane: Lane,
    ticket: Ticket,
}

/// Works until `shutdown`, then lets the running calls end; what has not ended when told to `hurry` waits in the queue.
pub(crate) async fn run(app: Arc<App>, shutdown: CancellationToken, hurry: CancellationToken) {
    let lanes = Lanes::new(limits(&app));
    let mut worker = Worker { app, lanes, running: JoinSet::new(), tasks: HashMap::new() };
    worker.wake_all_waiting().await;
    worker.work(&shutdown).await;
    worker.finish(&hurry).await;
}

/// A queue that the configuration names has its limit, the others have the general one.
fn limits(app: &App) -> impl Fn(&str) -> Limit + Send + use<> {
    let (general, named) = (app.config.async_concurrency, app.config.queueing.concurrency.clone());
    move |queue| named.get(queue).map_or(Limit::Common(general), |limit| Limit::Strict(*limit))
}

impl Worker {
    async fn work(&mut self, shutdown: &CancellationToken) {
        let pause = self.app.queue.lease() / HEARTBEATS;
        let mut heartbeat = interval_at(Instant::now() + pause, pause);
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
                lanes = queue.news() => self.wake(lanes),
                Some(ended) = self.running.join_next_with_id(), if !self.running.is_empty() => self.ended(ended),
                () = sleep(wake.unwrap_or(pause)) => {}
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
            let claimed = self.app.queue.claim(wants.clone()).await?;
            for (want, claimed) in wants.iter().zip(claimed) {
                self.lanes.claimed(&claimed.lane, want.calls, claimed.calls.len(), claimed.next);
                for call in claimed.calls {
                    self.start(call);
                }
            }
        }
    }

    fn start(&mut self, call: Call) {
        let running = Running { lane: call.head.lane.clone(), ticket: call.ticket };
        let cancelled = self.app.cancellations.token(call.ticket);
        let handle = self.running.spawn(run::run(Arc::clone(&self.app), call, cancelled));
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
            self.app.cancellations.forget(running.ticket);
            self.lanes.ended(&running.lane);
        }
    }

    fn wake(&mut self, lanes: impl IntoIterator<Item = Lane>) {
        for lane in lanes {
            let limit = self.app.async_limit(&self.app.queued(&lane.function));
            self.lanes.wake(lane, limit);
        }
    }

    async fn wake_all_waiting(&mut self) {
        match self.app.queue.waiting().await {
            Ok(lanes) => self.wake(lanes),
            Err(error) => tracing::error!(%error, "The queue cannot say what waits in it."),
        }
    }

    async fn heartbeat(&mut self) {
        let running = self.tasks.values().map(|running| running.ticket).collect();
        match self.app.queue.extend(running).await {
            Ok(lanes) => self.wake(lanes),
            Err(error) => tracing::error!(%error, "The leases of running calls cannot be extended."),
        }
        self.lanes.forget_idle();
    }

    async fn finish(mut self, hurry: &CancellationToken) {
        let pause = self.app.queue.lease() / HEARTBEATS;
        let mut heartbeat = interval_at(Instant::now() + pause, pause);
        loop {
            tokio::select! {
                () = hurry.cancelled() => break,
                _ = heartbeat.tick() => self.heartbeat().await,
                ended = self.running.join_next_with_id() => match ended {
                    Some(ended) => self.ended(ended),
                    None => return,
                },
            }
        }
        self.running.shutdown().await;
        tracing::warn!(
            calls = self.tasks.len(),
            "Queued calls were interrupted; they are made again after the next start."
        );
        let given_back = join_all(self.tasks.values().map(|running| give_back(&self.app, running.ticket)));
        if tokio::time::timeout(GIVING_BACK, given_back).await.is_err() {
            tracing::error!("The queue does not take interrupted calls back in time; they are when their leases end.");
        }
    }
}

async fn give_back(app: &App, ticket: Ticket) {
    if let Err(error) = app.queue.settle(ticket, Verdict::Released).await {
        tracing::error!(%error, "An interrupted call cannot be given back; it is at the next start.");
    }
}

/// Records a verdict; a failure to do so means the call is made again when its lease has run out.
async fn settle(app: &App, call: &Call, verdict: Verdict) {
    if let Err(error) = app.queue.settle(call.ticket, verdict).await {
        let (function, call_id) = (&*call.head.lane.function, call.head.call_id.as_str());
        tracing::error!(%error, function, call_id, "The end of a queued call cannot be recorded; it is made again.");
    }
}
