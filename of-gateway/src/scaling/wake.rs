//! From zero: the first request starts the function and waits for it, the others wait with it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;
use tokio::time::{sleep, timeout};

use crate::app::App;
use crate::functions::{Function, FunctionId, InFlight, NoReplica};
use crate::rollout;

/// A function that did not start is not started again for every request that comes within this time.
const TRIED: Duration = Duration::from_secs(2);
/// How often a request that waits for a crashed container looks again.
const LOOK: Duration = Duration::from_millis(20);

/// Functions that are being started for a request.
#[derive(Default)]
pub(crate) struct Wakeups {
    under_way: Mutex<HashMap<FunctionId, Arc<Wakeup>>>,
}

struct Wakeup {
    began: Instant,
    /// Set when it is over: whether it came up.
    outcome: OnceCell<bool>,
}

impl Wakeups {
    /// The start that is under way, or a new one.
    fn join(&self, id: &FunctionId) -> Arc<Wakeup> {
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.retain(|_, wakeup| wakeup.is_of_use());
        let new = || Arc::new(Wakeup { began: Instant::now(), outcome: OnceCell::new() });
        Arc::clone(under_way.entry(id.clone()).or_insert_with(new))
    }
}

impl Wakeup {
    /// Still going on, or failed a moment ago.
    fn is_of_use(&self) -> bool {
        match self.outcome.get() {
            None => true,
            Some(true) => false,
            Some(false) => self.began.elapsed() < TRIED,
        }
    }
}

/// Why a request that found no replica ready has none in the end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NotWoken {
    /// There are replicas, and others have all their places.
    Full,
    /// In a sentence.
    Because(String),
}

impl NotWoken {
    fn of(id: &FunctionId, reason: NoReplica) -> Self {
        match reason {
            NoReplica::Full => Self::Full,
            NoReplica::NotReady => Self::Because(format!("the function {id} has no replica that is ready")),
        }
    }
}

/// A replica for a request that found none ready.
///
/// A function at zero is started. One whose replicas are all about to come back is waited for, but not as long.
pub(crate) async fn wake(app: &Arc<App>, id: &FunctionId) -> Result<InFlight, NotWoken> {
    let Some(function) = app.functions.get(id) else {
        return Err(NotWoken::Because(format!("the function {id} is not deployed")));
    };
    // This version may have been replaced since the call looked it up.
    match choose(&function) {
        Err(NoReplica::NotReady) => {}
        chosen => return chosen.map_err(|reason| NotWoken::of(id, reason)),
    }
    if function.containers().is_some_and(|containers| containers.replicas.is_empty()) {
        return started(app, id).await;
    }
    let back = async {
        loop {
            sleep(LOOK).await;
            match chosen(app, id) {
                Err(NoReplica::NotReady) => {}
                chosen => return chosen,
            }
        }
    };
    let limit = app.config.scaling.hold;
    let back = timeout(limit, back).await.unwrap_or(Err(NoReplica::NotReady));
    back.map_err(|reason| NotWoken::of(id, reason))
}

async fn started(app: &Arc<App>, id: &FunctionId) -> Result<InFlight, NotWoken> {
    let began = Instant::now();
    let wakeup = app.wakeups.join(id);
    let outcome = wakeup.outcome.get_or_init(|| async {
        let started = rollout::wake(app, id.clone()).await;
        match &started {
            Ok(()) => tracing::info!(function = %id, took = ?began.elapsed(), "A function was started from zero."),
            Err(error) => tracing::warn!(function = %id, %error, "A function cannot be started from zero."),
        }
        started.is_ok()
    });
    if !*outcome.await {
        // Why is in the log: what a function wrote is not for everybody who may call it.
        return Err(NotWoken::Because(format!("the function {id} is scaled to zero and does not start")));
    }
    chosen(app, id).map_err(|reason| NotWoken::of(id, reason))
}

fn chosen(app: &App, id: &FunctionId) -> Result<InFlight, NoReplica> {
    app.functions.get(id).as_deref().map_or(Err(NoReplica::NotReady), choose)
}

fn choose(function: &Function) -> Result<InFlight, NoReplica> {
    function.containers().ok_or(NoReplica::NotReady)?.choose()
}
