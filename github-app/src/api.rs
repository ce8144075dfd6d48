//! Requests to one GitHub: where they go, how long they may take, and what is done when they fail.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use http::header::LOCATION;
use secrecy::{ExposeSecret, SecretString};
use tokio::time::Instant;
use url::Url;

use crate::answer::Answer;
use crate::call::Call;
use crate::error::{GithubError, is_passing};
use crate::pauses::{Pauses, wanted_by};

/// A longer answer is not understood. A page of check runs has 30 texts of up to 128 KiB.
const MAX_ANSWER: usize = 8 * 1024 * 1024;
/// So much of an error's text is kept, in characters.
const MAX_ERROR_TEXT: usize = 500;
/// The version of the API that is spoken.
const API_VERSION: &str = "2022-11-28";
/// A renamed repository is one redirection; two renamings are not more.
const MAX_REDIRECTIONS: u32 = 2;

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

/// The REST API of one GitHub. Cloning is cheap, and clones keep to the same rate limits.
#[derive(Debug, Clone)]
pub struct Api {
    http: reqwest::Client,
    base: Url,
    patience: Patience,
    pauses: Arc<Pauses>,
}

/// What one request came to, other than success.
enum Outcome {
    Failed { error: GithubError, pause: Option<Duration>, taken: bool },
    Moved(Url),
}

impl Api {
    /// The API at `base`, which may have a path, such as `https://github.example.com/api/v3`.
    pub fn new(base: Url) -> Self {
        Self { http: sdk::http::client(), base, patience: Patience::default(), pauses: Arc::default() }
    }

    /// The same, with other limits on time.
    #[must_use]
    pub fn with_patience(self, patience: Patience) -> Self {
        Self { patience, ..self }
    }

    /// Where it is.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// Sends a call under a token of an installation (0 for the App itself, or a fixed token), and again where that
    /// may help.
    ///
    /// # Errors
    /// When GitHub cannot be reached, refuses, is not understood, or wants to be left alone for too long.
    pub async fn send(&self, call: &Call<'_>, token: &SecretString, installation: u64) -> Result<Answer, GithubError> {
        let deadline = Instant::now() + self.patience.total;
        let mut url = self.url(call);
        let (mut attempt, mut redirections, mut backoff) = (1, 0, self.patience.pause);
        loop {
            self.keep_quiet(call.operation, installation, deadline).await?;
            let (error, pause, taken) = match self.request(call, &url, token, installation).await {
                Ok(answer) => return Ok(answer),
                Err(Outcome::Moved(to)) if redirections < MAX_REDIRECTIONS => {
                    (url, redirections) = (to, redirections + 1);
                    continue;
                }
                Err(Outcome::Moved(_)) => return Err(GithubError::Elsewhere { operation: call.operation }),
                Err(Outcome::Failed { error, pause, taken }) => (error, pause, taken),
            };
            let again = pause.is_some() || error.is_worth_a_retry();
            if !again || attempt >= self.patience.attempts || (taken && !call.repeats) {
                return Err(error);
            }
            // A pause is kept at the loop's beginning, by everybody who is under the same limit.
            if pause.is_none() {
                sleep_until_or(Instant::now() + backoff, deadline, error).await?;
                backoff *= 4;
            }
            attempt += 1;
        }
    }

    /// Waits until an installation may send requests.
    async fn keep_quiet(
        &self,
        operation: &'static str,
        installation: u64,
        deadline: Instant,
    ) -> Result<(), GithubError> {
        let wait = self.pauses.left(installation);
        if wait.is_zero() {
            return Ok(());
        }
        sleep_until_or(Instant::now() + wait, deadline, GithubError::Busy { operation, wait }).await
    }

    async fn request(
        &self,
        call: &Call<'_>,
        url: &Url,
        token: &SecretString,
        installation: u64,
    ) -> Result<Answer, Outcome> {
        let operation = call.operation;
        let mut request = self
            .http
            .request(call.method.clone(), url.clone())
            .timeout(self.patience.request)
            .bearer_auth(token.expose_secret())
            .header("accept", "application/vnd.github+json")
            .header("x-github-api-version", API_VERSION);
        if let Some(body) = &call.body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|cause| unreachable(operation, cause))?;
        let (status, headers) = (response.status(), response.headers().clone());
        if status.is_redirection() {
            let to = headers.get(LOCATION).and_then(|to| url.join(to.to_str().ok()?).ok());
            return match to.filter(|to| self.is_ours(to)) {
                Some(to) => Err(Outcome::Moved(to)),
                None => Err(failed(GithubError::Elsewhere { operation })),
            };
        }
        let text = sdk::call::bounded_text(response, MAX_ANSWER).await;
        let pause = wanted_by(status, &headers, &text);
        if let Some(pause) = pause {
            self.pauses.add(installation, pause);
            tracing::warn!(
                operation,
                status = status.as_u16(),
                installation,
                seconds = pause.as_secs(),
                "GitHub asks for a pause"
            );
        }
        if status.is_success() {
            return Ok(Answer { operation, headers, text });
        }
        Err(refused(operation, status, &text, pause))
    }

    /// `<base>/<segments>?<parameters>`.
    fn url(&self, call: &Call<'_>) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(&call.path);
        }
        if !call.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&call.query);
        }
        url
    }

    fn is_ours(&self, url: &Url) -> bool {
        let prefix = self.base.path().trim_end_matches('/');
        let below = url.path().strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'));
        below && url.origin() == self.base.origin()
    }
}

fn failed(error: GithubError) -> Outcome {
    Outcome::Failed { error, pause: None, taken: false }
}

fn unreachable(operation: &'static str, cause: reqwest::Error) -> Outcome {
    let taken = !cause.is_connect();
    let error = GithubError::Unreachable { operation, cause: cause.without_url() };
    Outcome::Failed { error, pause: None, taken }
}

fn refused(operation: &'static str, status: StatusCode, text: &str, pause: Option<Duration>) -> Outcome {
    // Who is told to come later was not served. Anybody on the way may say 5xx, before or after.
    let taken = !(pause.is_some() && status.is_client_error()) && is_passing(status);
    let error = match pause.filter(|_| status.is_client_error()) {
        Some(wait) => GithubError::Busy { operation, wait },
        None => GithubError::Refused { operation, status, text: shortened(text) },
    };
    Outcome::Failed { error, pause, taken }
}

fn shortened(text: &str) -> String {
    text.chars().take(MAX_ERROR_TEXT).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

async fn sleep_until_or(end: Instant, deadline: Instant, error: GithubError) -> Result<(), GithubError> {
    if end > deadline {
        return Err(error);
    }
    tokio::time::sleep_until(end).await;
    Ok(())
}
