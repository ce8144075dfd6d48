//! The stages of a push, in their order.

use std::sync::Arc;
use std::time::Instant;

use futures_util::StreamExt;
use sdk::context::Tree;
use sdk::event::PushEvent;
use sdk::garbage::{GARBAGE_FUNCTION, GarbageRequest, Scope};
use sdk::gateway::FunctionStatus;
use sdk::id::{CommitSha, FunctionName};
use sdk::stack::Stack;
use sdk::status::State;

use super::Shared;
use super::outcome::{Counts, Outcome};
use crate::config::credential;
use crate::deploy::{self, DeployError, Shipped};
use crate::git::{CommitTree, Remote};
use crate::plan::{Action, Planner, Work};
use crate::problem::Problem;
use crate::report::Report;
use crate::repository::{self, Found};
use crate::turns::Turn;

/// How one function ended.
enum Ended {
    Live { reused: bool },
    Failed(FunctionName, DeployError),
    Superseded(CommitSha),
}

/// How all that was to be done ended.
enum Carried {
    /// Everything is live; so many images were there already.
    Live { reused: usize },
    /// A newer commit came in between.
    Superseded(CommitSha),
}

impl Shared {
    /// Runs a push from its head check to the collection of garbage.
    pub(super) async fn run(self: &Arc<Self>, report: &Report<'_>) -> Result<Outcome, Problem> {
        let (event, started) = (report.event, Instant::now());
        let remote = self.remote(event)?;
        if let Some(outcome) = self.check_head(&remote, event).await? {
            return Ok(outcome);
        }
        let mut turn = self.turns.announce(event);
        if turn.wait().await {
            if let Some(newer) = turn.superseded_by() {
                return Ok(Outcome::superseded(&newer));
            }
            if let Some(outcome) = self.check_head(&remote, event).await? {
                return Ok(outcome);
            }
        }
        let (tree, deployed) = tokio::try_join!(self.fetch(&remote, event), self.deployed())?;
        let stack = match self.stack(&tree).await? {
            Found::Stack(stack) => stack,
            Found::SecretsOnly => {
                let sentence = "there are only sealed secrets and no stack.yml: nothing to deploy";
                return Ok(Outcome::Nothing(sentence.to_owned()));
            }
        };
        let work = self.plan(event, tree, &stack, deployed).await?;
        let keep = stack.functions.iter().map(|function| function.name.clone()).collect();
        let counts = Counts::of(&work);
        tracing::info!(functions = work.len(), plan = counts.before(), "plan made");
        report.stack(State::InProgress, counts.before()).await;
        let reused = match self.carry_out(report, work, &turn).await? {
            Carried::Live { reused } => reused,
            Carried::Superseded(newer) => return Ok(Outcome::superseded(&newer)),
        };
        self.collect_garbage(report, keep).await?;
        Ok(Outcome::Deployed(counts.reused(reused).after(started.elapsed())))
    }

    fn remote(&self, event: &PushEvent) -> Result<Remote, Problem> {
        let unknown =
            || Problem::Refused(format!("the git host {} is not one of this platform's (git_hosts)", event.host));
        let url = self.config.hosts.repository(event).ok_or_else(unknown)?;
        let remote = Remote::new(self.http.clone(), url, credential(&self.config), self.config.git);
        remote.map_err(|problem| Problem::Git { what: event.repo_path().to_string(), problem })
    }

    /// An outcome if the event's commit is not, or no longer, its branch's head.
    async fn check_head(&self, remote: &Remote, event: &PushEvent) -> Result<Option<Outcome>, Problem> {
        let git = |problem| Problem::Git { what: event.repo_path().to_string(), problem };
        let gone = format!("the branch {} is no longer there: nothing to deploy", event.branch);
        if event.sha.is_zero() {
            return Ok(Some(Outcome::Nothing(gone)));
        }
        let head = remote.head_of(&[format!("refs/heads/{}", event.branch)]).await.map_err(git)?;
        tracing::info!(head, "head checked");
        let Some(head) = head else { return Ok(Some(Outcome::Nothing(gone))) };
        if head == event.sha.as_str() {
            return Ok(None);
        }
        if !remote.has(&event.sha).await.map_err(git)? {
            let sentence = format!("the commit {} is not in {}", event.sha.short(), event.repo_path());
            return Err(Problem::Refused(sentence));
        }
        let head = head.parse::<CommitSha>().map_err(|error| Problem::Refused(error.to_string()))?;
        Ok(Some(Outcome::superseded(&head)))
    }

    async fn fetch(&self, remote: &Remote, event: &PushEvent) -> Result<Arc<Tree>, Problem> {
        let git = |problem| Problem::Git { what: event.repo_path().to_string(), problem };
        let folder = self.work.create()?;
        remote.fetch(&event.sha, folder.path()).await.map_err(git)?;
        let path = folder.path().to_owned();
        let tree = CommitTree::open(&path, &event.sha, folder).map_err(git)?;
        tracing::info!("commit fetched");
        Ok(Tree::new(tree))
    }

    async fn deployed(&self) -> Result<Vec<FunctionStatus>, Problem> {
        self.config.gateway.list().await.map_err(Problem::Gateway)
    }

    async fn stack(self: &Arc<Self>, tree: &Arc<Tree>) -> Result<Found, Problem> {
        let (shared, tree) = (Arc::clone(self), Arc::clone(tree));
        blocking(move || repository::find_stack(&tree, &shared.config.stack)).await
    }

