//! What no file has any more is removed, once no function mounts it.

use std::collections::{BTreeMap, BTreeSet};

use sdk::call::CallId;
use sdk::gateway::FunctionStatus;
use sdk::secrets::{Prune, Pruned, SecretName};

use crate::app::App;
use crate::problem::Problem;
use crate::record::{Kept, Record};
use crate::records::Open;

impl App {
    /// The end of a push.
    ///
    /// # Errors
    /// When not everything could be removed that nobody has or uses.
    pub(crate) async fn prune(&self, prune: &Prune, call: &CallId) -> Result<Pruned, Problem> {
        let event = &prune.event;
        let _turn = self.records.turn(&event.owner_id()).await?;
        let mut open = self.begin(event).await?;
        let is_meant = |kept: &Kept| kept.repo_id == event.repo_id;
        if prune.bare {
            open.record.leave(&BTreeSet::new(), is_meant);
            open.record.consumers.remove(&event.repo_id);
            self.records.save(&mut open).await?;
        }
        self.tell_what_is_due(&mut open, call).await?;
        self.sweep(&mut open, is_meant).await
    }

    /// What an earlier message could not tell.
    async fn tell_what_is_due(&self, open: &mut Open, call: &CallId) -> Result<(), Problem> {
        let waits = open.record.consumers.values().any(|consumer| !consumer.missing.is_empty());
        if waits || !open.record.stale.is_empty() {
            let there = self.backend.list().await?;
            self.announce(open, &there, call).await;
        }
        Ok(())
    }

    /// Removes what leaves and is not mounted; tells of what is meant and stays.
    ///
    /// # Errors
    /// When the stage does not say which functions there are, or does not remove something. What is gone is recorded.
    pub(crate) async fn sweep(&self, open: &mut Open, is_meant: impl Fn(&Kept) -> bool) -> Result<Pruned, Problem> {
        if open.record.leaving.is_empty() && open.record.secrets.values().all(|kept| !kept.leaving) {
            self.records.save(open).await?;
            return Ok(Pruned::default());
        }
        let functions = self.gateway.list().await.map_err(Problem::Functions)?;
        let mounted = mounted(&functions);
        let mut pruned = Pruned::default();
        let swept = self.remove_all(&mut open.record, &mounted, is_meant, &mut pruned).await;
        self.records.save(open).await?;
        swept.map(|()| pruned)
    }

    async fn remove_all(
        &self,
        record: &mut Record,
        mounted: &BTreeMap<&str, Vec<&str>>,
        is_meant: impl Fn(&Kept) -> bool,
        pruned: &mut Pruned,
    ) -> Result<(), Problem> {
        let leaving: Vec<(SecretName, Kept)> = record
            .secrets
            .iter()
            .filter(|(_, kept)| kept.leaving)
            .map(|(name, kept)| (name.clone(), kept.clone()))
            .collect();
        for (name, kept) in leaving {
            let users = users(&kept.names, mounted);
            if users.is_empty() {
                // From here on it is only a name that nobody has, whatever happens.
                record.leaving.extend(kept.names);
                record.secrets.remove(&name);
                pruned.removed.insert(name);
            } else if is_meant(&kept) {
                pruned.in_use.insert(name, users);
            }
        }
        let gone: Vec<String> =
            record.leaving.iter().filter(|name| !mounted.contains_key(name.as_str())).cloned().collect();
        for name in gone {
            self.backend.remove(&record.owner, &name).await?;
            record.leaving.remove(&name);
        }
        Ok(())
    }
}

/// By the name of a secret in the stage, who mounts it. Functions without labels count, too: they would not start again.
fn mounted(functions: &[FunctionStatus]) -> BTreeMap<&str, Vec<&str>> {
    let mut mounted: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for function in functions {
        for secret in &function.secrets {
            mounted.entry(secret).or_default().push(&function.name);
        }
    }
    mounted
}

fn users(names: &BTreeSet<String>, mounted: &BTreeMap<&str, Vec<&str>>) -> Vec<String> {
    let users: BTreeSet<&str> = names.iter().filter_map(|name| mounted.get(name.as_str())).flatten().copied().collect();
    users.into_iter().map(str::to_owned).collect()
}
