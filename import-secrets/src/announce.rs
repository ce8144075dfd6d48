//! After a change: functions that waited for a secret, and functions that mount one that changed. What is to be told is in
//! the record until it is in the queue, so that it is told whatever happens in between.

use std::collections::{BTreeMap, BTreeSet};

use sdk::audit::AuditEvent;
use sdk::call::{CallError, CallId};
use sdk::event::PushEvent;
use sdk::gateway::FunctionStatus;
use sdk::id::{FunctionName, OwnerId};
use sdk::labels;

use crate::app::App;
use crate::names;
use crate::problem::Problem;
use crate::record::Record;
use crate::records::Open;

/// The function that deploys.
const DEPLOYER: &str = "git-tar";

/// By their repository's number, functions by their names in stack.yml.
type ByRepository = BTreeMap<u64, BTreeSet<FunctionName>>;

impl App {
    /// Tells git-tar what has to be deployed again. What cannot be told now stays in the record; the import itself is done.
    pub(crate) async fn announce(&self, open: &mut Open, there: &BTreeSet<String>, call: &CallId) {
        let told = async {
            self.resume(&mut open.record, there, call).await?;
            self.restart(&mut open.record, call).await
        };
        if let Err(error) = told.await {
            let error = sdk::failure::chain(&error);
            tracing::warn!(call_id = %call, error, "who has to know of a changed secret is told with the next message");
        }
        if let Err(error) = self.records.save(open).await {
            let error = sdk::failure::chain(&error);
            tracing::warn!(call_id = %call, error, "what was told of a changed secret is told again with the next message");
        }
    }

    /// Pushes again what waited for secrets that are there now.
    async fn resume(&self, record: &mut Record, there: &BTreeSet<String>, call: &CallId) -> Result<(), Problem> {
        let waiting: Vec<u64> =
            record.consumers.iter().filter(|(_, one)| !one.missing.is_empty()).map(|(id, _)| *id).collect();
        for id in waiting {
            let Some(consumer) = record.consumers.get(&id) else { continue };
            if !self.whereabouts(record, &consumer.missing, there).await?.missing.is_empty() {
                continue;
            }
            let event = consumer.event.clone();
            self.tell(&event, call).await.map_err(Problem::NotTold)?;
            tracing::info!(call_id = %call, owner = %event.owner, repo = %event.repo, "the secrets are there that a push waited for");
            if let Some(consumer) = record.consumers.get_mut(&id) {
                consumer.missing.clear();
            }
        }
        Ok(())
    }

    /// Has functions of other repositories deployed again that mount what changed.
    async fn restart(&self, record: &mut Record, call: &CallId) -> Result<(), Problem> {
        if record.stale.is_empty() {
            return Ok(());
        }
        let functions = self.gateway.list().await.map_err(Problem::Functions)?;
        for (repo_id, restart) in stale(record, &functions) {
            let restart: Vec<_> = restart.into_iter().collect();
            let Some(consumer) = record.consumers.get(&repo_id) else {
                self.cannot_restart(record, &restart, call).await;
                continue;
            };
            let event = PushEvent { restart, rebuild: false, ..consumer.event.clone() };
            self.tell(&event, call).await.map_err(Problem::NotTold)?;
            tracing::info!(call_id = %call, owner = %event.owner, repo = %event.repo, functions = ?event.restart, "a secret changed that functions mount");
        }
        record.stale.clear();
        Ok(())
    }

    async fn tell(&self, event: &PushEvent, call: &CallId) -> Result<(), CallError> {
        self.functions.enqueue(DEPLOYER, event, &call.child()).await
    }

    /// Their repository was never pushed since secrets are kept here, so nobody knows how to deploy it.
    async fn cannot_restart(&self, record: &Record, functions: &[FunctionName], call: &CallId) {
        let names = names::some(functions);
        let message =
            format!("a secret changed that these functions mount; push their repository again to deploy them: {names}");
        tracing::warn!(call_id = %call, owner = %record.login, "{message}");
        let (owner, owner_id) = (record.login.to_string(), Some(record.owner.clone()));
        let event = AuditEvent { message, owner, owner_id, ..AuditEvent::default() };
        self.auditor.send(event, call).await;
    }
}

/// The owner's functions that mount something stale, but for those that are deployed by the push that changed it.
fn stale(record: &Record, functions: &[FunctionStatus]) -> ByRepository {
    let mut found = ByRepository::new();
    for function in functions.iter().filter(|function| is_owners(function, &record.owner)) {
        let Some(repo_id) = function.labels.get(labels::GIT_REPO_ID).and_then(|id| id.parse().ok()) else { continue };
        let is_stale = |name: &String| record.stale.get(name).is_some_and(|by| *by != repo_id);
        let login = function.labels.get(labels::GIT_OWNER);
        let short = login.and_then(|login| function.name.strip_prefix(login.as_str())?.strip_prefix('-'));
        if function.secrets.iter().any(is_stale)
            && let Some(Ok(name)) = short.map(str::parse)
        {
            found.entry(repo_id).or_default().insert(name);
        }
    }
    found
}

/// Whether labels prove that the pipeline deployed a function for this owner.
fn is_owners(function: &FunctionStatus, owner: &OwnerId) -> bool {
    let says = |label: &str, value: &str| function.labels.get(label).is_some_and(|found| found == value);
    says(labels::GIT_CLOUD, "1")
        && says(labels::GIT_SCM, &labels::value(&owner.host))
        && says(labels::GIT_OWNER_ID, &owner.id.to_string())
        && !says(labels::ROLE, labels::SYSTEM_ROLE)
}
