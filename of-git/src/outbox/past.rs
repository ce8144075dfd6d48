//! Webhooks that were sent, kept for a while so that they can be looked at and sent again.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::delivery::{Delivery, Outcome};
use crate::atomic_file;

/// How many webhooks are kept at most.
const KEPT: usize = 1000;
/// How long each is kept; GitHub's time.
const KEPT_FOR: TimeDelta = TimeDelta::days(3);
/// How many tries of one are kept.
const MAX_TRIES: usize = 20;
/// Old ones are looked for after so many new ones.
const PRUNE_EVERY: usize = 50;

/// A webhook and the tries to send it, oldest first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) delivery: Delivery,
    pub(crate) tries: Vec<Outcome>,
}

/// The folder of them.
#[derive(Debug)]
pub(super) struct Past {
    folder: PathBuf,
    kept: AtomicUsize,
}

impl Past {
    pub(super) fn open(folder: PathBuf) -> io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        prune(&folder, Utc::now())?;
        Ok(Self { folder, kept: AtomicUsize::new(0) })
    }

    /// Adds a try.
    pub(super) fn keep(&self, delivery: &Delivery, outcome: Outcome) -> io::Result<()> {
        let file = self.folder.join(format!("{}.json", delivery.id));
        let known = read(&file)?;
        let mut record = known.unwrap_or_else(|| Record { delivery: delivery.clone(), tries: Vec::new() });
        record.tries.push(outcome);
        let surplus = record.tries.len().saturating_sub(MAX_TRIES);
        record.tries.drain(..surplus);
        atomic_file::replace(&file, &serde_json::to_vec(&record)?)?;
        if self.kept.fetch_add(1, Ordering::Relaxed) % PRUNE_EVERY == PRUNE_EVERY - 1 {
            prune(&self.folder, Utc::now())?;
        }
        Ok(())
    }

    /// All of them.
    pub(super) fn all(&self) -> io::Result<Vec<Record>> {
        let mut found = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                // Another one may be pruning.
                found.extend(read(&path)?);
            }
        }
        Ok(found)
    }
}

/// A damaged record is nobody's loss: it was sent.
fn read(file: &Path) -> io::Result<Option<Record>> {
    match std::fs::read(file) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).ok()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Removes what is old, and all but the newest.
fn prune(folder: &Path, now: DateTime<Utc>) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        files.push((entry.metadata()?.modified()?, entry.path()));
    }
    files.sort();
    let oldest = std::time::SystemTime::from(now - KEPT_FOR);
    let surplus = files.len().saturating_sub(KEPT);
    let gone = files.iter().enumerate().filter(|(index, (written, _))| *index < surplus || *written < oldest);
    gone.map(|(_, (_, path))| path).try_for_each(std::fs::remove_file)
}

/// The tries of all records, newest first, each with its webhook.
pub(super) fn newest_first(records: Vec<Record>) -> Vec<(Delivery, Outcome)> {
    let tries = records
        .into_iter()
        .flat_map(|Record { delivery, tries }| tries.into_iter().map(move |outcome| (delivery.clone(), outcome)));
    let mut all: Vec<_> = tries.collect();
    all.sort_by_key(|(_, outcome)| std::cmp::Reverse(outcome.id));
    all
}

/// The webhook that a try was about.
pub(super) fn delivery_of(records: Vec<Record>, id: u64) -> Option<Delivery> {
    records.into_iter().find(|record| record.tries.iter().any(|outcome| outcome.id == id)).map(|record| record.delivery)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(id: u64, code: u16) -> Outcome {
        Outcome { id, at: Utc::now(), code, seconds: 0.1, redelivery: false, answer: String::new() }
    }

    #[test]
    fn tries_are_kept_with_their_webhook_and_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let past = Past::open(folder.path().join("past")).unwrap();
        let one = Delivery::new("push", &serde_json::json!({"repository": {"id": 9}, "installation": {"id": 7}}));
        let two = Delivery::new("check_run", &serde_json::json!({"action": "rerequested"}));
        past.keep(&one, outcome(1, 503)).unwrap();
        past.keep(&two, outcome(2, 202)).unwrap();
        past.keep(&one, outcome(3, 202)).unwrap();
        let all = newest_first(past.all().unwrap());
        let shown: Vec<_> = all.iter().map(|(d, o)| (d.event.as_str(), o.id, o.status(), o.is_good())).collect();
        assert_eq!(
            shown,
            [
                ("push", 3, "OK".to_owned(), true),
                ("check_run", 2, "OK".to_owned(), true),
                ("push", 1, "Invalid HTTP Response: 503".to_owned(), false),
            ]
        );
        assert_eq!((one.repository, one.installation, two.action.as_deref()), (Some(9), Some(7), Some("rerequested")));
        assert_eq!(delivery_of(past.all().unwrap(), 1), Some(one.clone()));
        assert_eq!(delivery_of(past.all().unwrap(), 9), None);
        for id in 10..10 + 2 * MAX_TRIES as u64 {
            past.keep(&one, outcome(id, 0)).unwrap();
        }
        assert_eq!(past.all().unwrap().iter().map(|record| record.tries.len()).max(), Some(MAX_TRIES));
    }

    #[test]
    fn only_the_newest_are_kept_and_not_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..KEPT + 5 {
            std::fs::write(folder.path().join(format!("{number}.json")), "").unwrap();
        }
        prune(folder.path(), Utc::now()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), KEPT);
        prune(folder.path(), Utc::now() + KEPT_FOR + TimeDelta::minutes(1)).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
