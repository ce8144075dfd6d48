//! Making what the gateway knows and what the engine runs agree: after the gateway's start, after the engine's, when
//! a container ends, and now and then.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use chrono::Utc;
use futures_util::{StreamExt, stream};
use tokio::sync::OwnedMutexGuard;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::watch::watch;
use super::{created_at, ready, record_of, scale, start, trouble};
use crate::app::App;
use crate::engine::{Change, EngineError, Found, Role, What};
use crate::functions::{Backend, Containers, Function, FunctionId, Replica, Settings};
use crate::invoke::Chain;
use crate::problem::Problem;
use crate::quota::Share;
use crate::transit::Container;

const PERIOD: Duration = Duration::from_secs(15);
/// Between two attempts to reach an engine that does not answer.
const ENGINE_RETRY: Duration = Duration::from_secs(2);
/// Functions looked at side by side.
const PARALLEL: usize = 8;

/// Takes over what a former gateway left in the engine, once. Nothing is changed before that.
pub(crate) async fn adopt(app: &Arc<App>) -> Result<(), EngineError> {
    app.adopted.get_or_try_init(|| take_over(app)).await.map(drop)
}

/// No locks are needed: nobody gets past [`adopt`] meanwhile.
async fn take_over(app: &Arc<App>) -> Result<(), EngineError> {
    // Before a container of before is started again.
    guarded(app.engine.renew_network().await)?;
    let by_function = grouped(app, app.engine.list(None).await?);
    let count = by_function.len();
    let settled = stream::iter(by_function).map(|(name, found)| settle_logged(app, name, found));
    let complete = settled.buffer_unordered(PARALLEL).fold(true, |all, one| async move { all && one }).await;
    app.complete.store(complete, Ordering::Relaxed);
    tracing::info!(functions = count, "Looked through the engine for functions of before.");
    Ok(())
}

/// Follows the engine until the shutdown.
pub(crate) async fn monitor(app: Arc<App>) {
    let (mut reachable, mut again) = (true, false);
    while !app.shutdown.is_cancelled() {
        let outcome = tokio::select! {
            () = app.shutdown.cancelled() => return,
            outcome = follow(&app, std::mem::replace(&mut again, true)) => outcome,
        };
        if let Err(error) = outcome
            && std::mem::replace(&mut reachable, false)
        {
            tracing::warn!(%error, "The container engine cannot be followed; trying again and again.");
        }
        sleep(ENGINE_RETRY).await;
        if !reachable && all(&app).await.is_ok() {
            reachable = true;
            tracing::info!("The container engine answers again.");
        }
    }
}

/// Events tell at once, the look now and then makes up for those that were missed.
async fn follow(app: &Arc<App>, again: bool) -> Result<(), EngineError> {
    if again {
        // A restarted engine, or what restarted it, may have changed the firewall.
        guarded(app.engine.renew_network().await)?;
    }
    let changes = app.engine.changes(Utc::now().timestamp())?;
    tokio::pin!(changes);
    let mut look = interval(PERIOD);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            change = changes.next() => match change {
                Some(change) => react(app, change?),
                None => return Ok(()),
            },
            _ = look.tick() => {
                guarded(app.engine.look_after_network().await)?;
                start::restore_secrets(app).await;
                all(app).await?;
            }
        }
    }
}

/// A firewall that cannot be set keeps deployments away. What runs already goes on.
fn guarded(outcome: Result<(), EngineError>) -> Result<(), EngineError> {
    match outcome {
        Err(error @ EngineError::Exposed { .. }) => {
            tracing::error!(%error, "What runs already is not kept apart, and nothing is deployed.");
            Ok(())
        }
        other => other,
    }
}

/// Changes of the gateway's own making concern containers that are not live, and are passed over.
fn react(app: &Arc<App>, change: Change) {
    let Some(function) = app.functions.get(&change.function) else { return };
    let Some(containers) = function.containers() else { return };
    let Some(replica) = containers.replicas.iter().find(|replica| replica.id == change.container) else { return };
    match change.what {
        What::Started => {}
        What::OutOfMemory => return app.troubles.out_of_memory(&change.container),
        What::Ended { exit_code } => {
            replica.set_upstream(None);
            app.troubles.ended(&change.container, exit_code);
            keep_lines(app, change.container.clone());
            let Change { function, container, .. } = &change;
            tracing::warn!(%function, container, exit_code, "A container of a function ended.");
        }
        What::Removed => {
            replica.set_upstream(None);
            app.troubles.removed(&change.container);
        }
    }
    let app = Arc::clone(app);
    app.tasks.clone().spawn(async move { one(&app, change.function).await });
}

