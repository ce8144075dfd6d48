//! A push: its file is taken over as a whole, or not at all.

use std::collections::BTreeSet;

use sdk::call::CallId;
use sdk::event::PushEvent;
use sdk::secrets::{Done, Import, Known, Look, SealedFile, SecretName};
use sealed_secrets::SealedSecret;
use sealed_secrets::documents::{self, Limits};

use crate::app::App;
use crate::backend::Opened;
use crate::plan::{Facts, Kind, Plan, Step};
use crate::problem::Problem;
use crate::record::{Consumer, Record, now};
use crate::records::Open;
use crate::trail;

/// A repository's functions mount at most so many secrets.
const MAX_WANTED: usize = 1000;

/// What an import did, for the trail.
pub(crate) struct Imported {
    pub(crate) known: Known,
    pub(crate) sentences: Vec<String>,
}

/// Reads a file; none has no documents.
///
/// # Errors
/// When it is not a file of sealed secrets.
pub(crate) async fn parse(file: Option<SealedFile>) -> Result<Vec<SealedSecret>, Problem> {
    let Some(file) = file else { return Ok(Vec::new()) };
    let parsed = tokio::task::spawn_blocking(move || documents::parse(&file.text, &Limits::default())).await;
    Ok(parsed.map_err(|_| Problem::Broken)??)
}

/// Refuses what cannot be meant.
pub(crate) fn check(event: &PushEvent, wanted: &BTreeSet<SecretName>) -> Result<(), Problem> {
    if event.owner_id == 0 || event.repo_id == 0 {
        return Err(Problem::Invalid("owner_id and repo_id must be greater than 0".to_owned()));
    }
    if wanted.len() > MAX_WANTED {
        return Err(Problem::Invalid(format!("the functions of a repository may mount {MAX_WANTED} secrets")));
    }
    Ok(())
}

impl App {
    /// Takes over a file and tells what the repository's functions can have.
    ///
    /// # Errors
    /// When the file is refused, or not everything could be done: then nothing has changed.
    pub(crate) async fn import(
        &self,
        import: &Import,
        documents: &[SealedSecret],
        call: &CallId,
    ) -> Result<Imported, Problem> {
        let event = &import.event;
        let _turn = self.records.turn(&event.owner_id()).await?;
        let mut open = self.begin(event).await?;
        let mut there = self.backend.list().await?;
        let (steps, leaving, mut done) = self.steps(event, &open.record, &there, documents).await?;
        let mut after = open.record.after(&steps, &leaving);
        self.apply(&mut open, &steps, call).await?;
        there.extend(steps.iter().flat_map(|step| step.kept.names.iter().cloned()));
        after.pending = None;
        // What is changed is changed; what follows is only told.
        open.record = after;
        self.records.save(&mut open).await?;
        self.heal(&mut open.record, &import.wanted, &mut there).await?;
        let known = self.whereabouts(&open.record, &import.wanted, &there).await?;
        remember(&mut open.record, event, &import.wanted, &known.missing);
        self.records.save(&mut open).await?;
        self.announce(&mut open, &there, call).await;
        done.leaving = leaving.len();
        let sentences = trail::imported(&steps, &leaving);
        Ok(Imported { known: Known { found: known.found, missing: known.missing, done }, sentences })
    }

    /// Tells what functions can have.
    ///
    /// # Errors
    /// When nobody can tell now.
    pub(crate) async fn look(&self, look: &Look) -> Result<Known, Problem> {
        let _turn = self.records.turn(&look.event.owner_id()).await?;
        let mut open = self.begin(&look.event).await?;
        let mut there = self.backend.list().await?;
        self.heal(&mut open.record, &look.wanted, &mut there).await?;
        let known = self.whereabouts(&open.record, &look.wanted, &there).await?;
        Ok(Known { found: known.found, missing: known.missing, done: Done::default() })
    }

    /// The owner's record, with nothing half done in it.
    ///
    /// # Errors
    /// When it cannot be read, or what is half done cannot be undone now.
    pub(crate) async fn begin(&self, event: &PushEvent) -> Result<Open, Problem> {
        let mut open = self.records.open(&event.owner_id(), &event.owner).await?;
        self.recover(&mut open).await?;
        open.record.login = event.owner.clone();
        Ok(open)
    }

    /// Everything that is to be done, checked and opened; nothing is changed yet.
    async fn steps(
        &self,
        event: &PushEvent,
        record: &Record,
        there: &BTreeSet<String>,
        documents: &[SealedSecret],
    ) -> Result<(Vec<Step>, BTreeSet<SecretName>, Done), Problem> {
        let facts = Facts {
            event,
            namespace: &self.namespace,
            record,
            there,
            claimed: &|name| self.is_claimed(&event.owner, name),
            names: &|secret, keys| self.backend.names(secret, keys),
        };
        let plan = Plan::make(&facts, documents)?;
        let opened = self.open_all(&plan).await?;
        let (unchanged, leaving, keys) = (plan.unchanged.len(), plan.leaving.clone(), plan.keys);
        let steps = plan.settle(&facts, opened, now());
        let count = |kind| steps.iter().filter(|step| step.kind == kind).count();
        let done = Done {
            created: count(Kind::Created),
            updated: count(Kind::Updated),
            unchanged: unchanged + count(Kind::Same),
            leaving: leaving.len(),
            keys,
        };
        Ok((steps, leaving, done))
    }

    async fn open_all(&self, plan: &Plan) -> Result<Vec<Opened>, Problem> {
        if plan.open.is_empty() {
            return Ok(Vec::new());
        }
        let answers = self.backend.open(plan.open.values().cloned().collect()).await?;
        if answers.len() != plan.open.len() {
            return Err(Problem::Broken);
        }
        let (mut opened, mut failed) = (Vec::new(), Vec::new());
        for answer in answers {
            match answer {
                Ok(keys) => opened.push(keys),
                Err(error) => failed.push(error),
            }
        }
        if failed.is_empty() { Ok(opened) } else { Err(Problem::NotOpened(failed)) }
    }

    /// Writes wanted secrets again that were imported and are not in the stage as they were left there.
    async fn heal(
        &self,
        record: &mut Record,
        wanted: &BTreeSet<SecretName>,
        there: &mut BTreeSet<String>,
    ) -> Result<(), Problem> {
        for secret in wanted {
            let Some(kept) = record.secrets.get(secret).filter(|kept| !kept.is_sound(there)).cloned() else { continue };
            if self.put_back(record, secret, &kept).await? {
                there.extend(kept.names);
                record.secrets.entry(secret.clone()).and_modify(|kept| kept.unsure = false);
            }
        }
        Ok(())
    }
}

/// Keeps a push whose functions mount secrets, for when these change or arrive.
fn remember(record: &mut Record, event: &PushEvent, wanted: &BTreeSet<SecretName>, missing: &BTreeSet<SecretName>) {
    if wanted.is_empty() {
        record.consumers.remove(&event.repo_id);
        return;
    }
    let consumer = Consumer { event: event.clone(), wanted: wanted.clone(), missing: missing.clone() };
    record.consumers.insert(event.repo_id, consumer);
}
