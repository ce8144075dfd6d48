//! What GitHub is told of a status: a check run or a commit status, and for the stack a deployment.

use github_app::GithubError;
use sdk::call::CallId;
use sdk::status::{STACK_CONTEXT, Status, Targets};

use crate::checks::Checks;
use crate::commit_statuses::CommitStatuses;
use crate::config::Environment;
use crate::deployments::Deployments;

/// What is reported on: one context of one commit.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Subject {
    repo: String,
    sha: String,
    context: String,
}

impl Subject {
    pub(crate) fn of(status: &Status) -> Self {
        Self {
            repo: format!("{}/{}", status.owner, status.repo),
            sha: status.sha.to_string(),
            context: status.context.clone(),
        }
    }
}

/// What became of a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// GitHub shows it.
    Reported,
    /// Something newer was said in this context.
    Late,
    /// It says that there is nothing to do, and another push has done it.
    OfAnother,
}

/// The two ways to tell of a commit.
enum Commits {
    Checks(Checks),
    Statuses(CommitStatuses),
}

pub(crate) struct Github {
    commits: Commits,
    deployments: Option<Deployments>,
    targets: Targets,
}

impl Github {
    pub(crate) fn new(
        client: &github_app::Client,
        use_checks: bool,
        environment: Option<Environment>,
        targets: Targets,
    ) -> Self {
        let commits = if use_checks {
            Commits::Checks(Checks::new(client.clone()))
        } else {
            Commits::Statuses(CommitStatuses::new(client.clone()))
        };
        let deployments = environment.map(|environment| Deployments::new(client.clone(), environment));
        Self { commits, deployments, targets }
    }

    /// Tells GitHub. The author's eyes first; a deployment that cannot be told of takes nothing back.
    pub(crate) async fn report(&self, status: &Status, call: &CallId) -> Result<Outcome, GithubError> {
        let url = self.targets.of(status);
        let outcome = match &self.commits {
            Commits::Checks(checks) => checks.report(status, url.as_deref(), call).await?,
            Commits::Statuses(statuses) => statuses.report(status, url.as_deref(), call).await?,
        };
        let deployments = self.deployments.as_ref().filter(|_| status.context == STACK_CONTEXT);
        if let Some(deployments) = deployments.filter(|_| outcome == Outcome::Reported)
            && let Err(error) = deployments.report(status, url.as_deref()).await
        {
            // The last word is worth another try; all before it are replaced by the next one.
            if status.state.is_final() {
                return Err(error);
            }
            tracing::warn!(call_id = %call, error = sdk::failure::chain(&error), "The deployment could not be told of");
        }
        Ok(outcome)
    }
}