/// What it wrote before it ended says more than its exit code.
fn keep_lines(app: &Arc<App>, container: String) {
    let app = Arc::clone(app);
    app.tasks.clone().spawn(async move {
        if let Ok(lines) = app.engine.last_lines(&container, trouble::LINES).await {
            app.troubles.wrote(&container, lines);
        }
    });
}

/// Looks at everything; only what differs is locked and set right, in the background: that may take as long as a
/// function takes to become ready, and the events of others have to be heard meanwhile.
async fn all(app: &Arc<App>) -> Result<(), EngineError> {
    if !app.adopted.initialized() {
        return adopt(app).await;
    }
    let before = app.functions.all();
    let used = in_use(&before);
    let found = grouped(app, app.engine.list(None).await?);
    close_gone(&used, &found);
    let known = app.functions.all();
    let live = known.iter().filter(|function| function.containers().is_some());
    let names: BTreeSet<&FunctionId> = found.keys().chain(live.map(|function| &function.id)).collect();
    let nothing = Vec::new();
    let odd: Vec<FunctionId> =
        names.into_iter().filter(|name| differs(app, name, found.get(*name).unwrap_or(&nothing))).cloned().collect();
    if odd.is_empty() {
        app.complete.store(true, Ordering::Relaxed);
    } else {
        app.tasks.spawn(settle_odd(Arc::clone(app), odd));
    }
    let now = app.functions.all();
    let replicas = || now.iter().filter_map(|function| function.containers()).flat_map(Containers::everyone);
    app.troubles.keep(&replicas().map(|replica| replica.id.as_str()).collect());
    for replica in replicas() {
        if let Some(upstream) = replica.upstream() {
            upstream.sweep();
        }
    }
    Ok(())
}

/// One that is being changed is looked at next time.
async fn settle_odd(app: Arc<App>, odd: Vec<FunctionId>) {
    let app = &app;
    let each = |name| async move {
        if let Some(lock) = app.try_lock(&name) {
            locked(app, name, lock).await;
        }
    };
    stream::iter(odd).for_each_concurrent(PARALLEL, each).await;
}

/// Replicas that requests are sent to, with their addresses.
fn in_use(functions: &[Arc<Function>]) -> Vec<(Arc<Replica>, Arc<Container>)> {
    let all = functions.iter().filter_map(|function| function.containers()).flat_map(|containers| &containers.replicas);
    all.filter_map(|replica| Some((Arc::clone(replica), replica.upstream()?))).collect()
}

/// Nothing is sent to the address of a container that is gone, whoever holds its function's lock: the engine gives the
/// address to another one, which may be somebody else's.
fn close_gone(used: &[(Arc<Replica>, Arc<Container>)], found: &BTreeMap<FunctionId, Vec<Found>>) {
    let there: HashMap<&str, String> = found
        .values()
        .flatten()
        .filter(|container| container.running)
        .filter_map(|container| Some((container.id.as_str(), container.address?.to_string())))
        .collect();
    for (replica, container) in used {
        let same = there.get(replica.id.as_str()).is_some_and(|address| address == container.authority());
        // It may have got another address since the engine was asked.
        if !same && replica.upstream().is_some_and(|now| Arc::ptr_eq(&now, container)) {
            replica.set_upstream(None);
        }
    }
}

fn grouped(app: &App, found: Vec<Found>) -> BTreeMap<FunctionId, Vec<Found>> {
    let retiring = app.retiring.lock().unwrap_or_else(PoisonError::into_inner);
    let mut by_function = BTreeMap::<FunctionId, Vec<Found>>::new();
    for container in found.into_iter().filter(|container| !retiring.contains(&container.id)) {
        by_function.entry(container.record.function.clone()).or_default().push(container);
    }
    by_function
}

