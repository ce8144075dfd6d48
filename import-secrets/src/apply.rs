//! All or nothing: a change is announced in the record, made, and recorded; or it is undone.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::{StreamExt as _, stream};
use sdk::call::CallId;
use sdk::secrets::SecretName;
use tokio::time::Instant;

use crate::app::App;
use crate::backend::{BackendError, Change, Opened};
use crate::plan::{Kind, Step};
use crate::problem::Problem;
use crate::record::{Kept, Pending, Record, now};
use crate::records::Open;

/// So many secrets are written at the same time.
const AT_ONCE: usize = 8;
/// No other process takes a change for dead earlier, in seconds. A change, and its undoing, take less.
const LEASE: u64 = 120;

/// How one step went.
enum Went {
    Done,
    Failed(BackendError),
    NotTried,
}

/// The writing of all steps.
struct Writing<'a> {
    record: &'a Record,
    held: &'a BTreeSet<String>,
    failed: AtomicBool,
    deadline: Instant,
}

impl App {
    /// Makes the stage be as the steps say. The record still says what was before; that the steps have begun is in it.
    ///
    /// # Errors
    /// When not all steps could be made: then none is, or the record says so.
    pub(crate) async fn apply(&self, open: &mut Open, steps: &[Step], call: &CallId) -> Result<(), Problem> {
        let written: Vec<&Step> = steps.iter().filter(|step| step.written).collect();
        if written.is_empty() {
            return Ok(());
        }
        let pending = Pending {
            by: self.instance.clone(),
            until: now() + LEASE,
            secrets: written.iter().map(|step| step.secret.clone()).collect(),
            created: written.iter().flat_map(|step| created(&open.record, step)).collect(),
        };
        // Names that are made are held from here on, and not before: one that is there by now is somebody else's.
        let held = open.record.held();
        open.record.pending = Some(pending.clone());
        self.records.save(open).await?;
        let went = self.write(&open.record, &held, &written).await;
        let mut tried = Pending { secrets: BTreeSet::new(), created: BTreeSet::new(), ..pending };
        let (mut failure, mut unclear) = (None, false);
        for (step, went) in written.iter().zip(went) {
            if matches!(went, Went::NotTried) {
                continue;
            }
            tried.secrets.insert(step.secret.clone());
            tried.created.extend(created(&open.record, step));
            if let Went::Failed(error) = went {
                unclear |= matches!(error, BackendError::Busy { .. });
                if let BackendError::Exists { name } = &error {
                    tried.created.remove(name);
                }
                failure.get_or_insert(error);
            }
        }
        let Some(failure) = failure else { return Ok(()) };
        tracing::warn!(call_id = %call, error = sdk::failure::chain(&failure), "an import failed and is undone");
        self.give_up(open, &tried, unclear, failure.into()).await
    }

    /// The answers are in the order of the steps. What has begun ends, so that nothing is written after it was undone.
    async fn write(&self, record: &Record, held: &BTreeSet<String>, steps: &[&Step]) -> Vec<Went> {
        let writing =
            Writing { record, held, failed: AtomicBool::new(false), deadline: Instant::now() + self.import_timeout };
        let mut writes = Vec::new();
        for step in steps {
            writes.push(self.write_one(&writing, step));
        }
        stream::iter(writes).buffered(AT_ONCE).collect().await
    }

    async fn write_one(&self, writing: &Writing<'_>, step: &Step) -> Went {
        if writing.failed.load(Ordering::Relaxed) {
            return Went::NotTried;
        }
        let change = Change {
            owner: &writing.record.owner,
            repo_id: step.kept.repo_id,
            candidate: &step.candidate,
            changed: &step.changed,
            held: writing.held,
        };
        let late = || BackendError::Busy {
            operation: "write all secrets in time".to_owned(),
            cause: Some("it takes longer than import_timeout".into()),
        };
        let written = if Instant::now() < writing.deadline { self.backend.put(change).await } else { Err(late()) };
        match written {
            Ok(()) => Went::Done,
            Err(error) => {
                writing.failed.store(true, Ordering::Relaxed);
                Went::Failed(error)
            }
        }
    }

