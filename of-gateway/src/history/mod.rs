//! What the functions did in the last day, in memory: calls by code, how long they took, replicas, memory, processors.
//!
//! A call knows nothing of it: every [`STEP`] the counters that there are anyway are read, and the difference is written
//! into two rings of packed bytes, one of steps for an hour and one of [`COARSE`] steps for a day. A step in which
//! nothing changed takes no room. All rings together have [`ROOM`]; where many functions share it, those with the
//! longest records keep less than a day. A history ends with its function: whoever has the name next begins anew.
//!
//! A file was the other choice. It would have outlived a restart, and would be one more thing to keep in order; whoever
//! wants more than a day has a Prometheus.

mod calls;
mod figures;
mod quantiles;
mod record;
mod ring;
mod run;
#[cfg(test)]
mod tests;
mod track;
mod uses;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use sdk::metrics::{Figures, MetricsAnswer, Source, Window};

use self::figures::Span;
pub(crate) use self::run::run;
use self::track::Track;
use self::uses::Uses;
use crate::functions::{Function, FunctionId};

/// Between two looks.
const STEP: Duration = Duration::from_secs(15);
/// Steps in an hour: for so long each is kept by itself.
const HOUR: u32 = 240;
/// Steps that make one of the day's.
const COARSE: u32 = 24;
/// Steps in a day.
const DAY: u32 = 24 * HOUR;
/// For the rings of all functions, in bytes.
const ROOM: usize = 14 << 20;
/// One ring needs no more, in bytes.
const MOST_ROOM: usize = 64 << 10;
/// With more functions than these others count better; those beyond have no history.
const MOST_FUNCTIONS: usize = 10_000;

/// The history of all functions since the gateway's start.
pub(crate) struct History {
    began: Instant,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    tracks: HashMap<FunctionId, Track>,
    uses: Uses,
}

impl History {
    /// One that begins now.
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), kept: Mutex::default() }
    }

    /// How these functions did, those of them that there are, each under the name that is given for it.
    pub(crate) fn answer(&self, functions: &[(String, Arc<Function>)], window: Window, points: usize) -> MetricsAnswer {
        let until = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let now = self.began.elapsed().as_secs();
        let span = Span { now, until, window: window.seconds(), points };
        let kept = self.kept();
        let figures = functions.iter().map(|(name, function)| (name.clone(), kept.figures(function, &span)));
        let functions = figures.collect();
        MetricsAnswer { source: Source::Gateway, since: span.since(), until, functions }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Steps since the beginning.
    fn step(&self) -> u32 {
        u32::try_from(self.began.elapsed().as_secs() / STEP.as_secs()).unwrap_or(u32::MAX)
    }
}

impl Kept {
    /// Writes down what each function did since the last look.
    fn look(&mut self, step: u32, functions: &[Arc<Function>]) {
        let there: HashMap<_, _> = functions.iter().map(|function| (&function.id, function)).collect();
        self.tracks.retain(|id, track| there.get(id).is_some_and(|function| track.is_of(&function.invocations)));
        let room = room(functions.len());
        for function in functions.iter().take(MOST_FUNCTIONS) {
            let gauges = self.uses.gauges(function);
            let track = self.tracks.entry(function.id.clone());
            track.or_insert_with(|| Track::new(&function.invocations, step)).look(step, gauges, room);
        }
    }

    /// Of a function that no look has seen yet, all calls were since the last look.
    fn figures(&self, function: &Function, span: &Span) -> Figures {
        let gauges = self.uses.gauges(function);
        match self.tracks.get(&function.id).filter(|track| track.is_of(&function.invocations)) {
            Some(track) => track.figures(span, gauges),
            None => Track::new(&function.invocations, span.step()).figures(span, gauges),
        }
    }
}

/// What one ring of so many functions may take.
fn room(functions: usize) -> usize {
    (ROOM / 2 / functions.clamp(1, MOST_FUNCTIONS)).min(MOST_ROOM)
}