fn differs(app: &App, name: &FunctionId, found: &[Found]) -> bool {
    let function = app.functions.get(name);
    let Some(containers) = function.as_deref().and_then(Function::containers) else { return true };
    let as_known = |container: &Found| match container.role {
        Role::Live => containers
            .replicas
            .iter()
            .any(|replica| replica.id == container.id && container.address.is_some_and(|at| replica.answers_at(at))),
        Role::Parked => {
            containers.parked.as_ref().is_some_and(|parked| parked.id == container.id && !container.running)
        }
        Role::Candidate | Role::Leaving => false,
    };
    found.len() != containers.everyone().count() || !found.iter().all(as_known)
}

async fn one(app: &Arc<App>, name: FunctionId) {
    let lock = app.lock(&name).await;
    locked(app, name, lock).await;
}

/// The lock is held to the end.
async fn locked(app: &Arc<App>, name: FunctionId, _lock: OwnedMutexGuard<()>) {
    match app.engine.list(Some(&name)).await {
        Ok(found) => {
            let found = grouped(app, found).remove(&name).unwrap_or_default();
            settle_logged(app, name, found).await;
        }
        Err(error) => tracing::warn!(function = %name, %error, "A function's containers cannot be listed."),
    }
}

/// Whether it is as it should be.
async fn settle_logged(app: &Arc<App>, name: FunctionId, found: Vec<Found>) -> bool {
    let settled = settle(app, &name, found).await;
    if let Err(error) = &settled {
        tracing::error!(function = %name, error = %Chain(error), "A function cannot be set right now.");
    }
    settled.is_ok()
}

/// Of several versions the newest that was committed wins; everything else goes.
async fn settle(app: &Arc<App>, name: &FunctionId, found: Vec<Found>) -> Result<(), Problem> {
    let committed = |c: &Found| matches!(c.role, Role::Live | Role::Parked);
    let newest = found.iter().filter(|c| committed(c)).map(|c| c.record.generation).max();
    let (mut keep, mut go): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|c| committed(c) && Some(c.record.generation) == newest);
    let parked = keep.iter().position(|c| c.role == Role::Parked).map(|index| keep.swap_remove(index));
    if parked.is_some() {
        go.append(&mut keep);
    }
    for container in &go {
        remove_leftover(app, name, &container.id).await;
    }
    if app.functions.get(name).is_some_and(|function| matches!(function.backend, Backend::Platform(_))) {
        // The platform took the name over; what ran under it before goes.
        for container in keep.iter().chain(&parked) {
            remove_leftover(app, name, &container.id).await;
        }
        return Ok(());
    }
    keep.sort_by_key(|container| container.record.index);
    match (parked, keep.is_empty()) {
        (Some(parked), _) => keep_parked(app, name, &parked).await?,
        (None, false) => keep_live(app, name, &keep).await?,
        (None, true) => {}
    }
    restore(app, name).await
}

/// What the engine cannot remove now is no reason to give up what is kept; the next look tries again.
async fn remove_leftover(app: &App, name: &FunctionId, container: &str) {
    if let Err(error) = app.engine.remove(container).await {
        tracing::warn!(function = %name, container, error = %Chain(&error), "A leftover cannot be removed for now.");
    }
}

async fn keep_parked(app: &Arc<App>, name: &FunctionId, parked: &Found) -> Result<(), EngineError> {
    if parked.running {
        app.engine.stop(&parked.id).await?;
    }
    let replica = Replica::new(parked.id.clone(), parked.record.index, None);
    put(app, name, parked, Vec::new(), Some(replica));
    Ok(())
}

async fn keep_live(app: &Arc<App>, name: &FunctionId, live: &[Found]) -> Result<(), EngineError> {
    let known = app.functions.get(name);
    let known = known.as_deref().and_then(Function::containers);
    let (mut replicas, mut moved) = (Vec::new(), Vec::new());
    for container in live {
        let same = known.and_then(|known| known.replicas.iter().find(|replica| replica.id == container.id));
        let replica = same.cloned().unwrap_or_else(|| Replica::new(container.id.clone(), container.record.index, None));
        if !container.running {
            replica.set_upstream(None);
            start_known(app, name, &container.id).await?;
        }
        if !container.address.is_some_and(|at| replica.answers_at(at)) {
            moved.push((Arc::clone(&replica), container.address));
        }
        replicas.push(replica);
    }
    // Replicas that vanished keep their place without an address, until they are restored.
    for lost in known.into_iter().flat_map(|known| &known.replicas) {
        if !live.iter().any(|container| container.id == lost.id)
            && known.is_some_and(|k| k.generation == live[0].record.generation)
        {
            lost.set_upstream(None);
            replicas.push(Arc::clone(lost));
        }
    }
    put(app, name, &live[0], replicas, None);
    for (replica, address) in moved {
        take_address(app, name, &replica, address).await;
    }
    Ok(())
}

