//! Webhooks on their way: written down before the pusher is answered, sent until somebody takes them.

use std::collections::HashMap;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use hmac::{Hmac, KeyInit, Mac};
use http::StatusCode;
use sdk::failure::chain;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use url::Url;
use uuid::Uuid;

use crate::atomic_file::{self, blocking};

/// How many webhooks are sent at the same time.
const AT_ONCE: usize = 16;
/// How many webhooks may wait; a platform that is down longer than that refuses pushes.
const MAX_WAITING: usize = 10_000;
/// How long the receiver may take to answer.
const ANSWER: Duration = Duration::from_secs(10);
/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// After this long a webhook is laid aside.
const MAX_AGE: TimeDelta = TimeDelta::hours(24);
/// How many webhooks that were given up are kept to be looked at.
const KEPT: usize = 100;

/// One webhook as it lies on disk.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Delivery {
    pub(crate) id: Uuid,
    pub(crate) event: String,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) body: String,
}

impl Delivery {
    /// A push webhook with an identity of its own.
    pub(crate) fn push(body: &serde_json::Value) -> Self {
        Self { id: Uuid::new_v4(), event: "push".into(), created_at: Utc::now(), body: body.to_string() }
    }
}

/// What became of a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Not taken yet; the reason of the last failed try, if there was one.
    Waiting(Option<String>),
    /// Taken.
    Delivered,
    /// Refused for good, in the receiver's words.
    Refused(String),
}

/// Where webhooks go and how they are signed.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) url: Url,
    pub(crate) secret: SecretString,
    pub(crate) first_retry: Duration,
}