    async fn plan(
        self: &Arc<Self>,
        event: &PushEvent,
        tree: Arc<Tree>,
        stack: &Stack,
        deployed: Vec<FunctionStatus>,
    ) -> Result<Vec<Work>, Problem> {
        for warning in &stack.warnings {
            tracing::warn!(warning, "A part of the stack file is ignored");
        }
        let stores = self.templates.stores(&self.config, stack, &tree).await?;
        let deployed = deployed.into_iter().map(|function| (function.name.clone(), function)).collect();
        let (shared, event, stack) = (Arc::clone(self), event.clone(), stack.clone());
        blocking(move || {
            let planner =
                Planner { config: &shared.config, event: &event, repository: &tree, stores: &stores, deployed };
            planner.plan(&stack)
        })
        .await
    }

    /// Sends what is not live yet, some at once. A failure does not stop the others.
    async fn carry_out(&self, report: &Report<'_>, work: Vec<Work>, turn: &Turn) -> Result<Carried, Problem> {
        let (unchanged, to_do): (Vec<_>, Vec<_>) =
            work.into_iter().partition(|work| matches!(work.action, Action::Unchanged));
        let tell = async {
            for work in unchanged {
                report.function(work.function, State::Success, "unchanged").await;
            }
        };
        let sends = to_do.into_iter().map(|work| self.function(report, work, turn));
        let sends = futures_util::stream::iter(sends).buffer_unordered(self.config.build_parallelism);
        // What is to be built comes first: builds wait for nothing.
        let (ended, ()) = tokio::join!(sends.collect::<Vec<_>>(), tell);
        let (mut failed, mut superseded, mut reused) = (Vec::new(), None, 0);
        for ended in ended {
            match ended {
                Ended::Live { reused: this_one } => reused += usize::from(this_one),
                Ended::Failed(function, error) => failed.push((function, error)),
                Ended::Superseded(by) => superseded = Some(by),
            }
        }
        match superseded {
            Some(newer) => Ok(Carried::Superseded(newer)),
            None if failed.is_empty() => Ok(Carried::Live { reused }),
            None => Err(failures(&failed)),
        }
    }

    async fn function(&self, report: &Report<'_>, work: Work, turn: &Turn) -> Ended {
        if let Some(newer) = turn.superseded_by() {
            report.function(work.function, State::Neutral, format!("superseded by {}", newer.short())).await;
            return Ended::Superseded(newer);
        }
        let function = work.function.clone();
        let to_build = matches!(work.action, Action::Build(..));
        let what = if to_build { "building" } else { "deploying" };
        report.function(function.clone(), State::InProgress, what).await;
        match self.send(report, work).await {
            Ok(shipped) => {
                tracing::info!(%function, built = shipped.built, "function done");
                Ended::Live { reused: to_build && !shipped.built }
            }
            Err(error) => {
                tracing::warn!(%function, error = sdk::failure::chain(&error), "A function could not be deployed");
                Ended::Failed(function, error)
            }
        }
    }

    async fn send(&self, report: &Report<'_>, work: Work) -> Result<Shipped, DeployError> {
        let (event, function) = (report.event.clone(), work.function.clone());
        let packing = tokio::task::spawn_blocking(move || deploy::pack(&event, work));
        // "building" must be out before buildshiprun reports how it ended.
        let (packed, ()) = tokio::join!(packing, report.reporter.flush_context(function.as_str()));
        let packed = packed.map_err(|error| DeployError::Pack(std::io::Error::other(error)))??;
        tracing::info!(%function, bytes = packed.0.len(), "function sent");
        deploy::send(&self.config.functions, packed, self.config.build_timeout, report.call).await
    }

    async fn collect_garbage(&self, report: &Report<'_>, keep: Vec<FunctionName>) -> Result<(), Problem> {
        let event = report.event;
        let request = GarbageRequest {
            host: event.host.clone(),
            owner: event.owner.clone(),
            owner_id: event.owner_id,
            repo: Scope::Repo(event.repo.clone()),
            repo_id: Some(event.repo_id),
            until: None,
            sha: Some(event.sha.clone()),
            actor: event.pusher.clone(),
            keep,
        };
        tracing::info!("garbage collection asked");
        let asked = self.config.functions.invoke(GARBAGE_FUNCTION, &request, report.call).await;
        asked.map(drop).map_err(|error| Problem::Functions {
            summary: format!("functions that the stack no longer has could not be removed: {error}"),
            again: error.is_worth_a_retry(),
        })
    }
}

/// `deploy failed: <fn>: <reason>; <fn>: <reason>`.
fn failures(failed: &[(FunctionName, DeployError)]) -> Problem {
    let reasons: Vec<String> = failed.iter().map(|(function, error)| format!("{function}: {error}")).collect();
    let again = failed.iter().any(|(_, error)| error.is_worth_a_retry());
    Problem::Functions { summary: reasons.join("; "), again }
}

/// Runs what reads files or unpacks objects off the async threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Problem> + Send + 'static) -> Result<T, Problem> {
    let span = tracing::Span::current();
    let done = tokio::task::spawn_blocking(move || span.in_scope(work)).await;
    done.map_err(|error| Problem::Machine(std::io::Error::other(error)))?
}
