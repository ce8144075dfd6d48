//! Waiting for a live container to come back.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;

use super::ready;
use crate::app::App;
use crate::engine::EngineError;
use crate::functions::{Function, FunctionId, Replica};
use crate::transit;

/// How long a container that runs may take to answer before it is looked at anew.
const ANSWER: Duration = Duration::from_secs(120);
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Watches until the replica answers or is not live any more. The engine restarts what crashed; what somebody
/// stopped behind the gateway's back is started here.
pub(super) async fn watch(app: Arc<App>, function: FunctionId, replica: Arc<Replica>) {
    let mut pause = FIRST_PAUSE;
    while is_live(&app, &function, &replica) {
        let address = tokio::select! {
            () = app.shutdown.cancelled() => return,
            address = ready::wait_again(&app.engine, &replica.id, ANSWER) => address,
        };
        if let Some(address) = address {
            replica.end_watch();
            return replica.set_upstream(Some(transit::container(address)));
        }
        sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
        match wake(&app, &replica).await {
            Ok(true) => {}
            // Removed altogether: the next look makes a new one.
            Ok(false) => break,
            Err(error) => tracing::warn!(%function, container = replica.id, %error, "A container cannot be restarted."),
        }
    }
    replica.end_watch();
}

/// Starts a container that is stopped; `false` if there is none.
async fn wake(app: &App, replica: &Replica) -> Result<bool, EngineError> {
    let Some(process) = app.engine.process(&replica.id).await? else { return Ok(false) };
    if process.stopped {
        app.engine.start(&replica.id).await?;
    }
    Ok(true)
}

fn is_live(app: &App, function: &FunctionId, replica: &Arc<Replica>) -> bool {
    let function = app.functions.get(function);
    let containers = function.as_deref().and_then(Function::containers);
    containers.is_some_and(|containers| containers.replicas.iter().any(|live| live.id == replica.id))
}
