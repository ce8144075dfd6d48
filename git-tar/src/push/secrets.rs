//! The secrets of a push: its file is imported before its functions are planned, and what nobody has any more is removed
//! when they are live.

use std::collections::BTreeSet;

use sdk::call::CallId;
use sdk::event::PushEvent;
use sdk::secrets::{Import, Known, Pruned, SecretName};

use super::outcome;
use super::{Shared, stages};
use crate::git::Remote;
use crate::problem::Problem;
use crate::report::Report;
use crate::repository::Found;
use crate::secrets::{Keeper, all_needed};

/// What a push knows of secrets, and what is to be done about them at its end.
#[derive(Debug)]
pub(super) struct Secrets {
    pub(super) known: Known,
    /// Its commit is the one that holds; else what is still in use is no failure of this push.
    speaks: bool,
    /// It brought a file, which is kept.
    imported: bool,
    end: End,
}

/// What is asked at the end of a push.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Nothing: there is no import-secrets, or the commit does not speak for its branch and mounts nothing.
    Nothing,
    /// That what nobody has or mounts any more is removed. `bare` says that the commit has neither file nor wishes.
    Prune { bare: bool },
}

impl Secrets {
    fn none(end: End) -> Self {
        Self { known: Known::default(), speaks: true, imported: false, end }
    }
}

impl Shared {
    pub(super) fn keeper<'a>(&'a self, call: &'a CallId) -> Keeper<'a> {
        Keeper { functions: &self.config.functions, call }
    }

    /// Has the commit's file imported and asks for what its functions need. A push without either asks nothing here.
    pub(super) async fn secrets(
        &self,
        report: &Report<'_>,
        remote: &Remote,
        found: &Found,
    ) -> Result<Secrets, Problem> {
        let (event, keeper) = (report.event, self.keeper(report.call));
        let wanted = found.stack.as_ref().map(|(_, stack)| all_needed(stack)).unwrap_or_default();
        if found.sealed.is_none() && wanted.is_empty() {
            // Without a number nothing was ever imported from it, and an older commit says nothing of its branch.
            let known = !event.pinned && event.owner_id != 0 && event.repo_id != 0;
            return Ok(Secrets::none(if known { End::Prune { bare: true } } else { End::Nothing }));
        }
        let speaks = self.speaks_for_its_branch(remote, event).await?;
        let known = if speaks {
            // Whatever it was asked for by, it is the branch's head: a push, should it come again for a secret's sake.
            let event = PushEvent { pinned: false, asked_at: None, rebuild: false, ..event.clone() };
            keeper.import(Import { event, file: found.sealed.clone(), wanted }).await?
        } else {
            keeper.look(event, wanted).await?
        };
        let Some(known) = known else { return Ok(Secrets::none(End::Nothing)) };
        tracing::info!(imported = speaks, found = known.found.len(), missing = known.missing.len(), "secrets known");
        Ok(Secrets { known, speaks, imported: speaks && found.sealed.is_some(), end: End::Prune { bare: false } })
    }

    /// What is known of the secrets of functions that are only deployed anew.
    pub(super) async fn look(
        &self,
        event: &PushEvent,
        call: &CallId,
        wanted: BTreeSet<SecretName>,
    ) -> Result<Known, Problem> {
        Ok(self.keeper(call).look(event, wanted).await?.unwrap_or_default())
    }

    /// True if the commit's file is the one that holds: an older one, or another branch's, would bring back old values or
    /// somebody's experiments. A push is its branch's head and of the build branch, which was checked; a commit that was
    /// asked for need be neither.
    async fn speaks_for_its_branch(&self, remote: &Remote, event: &PushEvent) -> Result<bool, Problem> {
        if !event.pinned {
            return Ok(true);
        }
        let build_branch = self.config.build_branch.as_ref().unwrap_or(&event.default_branch);
        if event.branch != *build_branch {
            return Ok(false);
        }
        let head = remote.head_of(&[format!("refs/heads/{}", event.branch)]).await;
        Ok(head.map_err(|problem| stages::git(event, problem))?.as_deref() == Some(event.sha.as_str()))
    }

    /// Removes what no file has and no function mounts any more. What the push did, as an end of its last sentence.
    pub(super) async fn settle(&self, report: &Report<'_>, secrets: &Secrets) -> Result<Option<String>, Problem> {
        let pruned = self.pruned(report, secrets).await?;
        Ok(pruned.filter(|_| secrets.imported).map(|pruned| outcome::imported(secrets.known.done, &pruned)))
    }

    /// The same where no file is left: what was removed, if anything was.
    pub(super) async fn settle_removed(
        &self,
        report: &Report<'_>,
        secrets: &Secrets,
    ) -> Result<Option<String>, Problem> {
        let pruned = self.pruned(report, secrets).await?;
        Ok(pruned.filter(|pruned| !pruned.removed.is_empty()).map(|pruned| outcome::removed(&pruned)))
    }

    async fn pruned(&self, report: &Report<'_>, secrets: &Secrets) -> Result<Option<Pruned>, Problem> {
        let End::Prune { bare } = secrets.end else { return Ok(None) };
        let pruned = self.keeper(report.call).prune(report.event, bare).await?;
        tracing::info!(removed = pruned.removed.len(), in_use = pruned.in_use.len(), "secrets pruned");
        if !pruned.in_use.is_empty() && secrets.speaks {
            return Err(Problem::InUse(pruned.in_use));
        }
        Ok(Some(pruned))
    }

    /// The same after functions were deployed anew; what is still in use is the removing push's concern.
    pub(super) async fn prune(&self, event: &PushEvent, call: &CallId) -> Result<(), Problem> {
        self.keeper(call).prune(event, false).await.map(drop)
    }
}

/// Why a function is not deployed, and how that is mended.
pub(super) fn waits(event: &PushEvent, missing: &BTreeSet<SecretName>) -> String {
    let names: Vec<&str> = missing.iter().map(SecretName::as_str).collect();
    let (what, them, are) = if names.len() == 1 { ("secret", "it", "it is") } else { ("secrets", "them", "they are") };
    let then = match event.pinned || !event.restart.is_empty() {
        false => format!("the function is deployed as soon as {are} there"),
        true => "then ask for this commit again".to_owned(),
    };
    format!(
        "waits for the {what} {}: push {them} in a secrets.yml (ofc seal --name {}); {then}",
        names.join(", "),
        names.first().copied().unwrap_or_default(),
    )
}
