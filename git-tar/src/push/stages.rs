//! The stages of a push up to its plan, in their order.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Instant;

use http::StatusCode;
use sdk::context::Tree;
use sdk::event::PushEvent;
use sdk::gateway::FunctionStatus;
use sdk::id::CommitSha;
use sdk::secrets::Known;
use sdk::stack::Stack;
use sdk::status::State;
use tempfile::TempDir;

use super::Shared;
use super::carry::Carried;
use super::outcome::{Counts, Outcome};
use super::secrets::Secrets;
use crate::claims;
use crate::git::{CommitTree, Credential, GitError, Remote};
use crate::plan::{Planner, Work};
use crate::problem::Problem;
use crate::report::Report;
use crate::repository::{self, Found};

/// A commit's files and the folders that keep them.
pub(super) type Checkout = CommitTree<Vec<Arc<TempDir>>>;

impl Shared {
    /// Runs a push from its head check to the collection of garbage.
    pub(super) async fn run(self: &Arc<Self>, report: &Report<'_>) -> Result<Outcome, Problem> {
        let (event, started) = (report.event, Instant::now());
        let (remote, outcome) = self.approach(event).await?;
        if let Some(outcome) = outcome {
            return Ok(outcome);
        }
        if event.asked_at.is_some()
            && let Some(newer) = claims::newer(event, &self.deployed().await?)
        {
            return Ok(Outcome::superseded(&newer));
        }
        let mut turn = match self.turns.announce(event, report.call) {
            Ok(turn) => turn,
            Err(newer) => return Ok(Outcome::superseded(&newer)),
        };
        if turn.wait().await {
            if let Some(newer) = turn.superseded_by() {
                return Ok(Outcome::superseded(&newer));
            }
            if let Some(outcome) = self.check_head(&remote, event).await? {
                return Ok(outcome);
            }
        }
        let (folder, deployed) = tokio::try_join!(self.fetch(&remote, event), self.deployed())?;
        claims::check_login(event, &deployed)?;
        let commit = open(&folder, event)?;
        report.describe(commit.about());
        let tree = Tree::new(commit);
        let found = self.find(&tree).await?;
        if let Some((file, stack)) = &found.stack {
            report.expect(file, stack);
        }
        if let Some(newer) = turn.superseded_by() {
            return Ok(Outcome::superseded(&newer));
        }
        let secrets = self.secrets(report, &remote, &found).await?;
        let Some((_, stack)) = found.stack else {
            return if found.sealed.is_some() {
                self.only_secrets(report, &secrets).await
            } else {
                self.nothing_at_all(report, &secrets).await
            };
        };
        let tree = self.with_submodules(event, tree, folder, &stack).await?;
        let work = self.plan(event, tree, &stack, deployed, secrets.known.clone()).await?;
        let keep = stack.functions.iter().map(|function| function.name.clone()).collect();
        let counts = Counts::of(&work);
        tracing::info!(functions = work.len(), plan = counts.before(), "plan made");
        report.stack(State::InProgress, counts.before());
        let reused = match self.carry_out(report, work, &turn).await? {
            Carried::Live { reused } => reused,
            Carried::Superseded(newer) => return Ok(Outcome::superseded(&newer)),
        };
        self.collect_garbage(report, keep).await?;
        let imported = self.settle(report, &secrets).await?;
        let deployed = counts.reused(reused).after(started.elapsed());
        Ok(Outcome::Deployed(imported.map_or_else(|| deployed.clone(), |imported| format!("{deployed}; {imported}"))))
    }

    /// A repository without a stack: nothing is built, and functions that were deployed from it stay until it says that it
    /// has none.
    async fn only_secrets(&self, report: &Report<'_>, secrets: &Secrets) -> Result<Outcome, Problem> {
        let older =
            "there are only sealed secrets in this commit, and those of the branch's head hold: nothing to deploy";
        let imported = self.settle(report, secrets).await?;
        Ok(imported.map_or_else(|| Outcome::Nothing(older.to_owned()), Outcome::Deployed))
    }

    /// A repository without either file. One that had secrets has none any more; any other was to have a stack.
    async fn nothing_at_all(&self, report: &Report<'_>, secrets: &Secrets) -> Result<Outcome, Problem> {
        let removed = self.settle_removed(report, secrets).await?;
        let sentence = "there is no stack.yml at the root of the repository: add one (faas-cli new writes it)";
        removed.map(Outcome::Deployed).ok_or_else(|| Problem::Refused(sentence.to_owned()))
    }

    /// The repository, and the outcome if there is nothing to do. A token that was taken back is made anew, once.
    pub(super) async fn approach(&self, event: &PushEvent) -> Result<(Remote, Option<Outcome>), Problem> {
        let credential = self.credential(event).await?;
        let remote = self.remote(event, credential.as_ref())?;
        match (self.check_head(&remote, event).await, credential) {
            (Err(Problem::Git { problem: GitError::Status(StatusCode::UNAUTHORIZED), .. }), Some(old))
                if self.config.hosts.forget(event, &old).await =>
            {
                let remote = self.remote(event, self.credential(event).await?.as_ref())?;
                let outcome = self.check_head(&remote, event).await?;
                Ok((remote, outcome))
            }
            (checked, _) => Ok((remote, checked?)),
        }
    }

