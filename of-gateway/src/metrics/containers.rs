//! Figures of the functions' containers. Asking the engine takes milliseconds for each, so that is done beside the
//! scrapes, which show what was found last.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use tokio::time::timeout;

use crate::app::App;
use crate::engine::Figures;
use crate::functions::FunctionId;

/// Figures older than this are asked for anew.
const FRESH: Duration = Duration::from_secs(10);
/// An engine that takes longer for all of them is busy with other things.
const PATIENCE: Duration = Duration::from_secs(10);
const PARALLEL: usize = 4;
/// Containers looked at; with more of them others measure better.
const MOST: usize = 500;
/// As in logs, an instance is named by the beginning of its container's id.
const INSTANCE: usize = 12;

/// What one container has used.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    pub(crate) function: FunctionId,
    pub(crate) instance: String,
    pub(crate) figures: Figures,
}

#[derive(Default)]
pub(crate) struct Sampler(Mutex<State>);

#[derive(Default)]
struct State {
    begun: Option<Instant>,
    /// When `latest` was found.
    found: Option<Instant>,
    latest: Vec<Sample>,
}

impl Sampler {
    /// What was found last. Has it looked for anew if that is a while ago.
    pub(crate) fn latest(&self, app: &Arc<App>) -> Vec<Sample> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.begun.is_none_or(|begun| begun.elapsed() > FRESH) {
            state.begun = Some(Instant::now());
            let app = Arc::clone(app);
            tokio::spawn(async move {
                tokio::select! {
                    () = app.shutdown.cancelled() => {}
                    found = timeout(PATIENCE, look(&app)) => {
                        let mut state = app.metrics.containers.0.lock().unwrap_or_else(PoisonError::into_inner);
                        state.latest = found.unwrap_or_default();
                        state.found = Some(Instant::now());
                    }
                }
            });
        }
        state.latest.clone()
    }

    /// What was found last and when, if it was found after that moment. Looks for nothing.
    pub(crate) fn found_since(&self, then: Option<Instant>) -> Option<(Instant, Vec<Sample>)> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = state.found.filter(|found| then.is_none_or(|then| *found > then))?;
        Some((found, state.latest.clone()))
    }
}

async fn look(app: &App) -> Vec<Sample> {
    let mut wanted = Vec::new();
    for function in app.functions.all() {
        let running = function.containers().into_iter().flat_map(|containers| &containers.replicas);
        wanted.extend(running.map(|replica| (function.id.clone(), replica.id.clone())));
    }
    let asked = stream::iter(wanted.into_iter().take(MOST)).map(|(function, id)| async move {
        let figures = app.engine.figures(&id).await.ok().flatten()?;
        Some(Sample { function, instance: id.chars().take(INSTANCE).collect(), figures })
    });
    asked.buffer_unordered(PARALLEL).filter_map(std::future::ready).collect().await
}
