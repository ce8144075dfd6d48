//! Taking a function away.

use std::sync::Arc;

use super::{reconcile, record_of, retire};
use crate::app::App;
use crate::engine::Role;
use crate::functions::Backend;
use crate::problem::Problem;

/// Removes a function. When this returns, it stays removed whatever happens; its containers end in the background.
pub(crate) async fn remove(app: &Arc<App>, name: String) -> Result<(), Problem> {
    let work = remove_now(Arc::clone(app), name);
    app.tasks.spawn(work).await.map_err(|_| Problem::ShuttingDown)?
}

async fn remove_now(app: Arc<App>, name: String) -> Result<(), Problem> {
    let _lock = app.lock(&name).await;
    let missing = || Problem::Missing(format!("the function {name} is not deployed"));
    if app.functions.get(&name).is_none() {
        reconcile::adopt(&app).await?;
    }
    let function = app.functions.get(&name).ok_or_else(missing)?;
    let Backend::Containers(containers) = &function.backend else {
        return Err(Problem::Conflict(format!("the function {name} belongs to the platform and cannot be removed")));
    };
    for replica in containers.everyone() {
        let record = record_of(&name, containers, replica.index);
        match app.engine.cast(&replica.id, &record, Role::Leaving).await {
            Err(error) if !error.is_missing() => return Err(error.into()),
            _ => {}
        }
    }
    app.functions.remove(&name);
    retire::in_background(&app, containers.everyone().cloned());
    tracing::info!(function = name, "A function was removed.");
    Ok(())
}
