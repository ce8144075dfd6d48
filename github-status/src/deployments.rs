//! GitHub's deployments: one of each commit and environment, and how it goes.
//!
//! Only the stack's statuses are told. A commit that is deployed again gets new statuses in the same deployment.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use github_app::{Answer, Call, Client, GithubError, Permission, Scope};
use http::Method;
use sdk::status::{Known, State, Status, is_link};
use serde::{Deserialize, Serialize};

use crate::check_run::cut;
use crate::checks::path;
use crate::config::Environment;
use crate::github::Subject;

/// By this task, whoever hears of a deployment knows it for one of ours.
pub(crate) const TASK: &str = "deploy:openfaas-cloud";
/// The longest description, in characters.
const MAX_DESCRIPTION: usize = 140;
/// So many repositories without the permission are remembered, to say it once.
const MAX_TOLD: usize = 10_000;

#[derive(Serialize)]
struct NewDeployment<'a> {
    #[serde(rename = "ref")]
    commit: &'a str,
    task: &'static str,
    auto_merge: bool,
    required_contexts: [&'static str; 0],
    environment: &'a str,
    production_environment: bool,
    description: String,
}

#[derive(Serialize)]
struct DeploymentStatus<'a> {
    state: &'static str,
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    log_url: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    environment_url: Option<&'a str>,
    auto_inactive: bool,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Deployment {
    id: u64,
    /// What was said of it last, and when.
    #[serde(skip)]
    said: Option<&'static str>,
    #[serde(skip)]
    said_at: u64,
}

pub(crate) struct Deployments {
    client: Client,
    environment: Environment,
    known: Known<Subject, Deployment>,
    told: Mutex<HashSet<(u64, u64)>>,
}

impl Deployments {
    pub(crate) fn new(client: Client, environment: Environment) -> Self {
        Self { client, environment, known: Known::new(), told: Mutex::default() }
    }

    /// Says how the deployment of the status's commit goes. Without the permission, or where GitHub refuses for
    /// another reason, that is logged once for each repository, and the work goes on.
    ///
    /// # Errors
    /// What may be better at the next try.
    pub(crate) async fn report(&self, status: &Status, url: Option<&str>) -> Result<(), GithubError> {
        match self.try_to_report(status, url).await {
            Err(error) if !error.is_worth_a_retry() => {
                self.tell_once(status, &error);
                Ok(())
            }
            other => other,
        }
    }

    async fn try_to_report(&self, status: &Status, url: Option<&str>) -> Result<(), GithubError> {
        let place = self.known.place(Subject::of(status));
        let mut known = place.lock().await;
        let before = match known.take() {
            Some(deployment) => Some(deployment),
            None => self.find(status).await?,
        };
        let deployment = match before {
            Some(deployment) => deployment,
            // Nothing is deployed, and nothing was said to be.
            None if status.state == State::Neutral => return Ok(()),
            None => self.make(status).await?,
        };
        let deployment = match self.say(deployment, status, url).await {
            // It was deleted at GitHub.
            Err(error) if before.is_some() && error.is_not_found() => {
                let new = self.make(status).await?;
                self.say(new, status, url).await?
            }
            said => said?,
        };
        *known = Some(deployment);
        Ok(())
    }

    async fn find(&self, status: &Status) -> Result<Option<Deployment>, GithubError> {
        let list = Call::new("the list of deployments", Method::GET, path(status, &["deployments"]))
            .query("sha", status.sha.as_str())
            .query("task", TASK)
            .query("environment", &self.environment.name)
            .query("per_page", "1");
        Ok(self.send(status, &list).await?.json::<Vec<Deployment>>()?.first().copied())
    }

    async fn make(&self, status: &Status) -> Result<Deployment, GithubError> {
        let new = NewDeployment {
            commit: status.sha.as_str(),
            task: TASK,
            // The commit itself is what is deployed: nothing is merged into it, and it waits for no other check.
            auto_merge: false,
            required_contexts: [],
            environment: &self.environment.name,
            production_environment: self.environment.production,
            description: cut(&format!("A push to {}", status.branch), MAX_DESCRIPTION),
        };
        let call = Call::new("a new deployment", Method::POST, path(status, &["deployments"])).once().json(&new)?;
        match self.send(status, &call).await {
            // Its answer may be what was lost.
            Err(error) if error.is_worth_a_retry() && !matches!(error, GithubError::Busy { .. }) => {
                self.find(status).await?.ok_or(error)
            }
            answer => answer?.json(),
        }
    }

    async fn say(&self, deployment: Deployment, status: &Status, url: Option<&str>) -> Result<Deployment, GithubError> {
        let state = state(status.state);
        let newer_was_said = status.at != 0 && status.at < deployment.said_at;
        if deployment.said == Some(state) || newer_was_said {
            return Ok(deployment);
        }
        let body = DeploymentStatus {
            state,
            description: cut(&status.title, MAX_DESCRIPTION),
            log_url: url,
            environment_url: environment_url(status, url),
            auto_inactive: true,
        };
        let id = deployment.id.to_string();
        let path = path(status, &["deployments", &id, "statuses"]);
        let call = Call::new("a deployment's status", Method::POST, path).json(&body)?;
        self.send(status, &call).await?;
        Ok(Deployment { said: Some(state), said_at: status.at, ..deployment })
    }

    async fn send(&self, status: &Status, call: &Call<'_>) -> Result<Answer, GithubError> {
        let scope = Scope::new([Permission::Deployments], status.repo_id, status.repo.as_str());
        self.client.send(call, status.installation, &scope).await
    }

    fn tell_once(&self, status: &Status, error: &GithubError) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < MAX_TOLD && told.insert((status.installation, status.repo_id)) {
            tracing::warn!(
                owner = %status.owner,
                repo = %status.repo,
                error = sdk::failure::chain(error),
                "GitHub takes no deployments of this repository: give the App the permission Deployments (read and write), \
                 or set use_deployments to false"
            );
        }
    }
}

fn state(state: State) -> &'static str {
    match state {
        State::Queued => "queued",
        State::InProgress => "in_progress",
        State::Success => "success",
        State::Failure => "failure",
        State::Neutral => "inactive",
    }
}

/// Where the deployment can be seen: the function, where the stack has one, or where the status leads.
fn environment_url<'a>(status: &'a Status, url: Option<&'a str>) -> Option<&'a str> {
    if status.state != State::Success {
        return None;
    }
    match status.functions.as_slice() {
        [only] => only.url.as_deref().filter(|url| is_link(url)).or(url),
        _ => url,
    }
}
