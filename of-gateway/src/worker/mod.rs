//! Runs what the queue holds: claims due calls, makes them as if they came in now, and records how they ended.
//!
//! A call leaves its place to the next one when it has ended, not when its end is on the disk: a function would
//! otherwise wait for the disk after each round of calls. Until its end is recorded its lease is kept.

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
/// How often it is looked up how many calls each function takes.
const REFRESH: Duration = Duration::from_secs(1);
/// While the ends of so many rounds of calls are not recorded, none are begun: the queue is behind.
const UNRECORDED: usize = 64;

struct Worker {
    app: Arc<App>,
    lanes: Lanes,
    /// When the lanes' limits were looked up.
    refreshed: Instant,
    /// The queue has said what waits in it.
    surveyed: bool,
    running: JoinSet<Verdict>,
    /// Which call a task runs.
    tasks: HashMap<Id, Running>,
    /// Records how calls ended, those that ended together in one task; answers with the lanes to look at.
    recording: JoinSet<Vec<Lane>>,
    /// Calls whose ends such a task records.
    recorded: HashMap<Id, Vec<Ticket>>,
}

struct Running {
    lane: Lane,
    ticket: Ticket,
    call_id: String,
}

/// Works until `shutdown`, then lets the running calls end; what has not ended when told to `hurry` waits in the queue.
pub(crate) async fn run(app: Arc<App>, shutdown: CancellationToken, hurry: CancellationToken) {
    let lanes = Lanes::new(limits(&app));
    let mut worker = Worker::new(app, lanes);
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
    fn new(app: Arc<App>, lanes: Lanes) -> Self {
        let (running, recording) = (JoinSet::new(), JoinSet::new());
        Self {
            app,
            lanes,
            refreshed: Instant::now(),
            surveyed: false,
            running,
            tasks: HashMap::new(),
            recording,
            recorded: HashMap::new(),
        }
    }

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
                Some(ended) = self.running.join_next_with_id() => self.ended(ended),
                Some(recorded) = self.recording.join_next_with_id() => self.recorded(recorded),
                () = sleep(wake.unwrap_or(pause)) => {}
                _ = heartbeat.tick() => self.heartbeat().await,
            }
        }
    }

    /// Starts everything that is due and has room; answers with the wait until the next call is due.
    async fn claim(&mut self) -> Result<Option<Duration>, QueueError> {
        if self.refreshed.elapsed() >= REFRESH {
            self.refreshed = Instant::now();
            let app = &self.app;
            self.lanes.set_limits(|lane| app.async_limit(&app.queued(&lane.function)));
        }
        while self.recording.len() < UNRECORDED {
            let wants = self.lanes.wants(now_ms());
            if wants.is_empty() {
                let wait = |at: i64| Duration::from_millis(at.saturating_sub(now_ms()).max(1).unsigned_abs());
                return Ok(self.lanes.next_due().map(wait));
            }
            let claimed = self.app.queue.claim(wants.clone()).await?;
            for (want, claimed) in wants.iter().zip(claimed) {
                self.lanes.claimed(&claimed.lane, want.calls, claimed.calls.len(), claimed.next);
                for call in claimed.calls {
                    self.start(call);
                }
            }
            if let Some(ended) = self.running.try_join_next_with_id() {
                self.ended(ended);
            }
        }
        Ok(None)
    }

    fn start(&mut self, call: Call) {
        let (lane, call_id) = (call.head.lane.clone(), call.head.call_id.clone());
        let running = Running { lane, ticket: call.ticket, call_id };
        let cancelled = self.app.cancellations.token(call.ticket);
        let handle = self.running.spawn(run::run(Arc::clone(&self.app), call, cancelled));
        self.tasks.insert(handle.id(), running);
    }

    /// Frees the places of this call and of all that have ended with it, and records how they ended.
    fn ended(&mut self, first: Result<(Id, Verdict), JoinError>) {
        let (mut next, mut ended) = (Some(first), Vec::new());
        while let Some(task) = next {
            ended.extend(self.end(task));
            next = self.running.try_join_next_with_id();
        }
        self.record(ended);
    }

    fn record(&mut self, ended: Vec<(Running, Verdict)>) {
        if ended.is_empty() {
            return;
        }
        let calls = ended.iter().map(|(call, _)| call.ticket).collect();
        let handle = self.recording.spawn(record(Arc::clone(&self.app), ended));
        self.recorded.insert(handle.id(), calls);
    }

    fn end(&mut self, ended: Result<(Id, Verdict), JoinError>) -> Option<(Running, Verdict)> {
        let (task, verdict) = match ended {
            Ok((task, verdict)) => (task, Some(verdict)),
            Err(error) => {
                // Its lease runs out, and the call is made again.
                tracing::error!(%error, "A queued call's task ended abnormally.");
                (error.id(), None)
            }
        };
        let running = self.tasks.remove(&task)?;
        self.lanes.ended(&running.lane);
        if verdict.is_none() {
            self.app.cancellations.forget(running.ticket);
        }
        Some((running, verdict?))
    }

    /// The calls are the queue's again, or gone.
    fn recorded(&mut self, recorded: Result<(Id, Vec<Lane>), JoinError>) {
        let (task, lanes) = recorded.unwrap_or_else(|error| (error.id(), Vec::new()));
        for ticket in self.recorded.remove(&task).unwrap_or_default() {
            self.app.cancellations.forget(ticket);
        }
        self.wake(lanes);
    }

    fn wake(&mut self, lanes: impl IntoIterator<Item = Lane>) {
        for lane in lanes {
            let limit = self.app.async_limit(&self.app.queued(&lane.function));
            self.lanes.wake(lane, limit);
        }
    }

    async fn wake_all_waiting(&mut self) {
        match self.app.queue.waiting().await {
            Ok(lanes) => {
                self.surveyed = true;
                self.wake(lanes);
            }
            Err(error) => tracing::error!(%error, "The queue cannot say what waits in it."),
        }
    }

    async fn heartbeat(&mut self) {
        let running = self.tasks.values().map(|call| call.ticket);
        let ended = self.recorded.values().flatten().copied();
        match self.app.queue.extend(running.chain(ended).collect()).await {
            Ok(lanes) => self.wake(lanes),
            Err(error) => tracing::error!(%error, "The leases of running calls cannot be extended."),
        }
        if !self.surveyed {
            self.wake_all_waiting().await;
        }
        self.lanes.forget_idle();
    }

    async fn finish(mut self, hurry: &CancellationToken) {
        let pause = self.app.queue.lease() / HEARTBEATS;
        let mut heartbeat = interval_at(Instant::now() + pause, pause);
        while !(self.running.is_empty() && self.recording.is_empty()) {
            tokio::select! {
                () = hurry.cancelled() => break,
                _ = heartbeat.tick() => self.heartbeat().await,
                Some(ended) = self.running.join_next_with_id() => self.ended(ended),
                Some(recorded) = self.recording.join_next_with_id() => self.recorded(recorded),
            }
        }
        if !self.running.is_empty() {
            self.give_back().await;
        }
        let recorded = async { while self.recording.join_next().await.is_some() {} };
        if tokio::time::timeout(GIVING_BACK, recorded).await.is_err() {
            tracing::error!("The queue does not take in time how calls ended; they are made again.");
        }
    }

    /// Stops what runs.
    async fn give_back(&mut self) {
        self.running.abort_all();
        let mut ended = Vec::new();
        while let Some(task) = self.running.join_next_with_id().await {
            // What was not cut off had just ended by itself.
            if !task.as_ref().is_err_and(JoinError::is_cancelled) {
                ended.extend(self.end(task));
            }
        }
        self.record(ended);
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

/// Records how calls ended. Answers with the lanes of those that wait again, now or when their lease has run out.
async fn record(app: Arc<App>, ended: Vec<(Running, Verdict)>) -> Vec<Lane> {
    let lanes = ended.into_iter().map(|(call, verdict)| record_one(&app, call, verdict));
    join_all(lanes).await.into_iter().flatten().collect()
}

async fn record_one(app: &App, call: Running, verdict: Verdict) -> Option<Lane> {
    let (function, call_id) = (&*call.lane.function, call.call_id.as_str());
    let again = matches!(verdict, Verdict::Retry { .. });
    let recorded = app.queue.settle(call.ticket, verdict).await;
    if let Err(error) = &recorded {
        tracing::error!(%error, function, call_id, "The end of a queued call cannot be recorded; it is made again.");
    }
    // Who cancelled it while that was recorded was told that it runs.
    if again
        && app.cancellations.is_cancelled(call.ticket)
        && let Err(error) = app.queue.cancel(&call.call_id).await
    {
        tracing::error!(%error, function, call_id, "A cancelled call cannot be taken out of the queue.");
    }
    (again || recorded.is_err()).then_some(call.lane)
}