/// The webhooks that are not yet delivered.
#[derive(Debug, Clone)]
pub(crate) struct Outbox(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    target: Target,
    client: reqwest::Client,
    slots: Semaphore,
    waiting: Mutex<HashMap<Uuid, watch::Receiver<Fate>>>,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

impl Outbox {
    /// Opens the outbox and sends what an earlier process left in it.
    pub(crate) fn open(
        folder: PathBuf,
        target: Target,
        tasks: TaskTracker,
        shutdown: CancellationToken,
    ) -> io::Result<Self> {
        std::fs::create_dir_all(folder.join("refused"))?;
        let left = read_all(&folder)?;
        let this = Self(Arc::new(Inner {
            folder,
            target,
            client: sdk::http::client(),
            slots: Semaphore::new(AT_ONCE),
            waiting: Mutex::default(),
            tasks,
            shutdown,
        }));
        for delivery in left {
            tracing::info!(delivery = %delivery.id, "sending a webhook that was left from before");
            this.send(delivery);
        }
        Ok(this)
    }

    /// Writes webhooks down and begins to send them. When this returns, they survive the death of this process.
    pub(crate) async fn add(&self, deliveries: Vec<Delivery>) -> io::Result<Vec<watch::Receiver<Fate>>> {
        if self.waiting().len() + deliveries.len() > MAX_WAITING {
            return Err(io::Error::other("too many webhooks wait for the platform already"));
        }
        let folder = self.0.folder.clone();
        let written = blocking(move || {
            for delivery in &deliveries {
                atomic_file::write(&file(&folder, delivery.id), &serde_json::to_vec(delivery)?)?;
            }
            Ok(deliveries)
        });
        Ok(written.await?.into_iter().map(|delivery| self.send(delivery)).collect())
    }

    fn send(&self, delivery: Delivery) -> watch::Receiver<Fate> {
        let (tell, fate) = watch::channel(Fate::Waiting(None));
        self.waiting().insert(delivery.id, fate.clone());
        let this = self.clone();
        self.0.tasks.spawn(async move {
            let stop = this.0.shutdown.clone();
            tokio::select! {
                () = this.deliver(&delivery, &tell) => {}
                () = stop.cancelled() => {}
            }
            this.waiting().remove(&delivery.id);
        });
        fate
    }

    async fn deliver(&self, delivery: &Delivery, tell: &watch::Sender<Fate>) {
        let mut wait = self.0.target.first_retry;
        loop {
            match self.attempt(delivery).await {
                Attempt::Taken => {
                    self.done(delivery, tell).await;
                    return;
                }
                Attempt::Refused(reason) => {
                    self.give_up(delivery, reason, tell).await;
                    return;
                }
                Attempt::Failed(reason) if Utc::now() - delivery.created_at > MAX_AGE => {
                    self.give_up(delivery, format!("given up after a day: {reason}"), tell).await;
                    return;
                }
                Attempt::Failed(reason) => {
                    tracing::warn!(delivery = %delivery.id, reason, "a webhook was not taken and will be sent again");
                    tell.send_replace(Fate::Waiting(Some(reason)));
                }
            }
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }

    async fn attempt(&self, delivery: &Delivery) -> Attempt {
        let Ok(_slot) = self.0.slots.acquire().await else { return Attempt::Failed("stopping".into()) };
        let Inner { client, target, .. } = &*self.0;
        let request = client
            .post(target.url.clone())
            .timeout(ANSWER)
            .header("content-type", "application/json")
            .header("x-github-event", &delivery.event)
            .header("x-github-delivery", delivery.id.to_string())
            .header("x-hub-signature-256", signature(&target.secret, delivery.body.as_bytes()))
            .body(delivery.body.clone());
        match request.send().await {
            Ok(response) => judge(response).await,
            Err(error) => {
                tracing::debug!(cause = chain(&error), "the webhook's receiver could not be reached");
                Attempt::Failed("the platform does not answer".into())
            }
        }
    }

    async fn done(&self, delivery: &Delivery, tell: &watch::Sender<Fate>) {
        let path = file(&self.0.folder, delivery.id);
        if let Err(error) = tokio::fs::remove_file(&path).await {
            tracing::error!(cause = %error, file = %path.display(), "a delivered webhook could not be removed; it will be sent again");
        }
        tell.send_replace(Fate::Delivered);
    }

    async fn give_up(&self, delivery: &Delivery, reason: String, tell: &watch::Sender<Fate>) {
        tracing::error!(delivery = %delivery.id, reason, "a webhook was refused and is laid aside");
        let (folder, id) = (self.0.folder.clone(), delivery.id);
        let moved = blocking(move || {
            std::fs::rename(file(&folder, id), file(&folder.join("refused"), id))?;
            prune(&folder.join("refused"))
        });
        if let Err(error) = moved.await {
            tracing::error!(cause = %error, delivery = %delivery.id, "a refused webhook could not be laid aside");
        }
        tell.send_replace(Fate::Refused(reason));
    }

    fn waiting(&self) -> std::sync::MutexGuard<'_, HashMap<Uuid, watch::Receiver<Fate>>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How one try ended.
enum Attempt {
    Taken,
    Refused(String),
    Failed(String),
}

/// A 4xx answer is final, except those that say "not now" or come from a platform that is still starting.
async fn judge(response: reqwest::Response) -> Attempt {
    let status = response.status();
    let later =
        [StatusCode::NOT_FOUND, StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_EARLY, StatusCode::TOO_MANY_REQUESTS];
    if status.is_success() {
        return Attempt::Taken;
    }
    if !status.is_client_error() || later.contains(&status) {
        return Attempt::Failed(format!("the platform answered {}", status.as_u16()));
    }
    let text = first_bytes(response).await;
    let sentence = crate::plain::line(text.lines().next().unwrap_or_default(), crate::plain::WIDTH);
    Attempt::Refused(if sentence.is_empty() { format!("the answer was {}", status.as_u16()) } else { sentence })
}

async fn first_bytes(mut response: reqwest::Response) -> String {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > 4096 {
            break;
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The value of `X-Hub-Signature-256`.
pub(crate) fn signature(secret: &SecretString, body: &[u8]) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret().as_bytes()) else {
        unreachable!("HMAC takes keys of every length")
    };
    mac.update(body);
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

fn file(folder: &std::path::Path, id: Uuid) -> PathBuf {
    folder.join(format!("{id}.json"))
}

/// What lies in the outbox, oldest first. A file that cannot be read stops the start: it is an accepted push.
fn read_all(folder: &std::path::Path) -> io::Result<Vec<Delivery>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        if !name.ends_with(".json") {
            // What a dying process left half-written was never promised to anybody.
            if name.starts_with(".new-") {
                std::fs::remove_file(&path)?;
            }
            continue;
        }
        let delivery: Delivery = serde_json::from_slice(&std::fs::read(&path)?).map_err(|error| {
            let sentence = format!("the unsent webhook {} is damaged ({error}); move it away", path.display());
            io::Error::new(io::ErrorKind::InvalidData, sentence)
        })?;
        found.push(delivery);
    }
    found.sort_by_key(|delivery| delivery.created_at);
    Ok(found)
}

/// Keeps only the newest of the refused webhooks.
fn prune(folder: &std::path::Path) -> io::Result<()> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        files.push((entry.metadata()?.modified()?, entry.path()));
    }
    files.sort();
    let surplus = files.len().saturating_sub(KEPT);
    files.iter().take(surplus).try_for_each(|(_, path)| std::fs::remove_file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_github_s_documented_example() {
        let secret = SecretString::from("It's a Secret to Everybody");
        let expected = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        assert_eq!(signature(&secret, b"Hello, World!"), expected);
    }

    #[test]
    fn a_damaged_webhook_stops_the_start_and_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x.json"), "{").unwrap();
        let error = read_all(folder.path()).unwrap_err().to_string();
        assert!(error.contains("x.json"), "{error}");
    }

    #[test]
    fn only_the_newest_refused_webhooks_are_kept() {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..KEPT + 5 {
            std::fs::write(folder.path().join(format!("{number}.json")), "").unwrap();
        }
        prune(folder.path()).unwrap();
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), KEPT);
    }
}
