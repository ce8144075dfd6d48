//! GitHub's check runs: find, make, update.

use std::time::Duration;

use http::{Method, StatusCode};
use sdk::status::Status;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::check_run::CheckRun;
use crate::known::{KnownRuns, RunKey};

const TIMEOUT: Duration = Duration::from_secs(10);
const MAX_ANSWER: usize = 1024 * 1024;

#[derive(Debug, thiserror::Error)]
pub(crate) enum GithubError {
    #[error("GitHub does not answer {0}")]
    Unreachable(&'static str, #[source] reqwest::Error),
    #[error("GitHub answered {operation} with {status}: {text}")]
    Refused { operation: &'static str, status: StatusCode, text: String },
    #[error("GitHub's answer to {0} is not understood")]
    Malformed(&'static str, #[source] serde_json::Error),
}

impl GithubError {
    fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused { status: StatusCode::NOT_FOUND, .. })
    }
}

#[derive(Deserialize)]
struct Run {
    id: u64,
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
struct Runs {
    check_runs: Vec<Run>,
}

pub(crate) struct Github {
    http: reqwest::Client,
    api: Url,
    token: SecretString,
    known: KnownRuns,
}

impl Github {
    pub(crate) fn new(api: Url, token: SecretString) -> Self {
        Self { http: sdk::http::client(), api, token, known: KnownRuns::new() }
    }

    /// Makes or updates the check run of the status's commit and context.
    pub(crate) async fn report(&self, status: &Status) -> Result<(), GithubError> {
        let key = RunKey::of(status);
        let mut part = self.known.part_of(&key).await;
        let known = match part.get(&key) {
            Some(id) => Some(id),
            None => self.find(status).await?,
        };
        if let Some(id) = known {
            match self.update(id, status).await {
                Ok(()) => {
                    part.put(key, id);
                    return Ok(());
                }
                // It was deleted at GitHub; a new one takes its place.
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        let id = self.make(status).await?;
        part.put(key, id);
        Ok(())
    }

    async fn find(&self, status: &Status) -> Result<Option<u64>, GithubError> {
        let mut url = self.url(status, &["commits", status.sha.as_str(), "check-runs"]);
        url.query_pairs_mut().append_pair("check_name", &status.context);
        let runs: Runs = self.call("the list of check runs", self.http.get(url)).await?;
        Ok(runs.check_runs.iter().find(|run| run.name == status.context).map(|run| run.id))
    }

    async fn make(&self, status: &Status) -> Result<u64, GithubError> {
        let body = CheckRun::of(status).new_at(status.sha.as_str());
        let request = self.http.request(Method::POST, self.url(status, &["check-runs"])).json(&body);
        let run: Run = self.call("a new check run", request).await?;
        Ok(run.id)
    }

    async fn update(&self, id: u64, status: &Status) -> Result<(), GithubError> {
        let url = self.url(status, &["check-runs", &id.to_string()]);
        let request = self.http.request(Method::PATCH, url).json(&CheckRun::of(status));
        let _: Run = self.call("an update of a check run", request).await?;
        Ok(())
    }

    /// `<api>/repos/<owner>/<repo>/…`. The configured address alone decides where the token goes.
    fn url(&self, status: &Status, rest: &[&str]) -> Url {
        let mut url = self.api.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["repos", status.owner.as_str(), status.repo.as_str()]).extend(rest);
        }
        url
    }

    async fn call<T: DeserializeOwned>(
        &self,
        operation: &'static str,
        request: reqwest::RequestBuilder,
    ) -> Result<T, GithubError> {
        let unreachable = |error: reqwest::Error| GithubError::Unreachable(operation, error.without_url());
        let request = request
            .timeout(TIMEOUT)
            .bearer_auth(self.token.expose_secret())
            .header("accept", "application/vnd.github+json")
            .header("x-github-api-version", "2022-11-28");
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let text = sdk::call::bounded_text(response, MAX_ANSWER).await;
        if !status.is_success() {
            let text = text.chars().take(500).collect();
            return Err(GithubError::Refused { operation, status, text });
        }
        serde_json::from_str(&text).map_err(|error| GithubError::Malformed(operation, error))
    }
}
