//! More or fewer replicas of what is live.

use std::sync::Arc;

use super::{MAX_REPLICAS, check, ready, reconcile, record_of, retire, start};
use crate::app::App;
use crate::engine::{Role, Template};
use crate::functions::{Backend, Containers, Function, FunctionId, Replica};
use crate::problem::Problem;
use crate::quota::Share;
use crate::transit::Container;

/// Brings a function to this many replicas.
pub(crate) async fn scale(app: &Arc<App>, id: FunctionId, replicas: u64) -> Result<(), Problem> {
    if replicas > MAX_REPLICAS {
        return Err(Problem::Invalid(format!("a function can have at most {MAX_REPLICAS} replicas")));
    }
    let work = scale_now(Arc::clone(app), id, u32::try_from(replicas).unwrap_or(0), Reason::Asked);
    app.tasks.spawn(work).await.map_err(|_| Problem::ShuttingDown)?
}

/// Why a function is scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    /// Somebody wishes it.
    Asked,
    /// The load of this version was looked at.
    Load { generation: u64 },
}

impl Reason {
    /// Whether it still holds: another version may be live by now, or the function have got something to do.
    fn holds(self, containers: &Containers, wanted: u32) -> bool {
        match self {
            Self::Asked => true,
            Self::Load { generation } => {
                containers.generation == generation && (wanted > 0 || containers.in_flight() == 0)
            }
        }
    }
}

/// Like [`scale`] for the gateway itself, which looked at the load of this version.
pub(crate) async fn scale_by_itself(
    app: &Arc<App>,
    id: FunctionId,
    generation: u64,
    replicas: u32,
) -> Result<(), Problem> {
    let wanted = replicas.min(u32::try_from(MAX_REPLICAS).unwrap_or(u32::MAX));
    let work = scale_now(Arc::clone(app), id, wanted, Reason::Load { generation });
    app.tasks.spawn(work).await.map_err(|_| Problem::ShuttingDown)?
}

/// Brings a function at zero to one replica, and then, while the caller goes on, to as many as it has at least.
pub(crate) async fn wake(app: &Arc<App>, id: FunctionId) -> Result<(), Problem> {
    let work = wake_now(Arc::clone(app), id);
    app.tasks.spawn(work).await.map_err(|_| Problem::ShuttingDown)?
}

async fn wake_now(app: Arc<App>, id: FunctionId) -> Result<(), Problem> {
    let live = |app: &App| app.functions.get(&id).as_deref().and_then(Function::containers).cloned();
    if live(&app).is_some_and(|containers| containers.replicas.is_empty()) {
        scale_now(Arc::clone(&app), id.clone(), 1, Reason::Asked).await?;
    }
    let min = live(&app).map_or(1, |containers| containers.settings.scaling.min);
    if min > 1 {
        let id = id.clone();
        app.tasks.clone().spawn(async move {
            if let Err(error) = scale_now(app, id.clone(), min, Reason::Asked).await {
                tracing::warn!(function = %id, min, %error, "A function has fewer replicas than it should.");
            }
        });
    }
    Ok(())
}

async fn scale_now(app: Arc<App>, id: FunctionId, wanted: u32, reason: Reason) -> Result<(), Problem> {
    let _lock = app.lock(&id).await;
    reconcile::adopt(&app).await?;
    let missing = || Problem::Missing(format!("the function {id} is not deployed"));
    let function = app.functions.get(&id).ok_or_else(missing)?;
    let Backend::Containers(containers) = &function.backend else {
        return Err(Problem::Conflict(format!("the function {id} belongs to the platform and cannot be scaled")));
    };
    if !reason.holds(containers, wanted) {
        return Ok(());
    }
    let now = containers.replicas.len();
    let share = Share::of(&app, &containers.spec, wanted as usize);
    // What asks for no more than before is never refused, not even where the quota was lowered meanwhile.
    let taken = match wanted as usize > now {
        true => Some(app.quotas.take(&id, share, &app.quota(&id.namespace))?),
        false => None,
    };
    match wanted as usize {
        0 if containers.parked.is_none() => park(&app, &function, containers).await,
        wanted if wanted > now => grow(&app, &function, containers, wanted).await,
        wanted if wanted < now => shrink(&app, &function, containers, wanted).await,
        _ => Ok(()),
    }?;
    match taken {
        Some(taken) => taken.keep(),
        None => app.quotas.note(&id, share),
    }
    Ok(())
}

/// To zero: one container keeps the record, stopped. Its new name says so before anything else happens.
async fn park(app: &Arc<App>, function: &Function, containers: &Containers) -> Result<(), Problem> {
    let Some((keep, rest)) = containers.replicas.split_first() else { return Ok(()) };
    app.engine.cast(&keep.id, &record_of(&function.id, containers, keep.index), Role::Parked).await?;
    let parked = Containers { replicas: Vec::new(), parked: Some(Arc::clone(keep)), ..containers.clone() };
    app.functions.put(function.with(parked));
    retire::in_background(app, rest.iter().cloned());
    retire::drain(app, keep).await;
    app.engine.stop(&keep.id).await?;
    Ok(())
}

async fn grow(app: &Arc<App>, function: &Function, containers: &Containers, wanted: usize) -> Result<(), Problem> {
    let mut replicas = containers.replicas.clone();
    if let Some(parked) = &containers.parked {
        replicas.push(unpark(app, function, containers, parked).await?);
    }
    let current = Containers { replicas: replicas.clone(), parked: None, ..containers.clone() };
    app.functions.put(function.with(current.clone()));
    let more = u32::try_from(wanted.saturating_sub(replicas.len())).unwrap_or(0);
    if more > 0 {
        let first = replicas.iter().map(|replica| replica.index + 1).max().unwrap_or(0);
        let template = again(app, &function.id, containers)?;
        replicas.extend(start::committed(app, &template, first..first + more).await?);
        app.functions.put(function.with(Containers { replicas, ..current }));
    }
    Ok(())
}

async fn unpark(
    app: &Arc<App>,
    function: &Function,
    containers: &Containers,
    parked: &Replica,
) -> Result<Arc<Replica>, Problem> {
    // What guards the network may be gone since the function went to zero.
    app.engine.ensure_network().await?;
    start::again(app, &parked.id).await?;
    match ready::wait(app, &function.id, &parked.id, &containers.settings.probes).await {
        Ok(address) => {
            app.troubles.answers(&parked.id);
            app.engine.cast(&parked.id, &record_of(&function.id, containers, parked.index), Role::Live).await?;
            Ok(Replica::new(parked.id.clone(), parked.index, Some(Container::new(address))))
        }
        Err(problem) => {
            app.troubles.cannot_start(&parked.id, problem.to_string());
            app.engine.stop(&parked.id).await?;
            Err(problem)
        }
    }
}

async fn shrink(app: &Arc<App>, function: &Function, containers: &Containers, wanted: usize) -> Result<(), Problem> {
    let (stay, go) = containers.replicas.split_at(wanted);
    for replica in go {
        app.engine.cast(&replica.id, &record_of(&function.id, containers, replica.index), Role::Leaving).await?;
    }
    app.functions.put(function.with(Containers { replicas: stay.to_vec(), ..containers.clone() }));
    retire::in_background(app, go.iter().cloned());
    Ok(())
}

/// A template for more containers of the version that is live.
pub(super) fn again(app: &App, id: &FunctionId, containers: &Containers) -> Result<Template, Problem> {
    let record = record_of(id, containers, 0);
    let mut template = check::template(app, record.spec.clone())?;
    // The secrets' stamp stays that of the live version, so that a change of them still counts as one.
    template.record = record;
    Ok(template)
}
