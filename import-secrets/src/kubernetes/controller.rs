//! What is asked of the Sealed Secrets controller over HTTP. It answers whoever asks, and never with a value.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use http::header::RETRY_AFTER;
use sealed_secrets::Certificate;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tokio::time::{Instant, timeout_at};
use url::Url;

use super::config::Config;
use crate::backend::BackendError;

/// The longest answer: a document that was sealed anew.
const MAX_ANSWER: usize = 4 * 1024 * 1024;
/// It is asked again after this where it does not say when: it takes two questions a second, unless told otherwise.
const PAUSE: Duration = Duration::from_millis(500);
/// It is not waited for longer than this before it is asked again.
const MAX_PAUSE: Duration = Duration::from_secs(5);
/// How long a yes is believed, so that an import that ran out of time goes on where it was when it comes again.
const BELIEVED: Duration = Duration::from_secs(600);
/// So many are remembered.
const MAX_REMEMBERED: usize = 10_000;

/// The controller.
pub(super) struct Controller {
    http: reqwest::Client,
    url: Url,
    timeout: Duration,
    opened: Mutex<HashMap<[u8; 32], Instant>>,
}

impl Controller {
    pub(super) fn new(config: &Config) -> Self {
        let (url, timeout) = (config.controller.clone(), config.call);
        Self { http: sdk::http::client(), url, timeout, opened: Mutex::default() }
    }

    /// Whether the controller opens a document.
    pub(super) async fn opens(&self, document: &Value, until: Instant) -> Result<bool, BackendError> {
        let text = document.to_string();
        let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
        if self.remembers(&digest) {
            return Ok(true);
        }
        loop {
            let answer = self.post("v1/verify", text.clone()).await?;
            match answer.status() {
                StatusCode::OK => {
                    self.remember(digest);
                    return Ok(true);
                }
                StatusCode::CONFLICT => return Ok(false),
                StatusCode::TOO_MANY_REQUESTS => {
                    let pause = pause(&answer);
                    if Instant::now() + pause >= until {
                        return Err(busy("it takes no more questions now: raise its --rate-limit"));
                    }
                    tokio::time::sleep(pause).await;
                }
                status => return Err(busy(format!("it answered with {status}"))),
            }
        }
    }

    /// The document's values, sealed to the newest certificate. It opens: that was asked before.
    pub(super) async fn rotate(&self, document: &Value) -> Result<BTreeMap<String, String>, BackendError> {
        let answer = self.post("v1/rotate", document.to_string()).await?;
        let answer = self.read(answer).await?;
        let sealed = serde_json::from_slice::<Value>(&answer)
            .ok()
            .and_then(|mut answer| serde_json::from_value(answer.pointer_mut("/spec/encryptedData")?.take()).ok());
        sealed.ok_or_else(|| busy("its answer is not understood"))
    }

    /// The newest certificate, as PEM.
    pub(super) async fn certificate(&self) -> Result<String, BackendError> {
        let url = self.at("v1/cert.pem")?;
        let answer = self.http.get(url).timeout(self.timeout).send().await.map_err(unreachable)?;
        let text = String::from_utf8(self.read(answer).await?).map_err(|_| busy("its certificate is no text"))?;
        let certificate = Certificate::from_pem(&text).map_err(|_| busy("its certificate is not understood"))?;
        Ok(certificate.to_pem())
    }

    async fn post(&self, path: &str, body: String) -> Result<reqwest::Response, BackendError> {
        let post = self.http.post(self.at(path)?).header("content-type", "application/json").body(body);
        post.timeout(self.timeout).send().await.map_err(unreachable)
    }

    fn at(&self, path: &str) -> Result<Url, BackendError> {
        self.url.join(path).map_err(|_| busy("its URL is not usable"))
    }

    async fn read(&self, mut answer: reqwest::Response) -> Result<Vec<u8>, BackendError> {
        if answer.status() != StatusCode::OK {
            return Err(busy(format!("it answered with {}", answer.status())));
        }
        let until = Instant::now() + self.timeout;
        let mut bytes = Vec::new();
        while let Some(part) =
            timeout_at(until, answer.chunk()).await.map_err(|_| busy("it takes long"))?.map_err(unreachable)?
        {
            bytes.extend_from_slice(&part);
            if bytes.len() > MAX_ANSWER {
                return Err(busy("its answer is too long"));
            }
        }
        Ok(bytes)
    }

    fn remembers(&self, digest: &[u8; 32]) -> bool {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        opened.get(digest).is_some_and(|when| when.elapsed() < BELIEVED)
    }

    fn remember(&self, digest: [u8; 32]) {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        if opened.len() >= MAX_REMEMBERED {
            opened.retain(|_, when| when.elapsed() < BELIEVED);
        }
        if opened.len() < MAX_REMEMBERED {
            opened.insert(digest, Instant::now());
        }
    }
}

/// How long the controller wants to be left alone.
fn pause(answer: &reqwest::Response) -> Duration {
    let seconds = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    // It rounds down, and says 0 for less than a second.
    seconds.map(Duration::from_secs).unwrap_or_default().clamp(PAUSE, MAX_PAUSE)
}

fn unreachable(error: reqwest::Error) -> BackendError {
    let cause = error.without_url();
    BackendError::Busy { operation: "ask the Sealed Secrets controller".to_owned(), cause: Some(cause.into()) }
}

fn busy(why: impl Into<String>) -> BackendError {
    BackendError::Busy { operation: "ask the Sealed Secrets controller".to_owned(), cause: Some(why.into().into()) }
}
