//! Looks at all functions again and again.

use std::sync::Arc;

use tokio::time::{MissedTickBehavior, interval};

use super::STEP;
use crate::app::App;

/// Looks between two measurements of the containers: the engine takes milliseconds for each.
const MEASURED: u32 = 4;

/// Until the shutdown.
pub(crate) async fn run(app: Arc<App>) {
    let mut tick = interval(STEP);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for look in 0_u32.. {
        tokio::select! {
            () = app.shutdown.cancelled() => return,
            _ = tick.tick() => {}
        }
        if look % MEASURED == 0 {
            // What it has begun to find is there at the next look.
            app.metrics.containers.latest(&app);
        }
        look_once(&app);
    }
}

fn look_once(app: &App) {
    let (step, functions) = (app.history.step(), app.functions.all());
    let mut kept = app.history.kept();
    if let Some((at, samples)) = app.metrics.containers.found_since(kept.uses.measured) {
        kept.uses.take(at, samples);
    }
    kept.look(step, &functions);
}
