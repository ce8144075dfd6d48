//! The end of replicas that nothing new is sent to.

use std::sync::{Arc, PoisonError};

use tokio::time::timeout;

use crate::app::App;
use crate::functions::Replica;

/// Lets these replicas finish their requests, stops and removes them, while the caller goes on.
pub(super) fn in_background(app: &Arc<App>, replicas: impl Iterator<Item = Arc<Replica>>) {
    for replica in replicas {
        app.retiring.lock().unwrap_or_else(PoisonError::into_inner).insert(replica.id.clone());
        app.tasks.spawn(retire(Arc::clone(app), replica));
    }
}

async fn retire(app: Arc<App>, replica: Arc<Replica>) {
    drain(&app, &replica).await;
    let outcome = async {
        app.engine.stop(&replica.id).await?;
        app.engine.remove(&replica.id).await
    };
    if let Err(error) = outcome.await {
        tracing::warn!(container = replica.id, %error, "A replaced container is left behind for now.");
    }
    app.retiring.lock().unwrap_or_else(PoisonError::into_inner).remove(&replica.id);
}

/// Resolves when no request is in flight, or they had their time.
pub(super) async fn drain(app: &App, replica: &Replica) {
    replica.set_upstream(None);
    tokio::select! {
        () = app.shutdown.cancelled() => {}
        drained = timeout(app.config.drain_timeout, replica.idle()) => if drained.is_err() {
            tracing::warn!(container = replica.id, "Requests to a replaced container took too long and are cut off.");
        },
    }
}
