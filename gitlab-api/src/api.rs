//! Requests: where they go, how long they may take, and what is done when they fail.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, StatusCode};
use sdk::{Invalid, Reader};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::call::Call;
use crate::error::GitlabError;
use crate::instance::Instance;
use crate::pause::{Quiet, wanted_by};

/// A longer answer is not understood, in bytes.
const MAX_ANSWER: usize = 1024 * 1024;
/// So much of an error's text is kept, in characters.
const MAX_ERROR_TEXT: usize = 500;

/// How much time one call may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// For one request and its answer.
    pub request: Duration,
    /// For all requests and pauses of one call. A pause that would end later is not begun.
    pub total: Duration,
    /// How often a request is sent.
    pub attempts: u32,
    /// The first pause between two attempts; each further one is four times as long.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            request: Duration::from_secs(10),
            total: Duration::from_secs(20),
            attempts: 3,
            pause: Duration::from_millis(250),
        }
    }
}

/// The REST API of one GitLab, in the name of one token. Cloning is cheap, and clones keep the same pauses.
#[derive(Debug, Clone)]
pub struct Api {
    http: reqwest::Client,
    instance: Instance,
    token: SecretString,
    patience: Patience,
    quiet: Arc<Quiet>,
}

/// A request that came to nothing.
struct Failed {
    error: GitlabError,
    /// Whether GitLab may have acted on it nevertheless.
    taken: bool,
}

impl Api {
    /// The API of an instance.
    pub fn new(instance: Instance, token: SecretString) -> Self {
        Self { http: sdk::http::client(), instance, token, patience: Patience::default(), quiet: Arc::default() }
    }

    /// Reads `gitlab_instance` and the secret `gitlab-api-token`.
    ///
    /// # Errors
    /// When one of them is missing or malformed; the reader knows which.
    pub fn read(reader: &Reader<'_>) -> Result<Self, Invalid> {
        let instance = Instance::read(reader);
        let token = reader.secret("gitlab-api-token").and_then(|token| match header(&token) {
            Some(_) => Ok(token),
            None => Err(reader.invalid("gitlab-api-token", "has characters that no token has")),
        });
        Ok(Self::new(instance?, token?))
    }

    /// The same, with other limits on time.
    #[must_use]
    pub fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// Which GitLab it is.
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// Sends a call, and again where that may help.
    ///
    /// # Errors
    /// When GitLab cannot be reached, refuses, is not understood, or wants to be left alone for too long.
    pub async fn send<T: DeserializeOwned>(&self, call: &Call) -> Result<T, GitlabError> {
        let operation = call.operation;
        let deadline = Instant::now() + self.patience.total;
        let (mut attempt, mut backoff) = (1, self.patience.pause);
        loop {
            let wait = self.quiet.left();
            if !wait.is_zero() {
                sleep_or(wait, deadline, GitlabError::Busy { operation, wait }).await?;
            }
            let Failed { error, taken } = match self.request(call).await {
                Ok(text) => {
                    return serde_json::from_str(&text).map_err(|cause| GitlabError::Malformed { operation, cause });
                }
                Err(failed) => failed,
            };
            if !error.is_worth_a_retry() || attempt >= self.patience.attempts || (taken && !call.repeats) {
                return Err(error);
            }
            // What GitLab asked for is waited for above, by everybody.
            if error.wait().is_none() {
                sleep_or(backoff, deadline, error).await?;
                backoff *= 4;
            }
            attempt += 1;
        }
    }

    async fn request(&self, call: &Call) -> Result<String, Failed> {
        let operation = call.operation;
        let mut url = self.instance.api(&call.path);
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        let mut request = self
            .http
            .request(call.method.clone(), url)
            .timeout(self.patience.request)
            .header("accept", "application/json");
        if let Some(token) = header(&self.token) {
            request = request.header("private-token", token);
        }
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let unreachable = |cause: reqwest::Error| Failed {
            taken: !cause.is_connect(),
            error: GitlabError::Unreachable { operation, cause: cause.without_url() },
        };
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let pause = wanted_by(status, response.headers());
        let text = sdk::call::bounded_text(response, MAX_ANSWER).await;
        if let Some(wait) = pause {
            self.quiet.keep(wait);
            tracing::warn!(operation, status = status.as_u16(), seconds = wait.as_secs(), "GitLab asks for a pause");
            return Err(Failed { error: GitlabError::Busy { operation, wait }, taken: false });
        }
        if status.is_success() { Ok(text) } else { Err(refused(operation, status, &text)) }
    }
}

fn header(token: &SecretString) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(token.expose_secret()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn refused(operation: &'static str, status: StatusCode, text: &str) -> Failed {
    let error = if status == StatusCode::NOT_FOUND && is_gitlabs_own(text) {
        GitlabError::NotThere { operation }
    } else {
        let text = text.chars().take(MAX_ERROR_TEXT).map(|c| if c.is_control() { ' ' } else { c }).collect();
        GitlabError::Refused { operation, status, text }
    };
    Failed { taken: status.is_server_error(), error }
}

/// True for `{"message":"404 Project Not Found"}` and `{"error":"404 Not Found"}`. A proxy's page says nothing about
/// what GitLab has.
fn is_gitlabs_own(text: &str) -> bool {
    #[derive(Deserialize)]
    struct Refusal {
        #[serde(alias = "error")]
        message: String,
    }
    serde_json::from_str::<Refusal>(text).is_ok_and(|refusal| refusal.message.starts_with("404"))
}

async fn sleep_or(pause: Duration, deadline: Instant, error: GitlabError) -> Result<(), GitlabError> {
    let end = Instant::now() + pause;
    if end > deadline {
        return Err(error);
    }
    tokio::time::sleep_until(end).await;
    Ok(())
}
