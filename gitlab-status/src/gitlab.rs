//! What GitLab is told of a status: a commit status, and for the stack a deployment.

use gitlab_api::{Api, GitlabError};
use sdk::status::{STACK_CONTEXT, Status, Targets};

use crate::commit_statuses::CommitStatuses;
use crate::deployments::Deployments;

/// The longest address that GitLab takes, in characters.
const MAX_URL: usize = 255;

/// What became of a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// GitLab shows it.
    Reported,
    /// Something newer was said in this context.
    Late,
}

pub(crate) struct Gitlab {
    statuses: CommitStatuses,
    deployments: Option<Deployments>,
    targets: Targets,
}

impl Gitlab {
    pub(crate) fn new(api: &Api, environment: Option<String>, targets: Targets) -> Self {
        let deployments = environment.map(|environment| Deployments::new(api.clone(), environment));
        Self { statuses: CommitStatuses::new(api.clone()), deployments, targets }
    }

    /// Tells GitLab. The author's eyes first; a deployment that cannot be told of takes nothing back.
    pub(crate) async fn report(&self, status: &Status) -> Result<Outcome, GitlabError> {
        let url = self.target(status);
        let outcome = self.statuses.report(status, url.as_deref()).await?;
        let deployments = self.deployments.as_ref().filter(|_| status.context == STACK_CONTEXT);
        if let Some(deployments) = deployments.filter(|_| outcome == Outcome::Reported)
            && let Err(error) = deployments.report(status, url.as_deref()).await
        {
            // The last word is worth another try; all before it are replaced by the next one.
            if status.state.is_final() && error.is_worth_a_retry() {
                return Err(error);
            }
            let (repo, error) = (status.repo_id, sdk::failure::chain(&error));
            tracing::warn!(owner = %status.owner, repo, error, "The deployment could not be told of");
        }
        Ok(outcome)
    }

    /// The status's address. Where it is longer than GitLab takes (a log's has names and a commit in it), the
    /// dashboard's; without one, the project's page.
    fn target(&self, status: &Status) -> Option<String> {
        let fits = |url: &String| url.chars().count() <= MAX_URL;
        let stack = || Status { context: STACK_CONTEXT.to_owned(), url: None, ..status.clone() };
        let page = || Some(status.html_url.clone()).filter(|url| sdk::status::is_link(url));
        self.targets.of(status).filter(fits).or_else(|| self.targets.of(&stack()).or_else(page).filter(fits))
    }
}
