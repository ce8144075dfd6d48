//! Waiting for what others do after a write: the controller, which opens, and the cluster, which collects what is left over.

use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

use super::KubernetesBackend;
use super::object::{Holder, Sealed, State, has_keys, holder, state};
use crate::backend::{BackendError, Unopenable};

/// Between the first two looks; longer each time.
const FIRST: Duration = Duration::from_millis(20);
/// And never longer than this.
const LONGEST: Duration = Duration::from_millis(500);

/// Looks again and again, until it is too late.
struct Patience {
    until: Instant,
    next: Duration,
}

impl Patience {
    fn new(limit: Duration) -> Self {
        Self { until: Instant::now() + limit, next: FIRST }
    }

    /// False where there is no time left.
    async fn wait(&mut self) -> bool {
        if Instant::now() >= self.until {
            return false;
        }
        tokio::time::sleep(self.next).await;
        self.next = (self.next * 3 / 2).min(LONGEST);
        true
    }
}

impl KubernetesBackend {
    /// Waits until there is a `Secret` with the keys of the object that was written, and no others.
    ///
    /// # Errors
    /// When the controller cannot open it or may not write there, or it takes too long.
    pub(super) async fn until_synced(&self, name: &str, written: &Sealed) -> Result<(), BackendError> {
        let mut patience = Patience::new(self.sync);
        loop {
            let object = self.cluster.sealed(name).await?;
            let object = object.filter(|object| object.metadata.uid == written.metadata.uid);
            let Some(object) = object else { return Err(late(name, "it was deleted meanwhile")) };
            match state(&object) {
                State::NotOpened => {
                    let why = "no key of this stage opens it".to_owned();
                    return Err(Unopenable { name: name.to_owned(), key: None, why }.into());
                }
                State::NotManaged => return Err(BackendError::Exists { name: name.to_owned() }),
                State::Invalid => {
                    let what = format!("the secret {name}");
                    return Err(BackendError::Refused { what, status: StatusCode::UNPROCESSABLE_ENTITY });
                }
                State::Synced if self.is_made(name, &object).await? => return Ok(()),
                State::Synced | State::Waiting => {}
            }
            if !patience.wait().await {
                return Err(late(name, "the controller takes long to open it"));
            }
        }
    }

    async fn is_made(&self, name: &str, object: &Sealed) -> Result<bool, BackendError> {
        let secret = self.cluster.secret(name).await?;
        Ok(secret
            .is_some_and(|secret| holder(&secret.metadata, Some(object)) == Holder::This && has_keys(&secret, object)))
    }

    /// Waits until the cluster has removed the `Secret` whose object is gone. One that was made by hand stays.
    ///
    /// # Errors
    /// When it takes too long.
    pub(super) async fn until_gone(&self, name: &str) -> Result<(), BackendError> {
        let mut patience = Patience::new(self.sync);
        loop {
            match self.cluster.secret_metadata(name).await? {
                Some(secret) if holder(&secret, None) != Holder::Other => {}
                _ => return Ok(()),
            }
            if !patience.wait().await {
                return Err(late(name, "the cluster takes long to remove it"));
            }
        }
    }
}

/// What may be done a moment later.
pub(super) fn late(name: &str, why: &'static str) -> BackendError {
    BackendError::Busy { operation: format!("have the secret {name}"), cause: Some(why.into()) }
}
