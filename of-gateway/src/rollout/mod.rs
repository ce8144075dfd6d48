//! Changes of what runs: a new version starts beside the old one, takes its place once it is ready, and only then
//! does the old one go. Killed at any moment, the gateway finds a state that [`reconcile`] brings to exactly one
//! version.

mod check;
pub(crate) mod health;
mod probe;
mod ready;
pub(crate) mod reconcile;
mod remove;
mod retire;
mod scale;
mod start;
mod trouble;
mod watch;

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use queue::now_ms;
use sdk::gateway::FunctionDeployment;
use sdk::labels;

pub(crate) use self::probe::Probes;
pub(crate) use self::ready::NotReady;
pub(crate) use self::remove::remove;
pub(crate) use self::scale::{scale, scale_by_itself, wake};
pub(crate) use self::trouble::Troubles;

use crate::app::App;
use crate::engine::Record;
use crate::functions::{Backend, Containers, Function, FunctionId, Replica, Settings};
use crate::namespaces::Stay;
use crate::problem::Problem;
use crate::quota::Share;

/// Labels that say how many replicas there are at least.
const SCALE_MIN: &str = "com.openfaas.scale.min";
/// Replicas one function may have.
pub(crate) const MAX_REPLICAS: u64 = 32;

/// Whether a deployment may make a function that is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    CreateOrUpdate,
    Update,
}

/// Deploys a function. Goes on to the end even if the caller leaves, so that nothing is left half done.
pub(crate) async fn deploy(app: &Arc<App>, spec: FunctionDeployment, mode: Mode) -> Result<(), Problem> {
    let work = deploy_now(Arc::clone(app), spec, mode);
    app.tasks.spawn(work).await.map_err(|_| Problem::ShuttingDown)?
}

async fn deploy_now(app: Arc<App>, spec: FunctionDeployment, mode: Mode) -> Result<(), Problem> {
    let mut template = check::template(&app, spec)?;
    check::bounded(&app, &template)?;
    let id = template.record.function.clone();
    let _stay = Stay::begin(&app, &id.namespace)?;
    let _turn = app.deployments.lock(&id).await;
    not_of_the_platform(&app, &id)?;
    reconcile::adopt(&app).await?;
    may_replace(app.functions.get(&id).as_deref(), &template.record.spec, &id, mode)?;
    // A pull may take minutes, in which the function is to be scaled, woken and helped as ever.
    template.record.image_id = app.engine.resolve_image(&template.record.spec.image).await?;
    let _lock = app.lock(&id).await;
    let existing = app.functions.get(&id);
    may_replace(existing.as_deref(), &template.record.spec, &id, mode)?;
    let old = existing.as_deref().and_then(Function::containers);
    if old.is_some_and(|old| is_same(old, &template.record)) {
        tracing::info!(function = %id, "A deployment changes nothing.");
        return Ok(());
    }
    template.record.generation = generation(old);
    let wanted = wanted(old, &template.record.spec);
    let share = Share::of(&app, &template.record.spec, wanted as usize);
    let taken = app.quotas.take(&id, share, &app.quota(&id.namespace))?;
    let replicas = start::committed(&app, &template, 0..wanted).await?;
    taken.keep();
    publish(&app, existing.as_ref(), &template.record, replicas);
    if let Some(old) = old {
        retire::in_background(&app, old.everyone().cloned());
    }
    tracing::info!(function = %id, generation = template.record.generation, "A new version is live.");
    Ok(())
}

/// That is known without the engine.
fn not_of_the_platform(app: &App, id: &FunctionId) -> Result<(), Problem> {
    match app.functions.get(id).as_deref().map(|existing| &existing.backend) {
        Some(Backend::Platform(_)) => {
            Err(Problem::Conflict(format!("the name {id} belongs to a function of the platform")))
        }
        _ => Ok(()),
    }
}

/// A name that somebody else holds is a conflict, never an overwrite.
fn may_replace(
    existing: Option<&Function>,
    spec: &FunctionDeployment,
    id: &FunctionId,
    mode: Mode,
) -> Result<(), Problem> {
    match existing.map(|existing| &existing.backend) {
        None if mode == Mode::Update => Err(Problem::Missing(format!("the function {id} is not deployed"))),
        Some(Backend::Containers(old)) if owner(&old.spec.labels) != owner(&spec.labels) => {
            Err(Problem::Conflict(format!("the name {id} belongs to a function of another owner")))
        }
        _ => Ok(()),
    }
}

fn owner(labels: &BTreeMap<String, String>) -> (Option<&String>, Option<&String>) {
    (labels.get(labels::GIT_SCM), labels.get(labels::GIT_OWNER_ID))
}

/// The same settings, the same image behind its name, the same secrets, and it works.
fn is_same(old: &Containers, new: &Record) -> bool {
    let works = old.parked.is_some() || old.available() > 0;
    works && *old.spec == new.spec && old.image_id == new.image_id && old.secrets == new.secrets
}

/// The time of the deployment, but always later than the version before.
fn generation(old: Option<&Containers>) -> u64 {
    now_ms().unsigned_abs().max(old.map_or(0, |old| old.generation + 1))
}

/// As many replicas as before, and as the function's label asks for.
fn wanted(old: Option<&Containers>, spec: &FunctionDeployment) -> u32 {
    let min: u64 = spec.labels.get(SCALE_MIN).and_then(|text| text.parse().ok()).unwrap_or(1);
    let before = old.map_or(1, |old| old.replicas.len() as u64);
    u32::try_from(min.max(before).clamp(1, MAX_REPLICAS)).unwrap_or(1)
}

fn publish(app: &App, existing: Option<&Arc<Function>>, record: &Record, replicas: Vec<Arc<Replica>>) {
    let containers = Containers {
        spec: Arc::new(record.spec.clone()),
        settings: Arc::new(Settings::of_live(&record.spec)),
        generation: record.generation,
        image_id: record.image_id.clone(),
        secrets: record.secrets.clone(),
        replicas,
        parked: None,
    };
    app.functions.put(Arc::new(Function {
        id: record.function.clone(),
        created_at: created_at(record.generation),
        backend: Backend::Containers(containers),
        invocations: existing.map(|existing| Arc::clone(&existing.invocations)).unwrap_or_default(),
    }));
}

fn created_at(generation: u64) -> DateTime<Utc> {
    i64::try_from(generation).ok().and_then(DateTime::from_timestamp_millis).unwrap_or_default()
}

/// The record of one replica of what is live.
fn record_of(function: &FunctionId, containers: &Containers, index: u32) -> Record {
    Record {
        function: function.clone(),
        generation: containers.generation,
        index,
        spec: FunctionDeployment::clone(&containers.spec),
        image_id: containers.image_id.clone(),
        secrets: containers.secrets.clone(),
    }
}