    /// Undoes what was tried, and tells why. Where it is not clear whether something was written late, nobody relies
    /// on what is in the stage.
    async fn give_up(&self, open: &mut Open, tried: &Pending, unclear: bool, why: Problem) -> Result<(), Problem> {
        if let Err(error) = self.undo(&mut open.record, tried).await {
            tracing::error!(
                error = sdk::failure::chain(&error),
                "The change could not be undone; the next message tries again"
            );
            if let Some(pending) = &mut open.record.pending {
                pending.secrets.clone_from(&tried.secrets);
                pending.created.clone_from(&tried.created);
                pending.until = 0;
            }
            self.records.save(open).await?;
            return Err(Problem::NotPutBack(Box::new(why)));
        }
        open.record.pending = None;
        if unclear {
            open.record.leaving.extend(tried.created.iter().cloned());
            for secret in &tried.secrets {
                open.record.secrets.entry(secret.clone()).and_modify(|kept| kept.unsure = true);
            }
        }
        self.records.save(open).await?;
        Err(why)
    }

    /// Puts back what the record says, and removes what was made beside it. Safe to repeat.
    async fn undo(&self, record: &mut Record, pending: &Pending) -> Result<(), BackendError> {
        for secret in &pending.secrets {
            if let Some(kept) = record.secrets.get(secret).cloned()
                && !self.put_back(record, secret, &kept).await?
            {
                record.secrets.entry(secret.clone()).and_modify(|kept| kept.unsure = true);
            }
        }
        for name in &pending.created {
            self.backend.remove(&record.owner, name).await?;
        }
        Ok(())
    }

    /// Writes a secret as it is in the record. False where it does not open any more: then nothing is written.
    ///
    /// # Errors
    /// When the stage does not take it now.
    pub(crate) async fn put_back(
        &self,
        record: &Record,
        secret: &SecretName,
        kept: &Kept,
    ) -> Result<bool, BackendError> {
        let candidate = kept.candidate();
        let opened = self.backend.open(vec![candidate.clone()]).await?.pop();
        let changed: Opened = match opened {
            Some(Ok(opened)) => opened,
            Some(Err(error)) => {
                tracing::error!(%secret, error = %error, "A secret that was imported before does not open any more");
                return Ok(false);
            }
            None => return Ok(false),
        };
        let held = record.held();
        let (owner, repo_id) = (&record.owner, kept.repo_id);
        let change = Change { owner, repo_id, candidate: &candidate, changed: &changed, held: &held };
        self.backend.put(change).await.map(|()| true)
    }

    /// Undoes a change that began and never ended: its process was killed, or could not undo it.
    ///
    /// # Errors
    /// When another process may still be at it, or it cannot be undone now.
    pub(crate) async fn recover(&self, open: &mut Open) -> Result<(), Problem> {
        let Some(pending) = open.record.pending.clone() else { return Ok(()) };
        let others = pending.by != self.instance && !self.records.are_ours_alone();
        if others && pending.until > now() {
            return Err(Problem::Busy(std::time::Duration::from_secs(pending.until - now())));
        }
        tracing::warn!(host = open.record.owner.host, owner_id = open.record.owner.id, secrets = ?pending.secrets, "undoing an import that never ended");
        self.undo(&mut open.record, &pending).await?;
        open.record.pending = None;
        self.records.save(open).await
    }
}

/// The names that a step makes. One that is about to leave was there before, and may be in use.
fn created<'a>(record: &'a Record, step: &'a Step) -> impl Iterator<Item = String> + 'a {
    let before = record.secrets.get(&step.secret).filter(|_| step.kind != Kind::Created);
    let is_new =
        move |name: &&String| !before.is_some_and(|kept| kept.names.contains(*name)) && !record.leaving.contains(*name);
    step.kept.names.iter().filter(is_new).cloned()
}
