//! Bringing up containers of one version.

use std::ops::Range;
use std::sync::Arc;

use futures_util::future::join_all;

use super::ready;
use crate::app::App;
use crate::engine::{EngineError, Role, Template};
use crate::functions::{Replica, Settings};
use crate::invoke::Chain;
use crate::problem::Problem;
use crate::rollout::NotReady;
use crate::transit::Container;

/// Starts replicas with these indexes, waits until all are ready and commits them; all or none.
pub(super) async fn committed(
    app: &App,
    template: &Template,
    indexes: Range<u32>,
) -> Result<Vec<Arc<Replica>>, Problem> {
    app.engine.ensure_network().await?;
    let each = indexes.map(|index| one(app, template, index));
    let (mut up, mut failed) = (Vec::new(), None);
    for outcome in join_all(each).await {
        match outcome {
            Ok(replica) => up.push(replica),
            Err(problem) => failed = failed.or(Some(problem)),
        }
    }
    if failed.is_none() {
        failed = commit(app, template, &up).await.err().map(Problem::from);
    }
    let Some(problem) = failed else { return Ok(up) };
    for replica in up {
        discard(app, &replica.id).await;
    }
    Err(problem)
}

async fn one(app: &App, template: &Template, index: u32) -> Result<Arc<Replica>, Problem> {
    let mut template = template.clone();
    template.record.index = index;
    let id = app.engine.create(&template).await?;
    match bring_up(app, &template, &id).await {
        Ok(upstream) => Ok(Replica::new(id, index, Some(upstream))),
        Err(problem) => {
            discard(app, &id).await;
            Err(problem)
        }
    }
}

async fn bring_up(app: &App, template: &Template, id: &str) -> Result<Arc<Container>, Problem> {
    let function = &template.record.function;
    let probes = Settings::of_live(&template.record.spec).probes.clone();
    app.engine.start(id).await.map_err(|error| match error {
        // For example a command that is not in the image.
        EngineError::Refused { message, .. } => {
            let reason = format!("cannot be started: {message}");
            Problem::NotReady(NotReady { function: function.clone(), reason, lines: Vec::new() })
        }
        other => other.into(),
    })?;
    Ok(Container::new(ready::wait(app, function, id, &probes).await?))
}

/// Starts a container of before. The files of its secrets may be gone since.
pub(super) async fn again(app: &Arc<App>, id: &str) -> Result<(), EngineError> {
    restore_secrets(app).await;
    app.engine.start(id).await.map_err(EngineError::at_start)
}

/// Files are read and written, so this happens off the threads that serve. Containers without secrets need none.
pub(super) async fn restore_secrets(app: &Arc<App>) {
    let owned = Arc::clone(app);
    if let Ok(Err(error)) = tokio::task::spawn_blocking(move || owned.secrets.restore()).await {
        tracing::error!(error = %Chain(&error), "Secrets cannot be put where functions see them.");
    }
}

/// The new name is what makes a container live, so it comes last.
async fn commit(app: &App, template: &Template, up: &[Arc<Replica>]) -> Result<(), EngineError> {
    for replica in up {
        app.engine.keep_running(&replica.id).await?;
        let mut record = template.record.clone();
        record.index = replica.index;
        app.engine.cast(&replica.id, &record, Role::Live).await?;
    }
    Ok(())
}

/// What cannot be removed now is removed at the next look through the engine, by its name.
async fn discard(app: &App, id: &str) {
    if let Err(error) = app.engine.remove(id).await {
        tracing::warn!(container = id, %error, "A container that never became live is left behind for now.");
    }
}
