//! Functions that are deployed anew because a secret of theirs changed, each from the commit and with the image that it
//! is deployed from. No push happened: nothing is built or collected, no branch's head is asked, and the stack's status
//! stays as it is.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use sdk::call::CallId;
use sdk::context::Tree;
use sdk::event::PushEvent;
use sdk::failure::Failure;
use sdk::gateway::FunctionStatus;
use sdk::id::{CommitSha, FunctionName, ServiceName};
use sdk::labels;
use sdk::stack::Stack;
use sdk::status::Reporter;
use tokio::time::{Instant, timeout_at};

use super::carry::at_its_name;
use super::stages::{blocking, by_name, open};
use super::{Platform, Shared};
use crate::claims;
use crate::plan::{Planner, Work};
use crate::problem::{Failed, Problem};
use crate::report::Report;
use crate::repository;
use crate::secrets::all_wanted;
use crate::turns::Turn;

/// Functions by the commit and the branch that they are deployed from.
type Commits = BTreeMap<(CommitSha, String), Vec<FunctionName>>;

/// What became of the functions of an event.
#[derive(Default)]
struct Tally {
    restarted: usize,
    failed: Vec<Failed>,
    again: bool,
}

impl Platform {
    /// Deploys the event's functions anew.
    pub(super) async fn restart(&self, event: &PushEvent, call: &CallId) -> Result<String, Failure> {
        self.shared.restart(event, call, self.shared.config.push_timeout).await.map_err(Failure::from)
    }
}

impl Shared {
    async fn restart(self: &Arc<Self>, event: &PushEvent, call: &CallId, limit: Duration) -> Result<String, Problem> {
        let deadline = Instant::now() + limit;
        let mut turn = self.turns.join(event);
        timeout_at(deadline, turn.wait()).await.map_err(|_| Problem::Late(limit))?;
        let deployed = self.deployed().await?;
        claims::check_login(event, &deployed)?;
        let mut tally = Tally::default();
        for ((sha, branch), restart) in commits(event, &deployed) {
            let commit =
                PushEvent { sha, branch, restart, pinned: true, rebuild: false, asked_at: None, ..event.clone() };
            let reporter = Reporter::start(self.config.functions.clone(), call.clone());
            let report = Report::new(&commit, call, reporter, &self.auditor, &self.config.pretty_url);
            let ended = timeout_at(deadline, self.restart_at(&report, &turn, &deployed)).await;
            tally.add(&report, ended.unwrap_or(Err(Problem::Late(limit)))).await;
            report.reporter.flush().await;
        }
        self.prune(event, call).await?;
        match tally {
            Tally { failed, again, .. } if !failed.is_empty() => Err(Problem::Functions { failed, again }),
            Tally { restarted: 0, .. } => Ok("nothing to restart: no function has to be deployed anew".to_owned()),
            Tally { restarted: 1, .. } => Ok("Restarted 1 function with changed secrets".to_owned()),
            Tally { restarted, .. } => Ok(format!("Restarted {restarted} functions with changed secrets")),
        }
    }

    /// Deploys the functions of one commit anew. So many had to be.
    async fn restart_at(
        self: &Arc<Self>,
        report: &Report<'_>,
        turn: &Turn,
        deployed: &[FunctionStatus],
    ) -> Result<usize, Problem> {
        let event = report.event;
        let (remote, _) = self.approach(event).await?;
        let folder = self.fetch(&remote, event).await?;
        let tree = Tree::new(open(&folder, event)?);
        let stack = self.stack_of(event, &tree, report).await?;
        let secrets = self.look(event, report.call, all_wanted(&stack)).await?;
        let (shared, event, deployed) = (Arc::clone(self), event.clone(), by_name(deployed.to_vec()));
        let work = blocking(move || {
            let (config, event, repository, secrets) = (&shared.config, &event, &tree, &secrets);
            Planner { config, event, repository, stores: &[], deployed, secrets }.restart(&stack)
        });
        let work = work.await?;
        let restarted = work.iter().filter(|work| !Work::is_done(work)).count();
        self.carry_out(report, work, turn).await?;
        Ok(restarted)
    }

    /// The commit's stack, without the functions that are not meant.
    async fn stack_of(
        self: &Arc<Self>,
        event: &PushEvent,
        tree: &Arc<Tree>,
        report: &Report<'_>,
    ) -> Result<Stack, Problem> {
        let (shared, tree) = (Arc::clone(self), Arc::clone(tree));
        let found = blocking(move || repository::find_stack(&tree, &shared.config.stack)).await?;
        let (file, mut stack) = found.ok_or_else(|| Problem::Refused("there is no stack.yml".to_owned()))?;
        stack.functions.retain(|function| event.restart.contains(&function.name));
        report.expect(file, &stack);
        Ok(*stack)
    }
}

impl Tally {
    /// Adds what became of a commit's functions, and tells what is not told yet.
    async fn add(&mut self, report: &Report<'_>, ended: Result<usize, Problem>) {
        match ended {
            Ok(0) => {}
            Ok(restarted) => {
                self.restarted += restarted;
                let names: Vec<&str> = report.event.restart.iter().map(FunctionName::as_str).collect();
                report.audit(format!("restarted with changed secrets: {}", names.join(", "))).await;
            }
            // Each is told already.
            Err(Problem::Functions { failed, again }) => {
                let problem = Problem::Functions { failed, again };
                report.audit(problem.to_string()).await;
                self.again |= again;
                if let Problem::Functions { failed, .. } = problem {
                    self.failed.extend(failed);
                }
            }
            Err(problem) => {
                let again = problem.is_worth_a_retry();
                let mend = if again { "" } else { "; push the repository again" };
                let reason = format!("it runs on with its former secrets: {}{mend}", problem.sentence());
                report.audit(&reason).await;
                self.again |= again;
                let lost = report.event.restart.iter().map(|function| at_its_name(report, function, reason.clone()));
                self.failed.extend(lost);
            }
        }
    }
}

/// Those of the event's functions that are deployed, from its repository and for its owner.
fn commits(event: &PushEvent, deployed: &[FunctionStatus]) -> Commits {
    let mut commits = Commits::new();
    for function in &event.restart {
        let name = ServiceName::of(&event.owner, function).ok();
        let meant = |status: &&FunctionStatus| {
            name.as_ref().is_some_and(|name| status.name == name.as_str()) && claims::is_of_repository(event, status)
        };
        let label = |status: &FunctionStatus, name: &str| status.labels.get(name).cloned();
        let commit = deployed.iter().find(meant).and_then(|status| {
            let sha = label(status, labels::GIT_SHA)?.parse().ok()?;
            Some((sha, label(status, labels::GIT_BRANCH).unwrap_or_else(|| event.branch.clone())))
        });
        match commit {
            Some(commit) => commits.entry(commit).or_default().push(function.clone()),
            None => tracing::info!(%function, "What is to be restarted is not deployed from this repository"),
        }
    }
    commits
}
