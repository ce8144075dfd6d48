//! Webhooks on their way: written down before the pusher is answered, sent until somebody takes them, and kept
//! for some days after that.

mod delivery;
mod past;
mod send;

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{TimeDelta, Utc};
use tokio::sync::{Notify, Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::atomic_file::{self, blocking};
use crate::clock::Numbers;

pub(crate) use delivery::{Delivery, Fate, Outcome};
use past::{Past, delivery_of, newest_first};
pub(crate) use send::Target;
use send::{Answered, Verdict};

/// How many webhooks are sent at the same time.
const AT_ONCE: usize = 16;
/// How many webhooks may wait; a platform that is down longer than that refuses pushes.
const MAX_WAITING: usize = 10_000;
/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(60);
/// After this long a webhook is laid aside.
const MAX_AGE: TimeDelta = TimeDelta::hours(24);

/// The webhooks that are not yet delivered, and those of the last days.
#[derive(Debug, Clone)]
pub(crate) struct Outbox(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    folder: PathBuf,
    target: Target,
    client: reqwest::Client,
    slots: Semaphore,
    waiting: Mutex<HashMap<Uuid, Waiting>>,
    past: Past,
    redelivering: Mutex<HashSet<Uuid>>,
    numbers: Numbers,
    tasks: TaskTracker,
    shutdown: CancellationToken,
}

/// One that is not taken yet.
#[derive(Debug)]
struct Waiting {
    delivery: Delivery,
    /// How the last try ended.
    last: Option<Outcome>,
    /// Lets it be tried at once.
    now: Arc<Notify>,
}

impl Outbox {
    /// Opens the outbox and sends what an earlier process left in it.
    pub(crate) fn open(
        folder: PathBuf,
        target: Target,
        tasks: TaskTracker,
        shutdown: CancellationToken,
    ) -> io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        let past = Past::open(folder.join("past"))?;
        let left = read_all(&folder)?;
        let this = Self(Arc::new(Inner {
            folder,
            target,
            client: sdk::http::client(),
            slots: Semaphore::new(AT_ONCE),
            waiting: Mutex::default(),
            past,
            redelivering: Mutex::default(),
            numbers: Numbers::new(),
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

    /// Every try of the last days, newest first. Of those that are not taken yet only the last.
    pub(crate) async fn tries(&self) -> io::Result<Vec<(Delivery, Outcome)>> {
        let this = self.clone();
        let mut all = blocking(move || Ok(newest_first(this.0.past.all()?))).await?;
        let waiting = self.waiting();
        let left = waiting.values().filter_map(|one| Some((one.delivery.clone(), one.last.clone()?)));
        all.extend(left);
        all.sort_by_key(|(_, outcome)| std::cmp::Reverse(outcome.id));
        Ok(all)
    }

    /// Sends the webhook of a try once more. False if there is no such try.
    pub(crate) async fn redeliver(&self, id: u64) -> io::Result<bool> {
        let is_it = |one: &&Waiting| one.last.as_ref().is_some_and(|outcome| outcome.id == id);
        if let Some(one) = self.waiting().values().find(is_it) {
            one.now.notify_one();
            return Ok(true);
        }
        let this = self.clone();
        let Some(delivery) = blocking(move || Ok(delivery_of(this.0.past.all()?, id))).await? else {
            return Ok(false);
        };
        if self.redelivering().insert(delivery.id) {
            let this = self.clone();
            self.0.tasks.spawn(async move {
                let stop = this.0.shutdown.clone();
                tokio::select! {
                    answered = this.attempt(&delivery) => {
                        tracing::info!(delivery = %delivery.id, code = answered.code, "a webhook was sent again");
                        let outcome = this.outcome(&answered, true);
                        this.keep(&delivery, outcome).await;
                    }
                    () = stop.cancelled() => {}
                }
                this.redelivering().remove(&delivery.id);
            });
        }
        Ok(true)
    }

    fn send(&self, delivery: Delivery) -> watch::Receiver<Fate> {
        let (tell, fate) = watch::channel(Fate::Waiting(None));
        let now = Arc::new(Notify::new());
        self.waiting().insert(delivery.id, Waiting { delivery: delivery.clone(), last: None, now: now.clone() });
        let this = self.clone();
        self.0.tasks.spawn(async move {
            let stop = this.0.shutdown.clone();
            tokio::select! {
                () = this.deliver(&delivery, &tell, &now) => {}
                () = stop.cancelled() => {}
            }
            this.waiting().remove(&delivery.id);
        });
        fate
    }

    async fn deliver(&self, delivery: &Delivery, tell: &watch::Sender<Fate>, now: &Notify) {
        let mut wait = self.0.target.first_retry;
        loop {
            let answered = self.attempt(delivery).await;
            let outcome = self.outcome(&answered, false);
            match answered.verdict {
                Verdict::Taken => return self.done(delivery, outcome, Fate::Delivered, tell).await,
                Verdict::Refused(reason) => return self.give_up(delivery, outcome, reason, tell).await,
                Verdict::Failed(reason) if Utc::now() - delivery.created_at > MAX_AGE => {
                    return self.give_up(delivery, outcome, format!("given up after a day: {reason}"), tell).await;
                }
                Verdict::Failed(reason) => {
                    tracing::warn!(delivery = %delivery.id, reason, "a webhook was not taken and will be sent again");
                    if let Some(one) = self.waiting().get_mut(&delivery.id) {
                        one.last = Some(outcome);
                    }
                    tell.send_replace(Fate::Waiting(Some(reason)));
                }
            }
            tokio::select! {
                () = tokio::time::sleep(wait) => wait = (wait * 2).min(LONGEST_WAIT),
                () = now.notified() => {}
            }
        }
    }

    async fn attempt(&self, delivery: &Delivery) -> Answered {
        let Ok(_slot) = self.0.slots.acquire().await else { unreachable!("the slots are never closed") };
        send::send(&self.0.client, &self.0.target, delivery).await
    }

    fn outcome(&self, answered: &Answered, redelivery: bool) -> Outcome {
        Outcome {
            id: self.0.numbers.next(),
            at: Utc::now(),
            code: answered.code,
            seconds: answered.took.as_secs_f64(),
            redelivery,
            answer: answered.text.clone(),
        }
    }

    async fn give_up(&self, delivery: &Delivery, outcome: Outcome, reason: String, tell: &watch::Sender<Fate>) {
        tracing::error!(delivery = %delivery.id, reason, "a webhook was refused and is laid aside");
        self.done(delivery, outcome, Fate::Refused(reason), tell).await;
    }

    /// Moves a webhook from those that wait to those that were sent.
    async fn done(&self, delivery: &Delivery, outcome: Outcome, fate: Fate, tell: &watch::Sender<Fate>) {
        // The pusher is told first: nothing is lost by keeping it a moment later.
        tell.send_replace(fate);
        self.keep(delivery, outcome).await;
        let path = file(&self.0.folder, delivery.id);
        if let Err(error) = tokio::fs::remove_file(&path).await {
            tracing::error!(cause = %error, file = %path.display(), "a webhook that was sent could not be removed; it will be sent again");
        }
    }

    async fn keep(&self, delivery: &Delivery, outcome: Outcome) {
        let (this, kept, id) = (self.clone(), delivery.clone(), delivery.id);
        if let Err(error) = blocking(move || this.0.past.keep(&kept, outcome)).await {
            tracing::error!(cause = %error, delivery = %id, "what became of a webhook could not be written down");
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<Uuid, Waiting>> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn redelivering(&self) -> MutexGuard<'_, HashSet<Uuid>> {
        self.0.redelivering.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn file(folder: &Path, id: Uuid) -> PathBuf {
    folder.join(format!("{id}.json"))
}

/// What lies in the outbox, oldest first. A file that cannot be read stops the start: it is an accepted push.
fn read_all(folder: &Path) -> io::Result<Vec<Delivery>> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_webhook_stops_the_start_and_is_named() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("x.json"), "{").unwrap();
        let error = read_all(folder.path()).unwrap_err().to_string();
        assert!(error.contains("x.json"), "{error}");
    }
}
