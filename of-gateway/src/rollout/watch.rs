//! Replicas that are live and out of the choice: waiting until they are back, and helping those that do not come back
//! by themselves.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::{health, probe::Probes, ready, start};
use crate::app::App;
use crate::engine::EngineError;
use crate::functions::{Containers, Function, FunctionId, Replica};
use crate::transit::Container;

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Takes a replica that wants no requests out of the choice until it is ready again.
pub(super) fn pass_over(app: &Arc<App>, function: FunctionId, replica: Arc<Replica>, reason: String) {
    tracing::warn!(%function, container = replica.id, reason, "A replica is not ready any more and is passed over.");
    app.troubles.unready(&replica.id, reason);
    replica.set_upstream(None);
    if replica.begin_watch() {
        app.tasks.spawn(watch(Arc::clone(app), function, replica));
    }
}

/// Takes a replica that does not answer any more out of the choice, and starts it anew.
pub(super) fn start_anew(app: &Arc<App>, function: FunctionId, replica: Arc<Replica>, reason: String) {
    replica.set_upstream(None);
    if !replica.begin_watch() {
        return;
    }
    let app = Arc::clone(app);
    app.tasks.clone().spawn(async move {
        if let Err(error) = restart(&app, &function, &replica, reason).await {
            tracing::warn!(%function, container = replica.id, %error, "A replica cannot be restarted.");
        }
        watch(app, function, replica).await;
    });
}

/// The lock keeps it from being retired meanwhile.
async fn restart(app: &App, function: &FunctionId, replica: &Replica, reason: String) -> Result<(), EngineError> {
    let _lock = app.lock(function).await;
    if live(app, function, replica, |_| ()).is_none() {
        return Ok(());
    }
    tracing::warn!(%function, container = replica.id, reason, "A replica does not answer and is started anew.");
    app.troubles.hung(&replica.id, reason);
    app.engine.restart(&replica.id).await
}

/// Watches until the replica answers or is not live any more. The engine restarts what crashed; what somebody
/// stopped behind the gateway's back is started here, and what hangs is started anew.
pub(super) async fn watch(app: Arc<App>, function: FunctionId, replica: Arc<Replica>) {
    let mut pause = FIRST_PAUSE;
    while let Some(probes) = live(&app, &function, &replica, |containers| containers.settings.probes.clone()) {
        let address = tokio::select! {
            () = app.shutdown.cancelled() => return,
            address = ready::wait_again(&app.engine, &replica.id, &probes, patience(&app, &probes)) => address,
        };
        if let Some(address) = address {
            app.troubles.answers(&replica.id);
            replica.end_watch();
            return replica.set_upstream(Some(Container::new(address)));
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
        match wake(&app, &function, &replica, &probes).await {
            Ok(true) => {}
            // Removed altogether: the next look makes a new one.
            Ok(false) => break,
            Err(error) => {
                app.troubles.cannot_start(&replica.id, error.to_string());
                tracing::warn!(%function, container = replica.id, %error, "A container cannot be restarted.");
            }
        }
    }
    replica.end_watch();
}

/// How long a container that runs may take to answer before it is looked at anew.
fn patience(app: &App, probes: &Probes) -> Duration {
    let health = &probes.health;
    app.config.rollout_timeout.max(health.period * health.failures) + probes.ready.delay.max(health.delay)
}

/// Starts a container that is stopped, and anew one that hangs; `false` if there is none.
async fn wake(app: &Arc<App>, function: &FunctionId, replica: &Replica, probes: &Probes) -> Result<bool, EngineError> {
    let Some(process) = app.engine.process(&replica.id).await? else { return Ok(false) };
    if process.stopped {
        start::again(app, &replica.id).await?;
    }
    // One that wants no requests for now is well.
    if let Some(address) = process.address.filter(|_| process.running)
        && process.age.is_some_and(|age| age >= patience(app, probes))
        && let Err(reason) = health::is_well(address, probes).await
    {
        restart(app, function, replica, reason).await?;
    }
    Ok(true)
}

/// What there is to know about the version that this replica is a part of, while it is live.
fn live<T>(app: &App, function: &FunctionId, replica: &Replica, of: impl FnOnce(&Containers) -> T) -> Option<T> {
    let function = app.functions.get(function);
    let containers = function.as_deref().and_then(Function::containers)?;
    containers.replicas.iter().any(|live| live.id == replica.id).then(|| of(containers))
}