/// One that cannot be started is told of, and tried again while it is watched; the others are none the worse for it.
async fn start_known(app: &Arc<App>, name: &FunctionId, container: &str) -> Result<(), EngineError> {
    match start::again(app, container).await {
        Err(error @ EngineError::Refused { .. }) => {
            app.troubles.cannot_start(container, error.to_string());
            tracing::warn!(function = %name, container, %error, "A container cannot be started.");
            Ok(())
        }
        other => other,
    }
}

/// One that answers at once is used at once; another is watched until it does.
async fn take_address(app: &Arc<App>, name: &FunctionId, replica: &Arc<Replica>, address: Option<SocketAddr>) {
    replica.set_upstream(None);
    if let Some(address) = address
        && let Some(function) = app.functions.get(name)
        && let Some(containers) = function.containers()
        && ready::ask_ready(address, &containers.settings.probes).await.is_ok()
    {
        app.troubles.answers(&replica.id);
        return replica.set_upstream(Some(Container::new(address)));
    }
    if replica.begin_watch() {
        app.tasks.spawn(watch(Arc::clone(app), name.clone(), Arc::clone(replica)));
    }
}

fn put(app: &App, name: &FunctionId, like: &Found, replicas: Vec<Arc<Replica>>, parked: Option<Arc<Replica>>) {
    let record = &like.record;
    app.namespaces.ensure(&name.namespace);
    let known = app.functions.get(name);
    app.quotas.note(name, Share::of(app, &record.spec, replicas.len()));
    app.functions.put(Arc::new(Function {
        id: name.clone(),
        created_at: created_at(record.generation),
        invocations: known.map(|known| Arc::clone(&known.invocations)).unwrap_or_default(),
        backend: Backend::Containers(Containers {
            spec: Arc::new(record.spec.clone()),
            settings: Arc::new(Settings::of_live(&record.spec)),
            generation: record.generation,
            image_id: record.image_id.clone(),
            secrets: record.secrets.clone(),
            replicas,
            parked,
        }),
    }));
}

/// Makes containers anew that somebody removed behind the gateway's back.
async fn restore(app: &Arc<App>, name: &FunctionId) -> Result<(), Problem> {
    let Some(function) = app.functions.get(name) else { return Ok(()) };
    let Some(containers) = function.containers() else { return Ok(()) };
    if let Some(parked) = &containers.parked {
        return restore_parked(app, &function, containers, parked).await;
    }
    let mut replicas = Vec::new();
    for replica in &containers.replicas {
        if replica.upstream().is_some() || app.engine.process(&replica.id).await?.is_some() {
            replicas.push(Arc::clone(replica));
            continue;
        }
        tracing::warn!(function = %name, container = replica.id, "A container vanished and is made anew.");
        let mut template = scale::again(app, name, containers)?;
        template.record = record_of(name, containers, replica.index);
        replicas.extend(start::committed(app, &template, replica.index..replica.index + 1).await?);
    }
    app.functions.put(function.with(Containers { replicas, ..containers.clone() }));
    Ok(())
}

/// A container that is made but not started keeps the record as well as a stopped one.
async fn restore_parked(
    app: &Arc<App>,
    function: &Function,
    containers: &Containers,
    parked: &Replica,
) -> Result<(), Problem> {
    if app.engine.process(&parked.id).await?.is_some() {
        return Ok(());
    }
    app.engine.ensure_network().await?;
    let template = scale::again(app, &function.id, containers)?;
    let id = app.engine.create(&template).await?;
    app.engine.keep_running(&id).await?;
    app.engine.cast(&id, &template.record, Role::Parked).await?;
    let parked = Some(Replica::new(id, template.record.index, None));
    app.functions.put(function.with(Containers { parked, ..containers.clone() }));
    Ok(())
}
