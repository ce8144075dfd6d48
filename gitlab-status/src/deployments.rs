//! GitLab's deployments: the stack of a commit, deployed to an environment, and how that goes.
//!
//! GitLab keeps one status with a deployment, and does not take it twice. A commit that is deployed again gets a new
//! deployment.

use gitlab_api::{Api, Call, GitlabError};
use sdk::status::{Known, State, Status, is_link};
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

const RUNNING: &str = "running";
/// So many running deployments are looked through for a commit's, the newest first.
const MAX_RUNNING: &str = "20";

#[derive(Serialize)]
struct NewDeployment<'a> {
    environment: &'a str,
    sha: &'a str,
    #[serde(rename = "ref")]
    branch: &'a str,
    tag: bool,
    status: &'static str,
}

#[derive(Serialize)]
struct NewEnvironment<'a> {
    name: &'a str,
    external_url: &'a str,
}

#[derive(Serialize)]
struct Change<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_url: Option<&'a str>,
}

#[derive(Deserialize)]
struct Found {
    id: u64,
    #[serde(default)]
    sha: String,
    #[serde(default)]
    external_url: Option<String>,
}

#[derive(Debug, Clone, Copy)]
struct Deployment {
    id: u64,
    said: &'static str,
}

pub(crate) struct Deployments {
    api: Api,
    environment: String,
    known: Known<(u64, String), Deployment>,
    /// The address that each project's environment has.
    addresses: Known<u64, String>,
}

impl Deployments {
    pub(crate) fn new(api: Api, environment: String) -> Self {
        Self { api, environment, known: Known::new(), addresses: Known::new() }
    }

    /// Says how the deployment of the status's commit goes.
    pub(crate) async fn report(&self, status: &Status, url: Option<&str>) -> Result<(), GitlabError> {
        let Some(word) = word(status.state) else { return Ok(()) };
        let place = self.known.place((status.repo_id, status.sha.to_string()));
        let mut known = place.lock().await;
        if known.is_none_or(|deployment| deployment.said != word) {
            let open = match *known {
                Some(deployment) => Some(deployment.id).filter(|_| deployment.said == RUNNING),
                None => self.find(status).await?,
            };
            match open {
                Some(id) if word == RUNNING => *known = Some(Deployment { id, said: word }),
                Some(id) => {
                    self.change(status, id, word).await?;
                    *known = Some(Deployment { id, said: word });
                }
                // Nothing was deployed, and nothing was said to be.
                None if status.state == State::Neutral => return Ok(()),
                None => *known = Some(Deployment { id: self.make(status, word).await?, said: word }),
            }
        }
        match address(status, url) {
            Some(address) => self.show(status, address).await,
            None => Ok(()),
        }
    }

    /// The commit's deployment that has no end yet.
    async fn find(&self, status: &Status) -> Result<Option<u64>, GitlabError> {
        let list = Call::get("the list of deployments", path(status, "deployments"))
            .with("environment", &self.environment)
            .with("status", RUNNING)
            .with("order_by", "id")
            .with("sort", "desc")
            .with("per_page", MAX_RUNNING);
        let found: Vec<Found> = self.api.send(&list).await?;
        Ok(found.iter().find(|found| found.sha == status.sha.as_str()).map(|found| found.id))
    }

    async fn make(&self, status: &Status, word: &'static str) -> Result<u64, GitlabError> {
        let (environment, sha, branch) = (self.environment.as_str(), status.sha.as_str(), status.branch.as_str());
        let new = NewDeployment { environment, sha, branch, tag: false, status: word };
        let call = Call::post("a new deployment", path(status, "deployments")).body(new).once();
        match self.api.send::<Found>(&call).await {
            // Its answer may be what was lost.
            Err(error) if word == RUNNING && error.is_worth_a_retry() && error.wait().is_none() => {
                self.find(status).await?.ok_or(error)
            }
            answer => answer.map(|made| made.id),
        }
    }

    async fn change(&self, status: &Status, id: u64, word: &str) -> Result<(), GitlabError> {
        let path = path(status, "deployments").into_iter().chain([id.to_string()]);
        let call = Call::put("a deployment", path).body(Change { status: Some(word), external_url: None });
        match self.api.send::<IgnoredAny>(&call).await {
            // It has that status already, or somebody removed it.
            Err(GitlabError::NotThere { .. }) => Ok(()),
            Err(error) if error.bad_request().is_some() => Ok(()),
            other => other.map(drop),
        }
    }

    /// Gives the environment its address.
    async fn show(&self, status: &Status, address: &str) -> Result<(), GitlabError> {
        let place = self.addresses.place(status.repo_id);
        let mut known = place.lock().await;
        if known.as_deref() == Some(address) {
            return Ok(());
        }
        let list = Call::get("the environment", path(status, "environments")).with("name", &self.environment);
        let found: Vec<Found> = self.api.send(&list).await?;
        match found.first() {
            Some(found) if found.external_url.as_deref() == Some(address) => {}
            Some(found) => {
                let path = path(status, "environments").into_iter().chain([found.id.to_string()]);
                let change = Change { status: None, external_url: Some(address) };
                self.api.send::<IgnoredAny>(&Call::put("the environment", path).body(change)).await?;
            }
            None => {
                let new = NewEnvironment { name: &self.environment, external_url: address };
                let call = Call::post("a new environment", path(status, "environments")).body(new).once();
                self.api.send::<IgnoredAny>(&call).await?;
            }
        }
        *known = Some(address.to_owned());
        Ok(())
    }
}

fn path(status: &Status, what: &str) -> Vec<String> {
    vec!["projects".to_owned(), status.repo_id.to_string(), what.to_owned()]
}

/// GitLab's words; none for what only waits.
fn word(state: State) -> Option<&'static str> {
    match state {
        State::Queued => None,
        State::InProgress => Some(RUNNING),
        State::Success => Some("success"),
        State::Failure => Some("failed"),
        State::Neutral => Some("canceled"),
    }
}

/// Where what was deployed can be seen: the function, where the stack has one, or where the status leads.
fn address<'a>(status: &'a Status, url: Option<&'a str>) -> Option<&'a str> {
    if status.state != State::Success {
        return None;
    }
    match status.functions.as_slice() {
        [only] => only.url.as_deref().filter(|url| is_link(url)).or(url),
        _ => url,
    }
}
