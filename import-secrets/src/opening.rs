//! Opening many values at once: two milliseconds of arithmetic each, on threads that may block.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use sealed_secrets::Keyring;
use tokio::sync::Semaphore;

use crate::backend::{Candidate, Unopenable, Value};
use crate::keys::Keys;

/// After so many that do not open, the rest is not tried: each costs as many tries as there are keys, three times over.
const MAX_FAILURES: usize = 8;

/// A value that was opened.
pub(crate) struct OpenValue {
    pub(crate) value: Value,
    pub(crate) fingerprint: String,
}

/// What became of one candidate's wanted keys.
pub(crate) type Outcome = Result<BTreeMap<String, OpenValue>, Unopenable>;

/// Opens values, on all processors together at most as many at once as there are processors.
#[derive(Clone)]
pub(crate) struct Opener {
    keys: Keys,
    namespace: Arc<str>,
    at_once: usize,
    places: Arc<Semaphore>,
}

/// The work of one call.
struct Work {
    ring: Arc<Keyring>,
    namespace: Arc<str>,
    /// Each wanted value: its candidate's number, and its key.
    values: Vec<(usize, String)>,
    candidates: Vec<Candidate>,
    next: AtomicUsize,
    failures: AtomicUsize,
}

/// A value's candidate's number, its key, and what was in it.
type Part = (usize, String, Result<OpenValue, String>);

impl Opener {
    /// An opener for the secrets of a namespace.
    pub(crate) fn new(keys: Keys, namespace: &str) -> Self {
        let at_once = std::thread::available_parallelism().map_or(1, usize::from);
        Self { keys, namespace: namespace.into(), at_once, places: Arc::new(Semaphore::new(at_once)) }
    }

    /// The keys it opens with.
    pub(crate) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Opens the wanted keys of each; one outcome for each, in their order. `None` where a thread failed.
    pub(crate) async fn open(&self, candidates: Vec<Candidate>) -> Option<Vec<Outcome>> {
        let wanted = candidates.iter().enumerate();
        let values: Vec<_> =
            wanted.flat_map(|(at, candidate)| candidate.wanted.iter().map(move |key| (at, key.clone()))).collect();
        let workers = self.at_once.min(values.len());
        let keys = self.keys.clone();
        let ring = tokio::task::spawn_blocking(move || keys.ring()).await.ok()?;
        let work = Arc::new(Work {
            ring,
            namespace: Arc::clone(&self.namespace),
            values,
            candidates,
            next: AtomicUsize::new(0),
            failures: AtomicUsize::new(0),
        });
        let mut running = Vec::new();
        for _ in 0..workers {
            let place = Arc::clone(&self.places).acquire_owned().await.ok()?;
            let work = Arc::clone(&work);
            running.push(tokio::task::spawn_blocking(move || {
                let _place = place;
                work.run()
            }));
        }
        let mut parts = Vec::new();
        for worker in running {
            parts.extend(worker.await.ok()?);
        }
        Some(work.collect(parts))
    }
}

impl Work {
    fn run(&self) -> Vec<Part> {
        let mut parts = Vec::new();
        while self.failures.load(Ordering::Relaxed) < MAX_FAILURES {
            let Some((at, key)) = self.values.get(self.next.fetch_add(1, Ordering::Relaxed)) else { break };
            parts.push((*at, key.clone(), self.one(*at, key)));
        }
        parts
    }

    fn one(&self, at: usize, key: &str) -> Result<OpenValue, String> {
        let candidate = self.candidates.get(at);
        let sealed = candidate.and_then(|candidate| Some((candidate, candidate.sealed.get(key)?)));
        let Some((candidate, sealed)) = sealed else { return Err("it is not there".to_owned()) };
        let opened = self.ring.open(&self.namespace, &candidate.name, sealed).map_err(|error| {
            self.failures.fetch_add(1, Ordering::Relaxed);
            error.to_string()
        })?;
        Ok(OpenValue { value: opened.value, fingerprint: opened.fingerprint })
    }

    fn collect(&self, parts: Vec<Part>) -> Vec<Outcome> {
        let mut outcomes: Vec<Outcome> = self.candidates.iter().map(|_| Ok(BTreeMap::new())).collect();
        for (at, key, part) in parts {
            let (Some(outcome), Some(candidate)) = (outcomes.get_mut(at), self.candidates.get(at)) else { continue };
            match part {
                Ok(value) => {
                    if let Ok(values) = outcome {
                        values.insert(key, value);
                    }
                }
                Err(why) if outcome.is_ok() => {
                    *outcome = Err(Unopenable { name: candidate.name.clone(), key: Some(key), why });
                }
                Err(_) => {}
            }
        }
        for (outcome, candidate) in outcomes.iter_mut().zip(&self.candidates) {
            if outcome.as_ref().is_ok_and(|values| values.len() < candidate.wanted.len()) {
                let why = "it was not tried, since several others do not open".to_owned();
                *outcome = Err(Unopenable { name: candidate.name.clone(), key: None, why });
            }
        }
        outcomes
    }
}