    async fn credential(&self, event: &PushEvent) -> Result<Option<Credential>, Problem> {
        let credential = self.config.hosts.credential(event).await;
        credential.map_err(|problem| Problem::Token { what: event.repo_path().to_string(), problem })
    }

    fn remote(&self, event: &PushEvent, credential: Option<&Credential>) -> Result<Remote, Problem> {
        let unknown =
            || Problem::Refused(format!("the git host {} is not one of this platform's (git_hosts)", event.host));
        let url = self.config.hosts.repository(event, &event.path_at_host()).ok_or_else(unknown)?;
        Remote::new(self.http.clone(), url, credential, self.config.git).map_err(|problem| git(event, problem))
    }

    /// An outcome if the event's commit is not, or no longer, its branch's head; a pinned one need not be.
    async fn check_head(&self, remote: &Remote, event: &PushEvent) -> Result<Option<Outcome>, Problem> {
        let git = |problem| git(event, problem);
        let gone = format!("the branch {} is no longer there: nothing to deploy", event.branch);
        if event.sha.is_zero() {
            return Ok(Some(Outcome::Nothing(gone)));
        }
        if event.pinned {
            return if remote.has(&event.sha).await.map_err(git)? { Ok(None) } else { Err(unknown_commit(event)) };
        }
        let head = remote.head_of(&[format!("refs/heads/{}", event.branch)]).await.map_err(git)?;
        tracing::info!(head, "head checked");
        let Some(head) = head else { return Ok(Some(Outcome::Nothing(gone))) };
        if head == event.sha.as_str() {
            return Ok(None);
        }
        if !remote.has(&event.sha).await.map_err(git)? {
            return Err(unknown_commit(event));
        }
        let head = head.parse::<CommitSha>().map_err(|error| Problem::Refused(error.to_string()))?;
        Ok(Some(Outcome::superseded(&head)))
    }

    pub(super) async fn fetch(&self, remote: &Remote, event: &PushEvent) -> Result<Arc<TempDir>, Problem> {
        let folder = self.work.create()?;
        remote.fetch(&event.sha, folder.path()).await.map_err(|problem| git(event, problem))?;
        tracing::info!("commit fetched");
        Ok(Arc::new(folder))
    }

    pub(super) async fn deployed(&self) -> Result<Vec<FunctionStatus>, Problem> {
        self.config.gateway.list().await.map_err(Problem::Gateway)
    }

    async fn find(self: &Arc<Self>, tree: &Arc<Tree>) -> Result<Found, Problem> {
        let (shared, tree) = (Arc::clone(self), Arc::clone(tree));
        blocking(move || repository::find(&tree, &shared.config.stack)).await
    }

    async fn plan(
        self: &Arc<Self>,
        event: &PushEvent,
        tree: Arc<Tree>,
        stack: &Stack,
        deployed: Vec<FunctionStatus>,
        secrets: Known,
    ) -> Result<Vec<Work>, Problem> {
        for warning in &stack.warnings {
            tracing::warn!(warning, "A part of the stack file is ignored");
        }
        let stores = self.templates.stores(&self.config, stack, &tree).await?;
        let deployed = by_name(deployed);
        let (shared, event, stack) = (Arc::clone(self), event.clone(), stack.clone());
        blocking(move || {
            let (config, event, repository, stores, secrets) = (&shared.config, &event, &tree, &stores, &secrets);
            Planner { config, event, repository, stores, deployed, secrets }.plan(&stack)
        })
        .await
    }
}

/// Functions by their names at the gateway.
pub(super) fn by_name(functions: Vec<FunctionStatus>) -> HashMap<String, FunctionStatus> {
    functions.into_iter().map(|function| (function.name.clone(), function)).collect()
}

/// The commit in the object database at `folder`.
pub(super) fn open(folder: &Arc<TempDir>, event: &PushEvent) -> Result<Checkout, Problem> {
    let tree = CommitTree::open(folder.path(), &event.sha, vec![Arc::clone(folder)]);
    tree.map_err(|problem| git(event, problem))
}

pub(super) fn git(event: &PushEvent, problem: GitError) -> Problem {
    Problem::Git { what: event.repo_path().to_string(), problem }
}

fn unknown_commit(event: &PushEvent) -> Problem {
    Problem::Refused(format!("the commit {} is not in {}", event.sha.short(), event.repo_path()))
}

/// Runs what reads files or unpacks objects off the async threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let span = tracing::Span::current();
    let done = tokio::task::spawn_blocking(move || span.in_scope(work)).await;
    done.map_err(|error| Problem::Machine(std::io::Error::other(error)))?
}
