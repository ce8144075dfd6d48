//! Taking a function away.

use std::sync::Arc;

use super::{reconcile, record_of, retire};
use crate::app::App;
use crate::engine::Role;
use crate::functions::FunctionId;
use crate::problem::Problem;

/// Removes a function. When this returns, it stays removed whatever happens; its containers end in the background.
pub(crate) async fn remove(app: &Arc<App>, id: FunctionId) -> Result<(), Problem> {
    let work = remove_now(Arc::clone(app), id);
    app.tasks.spawn(work).await.map_err(|_| Problem::ShuttingDown)?
}

async fn remove_now(app: Arc<App>, id: FunctionId) -> Result<(), Problem> {
    let _lock = app.lock(&id).await;
    let missing = || Problem::Missing(format!("the function {id} is not deployed"));
    let platforms = || Problem::Conflict(format!("the function {id} belongs to the platform and cannot be removed"));
    if app.functions.get(&id).is_some_and(|function| function.containers().is_none()) {
        // That is known without the engine.
        return Err(platforms());
    }
    // Also for one that is known already: what is being taken over may be made anew at this moment.
    reconcile::adopt(&app).await?;
    let function = app.functions.get(&id).ok_or_else(missing)?;
    let containers = function.containers().ok_or_else(platforms)?;
    for replica in containers.everyone() {
        let record = record_of(&id, containers, replica.index);
        match app.engine.cast(&replica.id, &record, Role::Leaving).await {
            Err(error) if !error.is_missing() => return Err(error.into()),
            _ => {}
        }
    }
    app.functions.remove(&id);
    app.quotas.give_back(&id);
    retire::in_background(&app, containers.everyone().cloned());
    tracing::info!(function = %id, "A function was removed.");
    Ok(())
}
