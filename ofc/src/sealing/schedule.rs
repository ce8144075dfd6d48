//! New keys in time.

use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio_util::sync::CancellationToken;

use super::{SealingKeys, is_due};

/// How often it is looked whether a key is old enough. Timers stand still while a machine sleeps, so this is much shorter than
/// a day, and what counts is the clock.
const LOOK: Duration = Duration::from_secs(3600);

/// When a new key is made.
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    keys: SealingKeys,
    days: u32,
}

impl Schedule {
    /// A new key after so many days; never, for 0.
    pub(crate) fn new(keys: SealingKeys, days: u32) -> Self {
        Self { keys, days }
    }

    /// Makes a key if there is none yet.
    ///
    /// # Errors
    /// When it cannot be made: without a key, no secret can be sealed for this stage.
    pub(crate) async fn first(&self, now: DateTime<Utc>) -> anyhow::Result<()> {
        let keys = self.keys.clone();
        blocking(move || if keys.load()?.is_none() { keys.make(now).map(drop) } else { Ok(()) }).await
    }

    /// Makes new ones in time, until `stop`. What goes wrong is logged and tried again.
    pub(crate) async fn keep(&self, stop: CancellationToken) {
        loop {
            if let Err(error) = self.look(Utc::now()).await {
                let error = format!("{error:#}");
                tracing::error!(error, "No new sealing key could be made; the old one stays in use");
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    /// Makes a new key if the newest is old enough. True if it was.
    pub(super) async fn look(&self, now: DateTime<Utc>) -> anyhow::Result<bool> {
        if self.days == 0 {
            return Ok(false);
        }
        let (keys, days) = (self.keys.clone(), self.days);
        blocking(move || {
            let due = keys.load()?.is_some_and(|ring| is_due(ring.newest(), days, now));
            if due {
                keys.make(now)?;
            }
            Ok(due)
        })
        .await
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> anyhow::Result<T> + Send + 'static) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await?
}
