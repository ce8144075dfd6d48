//! Scaling by itself: up and down with the load, to zero when idle, and from zero on the first request.

mod decision;
mod policy;
mod wake;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};

use self::decision::{History, Sight};
pub(crate) use self::policy::Policy;
pub(crate) use self::wake::{NotWoken, Wakeups, wake};
use crate::app::App;
use crate::functions::{Containers, Function, FunctionId};
use crate::rollout;

/// Between two looks.
const SHORTEST: Duration = Duration::from_millis(1);

/// Looks at all functions again and again, until the shutdown.
pub(crate) async fn run(app: Arc<App>) {
    let mut histories = HashMap::new();
    let mut look = interval(app.config.scaling.interval.max(SHORTEST));
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = app.shutdown.cancelled() => return,
            _ = look.tick() => look_at_all(&app, &mut histories),
        }
    }
}

fn look_at_all(app: &Arc<App>, histories: &mut HashMap<FunctionId, History>) {
    let all = app.functions.all();
    let now = Instant::now();
    histories.retain(|id, _| app.functions.get(id).is_some());
    for (function, containers) in all.iter().filter_map(|function| Some((function, function.containers()?))) {
        let policy = &containers.settings.scaling;
        if policy.target.is_none() && policy.zero_after.is_none() {
            continue;
        }
        let history = histories.entry(function.id.clone()).or_insert_with(|| History::new(now));
        if let Some(replicas) = history.decide(policy, see(now, function, containers), app.config.scaling.calm) {
            begin(app, &function.id, containers.generation, replicas);
        }
    }
}

fn see(now: Instant, function: &Function, containers: &Containers) -> Sight {
    Sight {
        now,
        replicas: u32::try_from(containers.replicas.len()).unwrap_or(u32::MAX),
        invocations: function.invocations.started(),
        in_flight: containers.in_flight(),
    }
}

/// In the background, because starting containers takes longer than a look; one that is being changed is left alone.
fn begin(app: &Arc<App>, id: &FunctionId, generation: u64, replicas: u32) {
    if app.is_locked(id) {
        return;
    }
    let (app, id) = (Arc::clone(app), id.clone());
    app.tasks.clone().spawn(async move {
        tracing::info!(function = %id, replicas, "A function is scaled.");
        if let Err(error) = rollout::scale_by_itself(&app, id.clone(), generation, replicas).await {
            tracing::warn!(function = %id, replicas, %error, "A function could not be scaled.");
        }
    });
}
