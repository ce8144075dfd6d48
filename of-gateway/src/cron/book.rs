//! When which function was called last, over restarts, and which is due.

use std::collections::{BTreeMap, HashMap};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::schedule::{Schedule, text};
use crate::functions::FunctionId;

const FILE: &str = "cron.json";
/// A run that is so late is on time: the clock is looked at once a minute.
const ON_TIME: TimeDelta = TimeDelta::seconds(90);
/// A time so far ahead was written when the clock was wrong.
const AHEAD: TimeDelta = TimeDelta::minutes(2);

/// What is remembered of a function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    /// Another schedule begins anew.
    schedule: String,
    last: DateTime<Utc>,
}

/// A function as it is deployed now.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    pub(super) id: FunctionId,
    pub(super) annotations: BTreeMap<String, String>,
    /// When this version was deployed: nothing before that is due.
    pub(super) since: DateTime<Utc>,
}

/// A function that is to be called, and the time that it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) id: FunctionId,
    pub(super) at: DateTime<Utc>,
    schedule: String,
}

pub(super) struct Book {
    file: PathBuf,
    entries: BTreeMap<String, Entry>,
    /// Read schedules, by what is written.
    schedules: HashMap<String, Option<Arc<Schedule>>>,
    /// Older runs are not made up.
    window: TimeDelta,
    changed: bool,
}

impl Book {
    /// Reads the file, if there is one. A damaged one is put aside: to run nothing any more would be worse than to
    /// make one missed run up too much.
    pub(super) fn open(data_dir: &Path, window: std::time::Duration) -> Self {
        let file = data_dir.join(FILE);
        let entries = match std::fs::read(&file).map(|bytes| serde_json::from_slice(&bytes)) {
            Ok(Ok(entries)) => entries,
            Ok(Err(error)) => {
                let aside = file.with_extension("json.damaged");
                let (file, aside_name) = (file.display(), aside.display());
                tracing::error!(%file, %error, "The times of the last runs cannot be read; the file is put aside as {aside_name}.");
                let _ = std::fs::rename(data_dir.join(FILE), &aside);
                BTreeMap::new()
            }
            Err(error) => {
                if error.kind() != std::io::ErrorKind::NotFound {
                    tracing::error!(file = %file.display(), %error, "The times of the last runs cannot be read.");
                }
                BTreeMap::new()
            }
        };
        let window = TimeDelta::from_std(window).unwrap_or(TimeDelta::MAX).max(ON_TIME);
        Self { file, entries, schedules: HashMap::new(), window, changed: false }
    }

    /// What is due now: of each function at most the latest run.
    pub(super) fn due(&mut self, now: DateTime<Utc>, candidates: &[Candidate]) -> Vec<Run> {
        candidates.iter().filter_map(|candidate| self.due_of(now, candidate)).collect()
    }

    fn due_of(&mut self, now: DateTime<Utc>, candidate: &Candidate) -> Option<Run> {
        let text = text(&candidate.annotations).ok().flatten()?;
        let at = self.schedule(text, candidate)?.latest(now)?;
        let known = self.entries.get(&candidate.id.to_string()).filter(|entry| entry.schedule == text);
        let mut last = known.map_or(candidate.since, |entry| entry.last);
        let run = Run { id: candidate.id.clone(), at, schedule: text.to_owned() };
        if last > now + AHEAD {
            tracing::warn!(function = %candidate.id, %last, "The last run is ahead of the clock, which was put back.");
            last = now;
            self.done(&Run { at: now, ..run.clone() });
        }
        if at <= last {
            return None;
        }
        if now - at > self.window {
            tracing::warn!(function = %candidate.id, %at, "A run was missed, too long ago to make it up.");
            self.done(&run);
            return None;
        }
        if now - at > ON_TIME {
            tracing::info!(function = %candidate.id, %at, "A run was missed and is made up.");
        }
        Some(run)
    }

    /// What cannot be read is said once.
    fn schedule(&mut self, text: &str, candidate: &Candidate) -> Option<Arc<Schedule>> {
        if let Some(known) = self.schedules.get(text) {
            return known.clone();
        }
        let schedule = Schedule::of(&candidate.annotations).unwrap_or_else(|sentence| {
            tracing::warn!(function = %candidate.id, sentence, "A function is not called at its times.");
            None
        });
        let schedule = schedule.map(Arc::new);
        self.schedules.insert(text.to_owned(), schedule.clone());
        schedule
    }

    /// A run is queued.
    pub(super) fn done(&mut self, run: &Run) {
        let entry = Entry { schedule: run.schedule.clone(), last: run.at };
        self.entries.insert(run.id.to_string(), entry);
        self.changed = true;
    }

    /// Forgets functions that are not there any more. To be called only when all that are there are known.
    pub(super) fn forget_others(&mut self, candidates: &[Candidate]) {
        let before = self.entries.len();
        let there: std::collections::HashSet<String> = candidates.iter().map(|one| one.id.to_string()).collect();
        self.entries.retain(|name, _| there.contains(name));
        self.changed |= self.entries.len() != before;
        let used: std::collections::HashSet<&str> =
            candidates.iter().filter_map(|one| text(&one.annotations).ok().flatten()).collect();
        self.schedules.retain(|schedule, _| used.contains(schedule.as_str()));
    }

    /// What is to be written, if there is something new.
    pub(super) fn changed_page(&mut self) -> Option<Page> {
        let bytes = std::mem::take(&mut self.changed).then(|| serde_json::to_vec_pretty(&self.entries).ok())??;
        Some(Page { file: self.file.clone(), bytes })
    }

    /// A page that was asked for did not get onto the disk.
    pub(super) fn is_unwritten(&mut self) {
        self.changed = true;
    }
}

/// What the file is to hold.
pub(super) struct Page {
    file: PathBuf,
    bytes: Vec<u8>,
}

impl Page {
    /// Afterwards it is on the disk. May block.
    pub(super) fn write(&self) -> std::io::Result<()> {
        let dir = self.file.parent().unwrap_or(Path::new("."));
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        file.write_all(&self.bytes)?;
        file.as_file().sync_all()?;
        file.persist(&self.file)?;
        std::fs::File::open(dir)?.sync_all()
    }
}

#[cfg(test)]
mod tests;
