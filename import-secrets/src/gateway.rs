//! Secrets at an OpenFaaS gateway. It keeps one value under one name and knows nothing of sealed ones, so they are
//! opened here.
//!
//! A secret with one key is one secret of the gateway's, each key of one with several is one. All are sent with the name of
//! the file that functions are to see, which is the key; a gateway that does not know of that shows the secret's own name.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{StreamExt as _, stream};
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::StatusCode;
use sdk::gateway::{GatewayError, Secret};
use sdk::id::OwnerId;
use sealed_secrets::seal;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use tokio::sync::Semaphore;

use crate::backend::{Backend, BackendError, Candidate, Change, Opened, OpenedKey, Unopenable, Value};
use crate::opening::{OpenValue, Opener, Outcome};

/// So many calls of the gateway at the same time, all imports together.
const AT_ONCE: usize = 16;
/// What the key of prints is derived for.
const PURPOSE: &[u8] = b"openfaas-cloud/v1/secret-version";

/// Any OpenFaaS gateway.
pub(crate) struct GatewayBackend {
    gateway: sdk::gateway::Gateway,
    opener: Opener,
    namespace: String,
    prints: Hmac<Sha256>,
    timeout: Duration,
    calls: Semaphore,
}

impl GatewayBackend {
    /// Secrets of `gateway`, each call within `timeout`.
    pub(crate) fn new(
        gateway: sdk::gateway::Gateway,
        opener: Opener,
        namespace: &str,
        payload_secret: &SecretString,
        timeout: Duration,
    ) -> Self {
        let mut parent = keyed(payload_secret.expose_secret().as_bytes());
        parent.update(PURPOSE);
        let prints = keyed(&parent.finalize().into_bytes());
        Self { gateway, opener, namespace: namespace.to_owned(), prints, timeout, calls: Semaphore::new(AT_ONCE) }
    }

    /// Tells values of one key apart for whoever has the payload secret, and says nothing to all others.
    fn print(&self, name: &str, key: &str, value: &[u8]) -> String {
        let mut mac = self.prints.clone();
        // Neither has a line feed in it.
        mac.update(format!("{name}\n{key}\n").as_bytes());
        mac.update(value);
        hex::encode(mac.finalize().into_bytes())
    }

    fn opened(&self, candidate: &Candidate, values: BTreeMap<String, OpenValue>) -> Opened {
        let values = values.into_iter().map(|(key, OpenValue { value, fingerprint })| {
            let print = self.print(&candidate.name, &key, value.expose_secret());
            (key, OpenedKey { print, fingerprint, value: Some(value) })
        });
        values.collect()
    }

    async fn write(&self, secret: Secret, is_ours: bool) -> Result<(), BackendError> {
        let name = secret.name.clone();
        let write = async {
            if is_ours { self.gateway.put_secret(&secret).await } else { self.gateway.create_secret(&secret).await }
        };
        match self.call(write, format!("write the secret {name}")).await? {
            Ok(()) => Ok(()),
            Err(error) if error.status() == Some(StatusCode::CONFLICT) => Err(BackendError::Exists { name }),
            Err(error) => Err(failed(&format!("the secret {name}"), error)),
        }
    }

    /// One call of the gateway, in its turn and for a limited time.
    async fn call<T>(&self, call: impl Future<Output = T>, operation: String) -> Result<T, BackendError> {
        let _turn =
            self.calls.acquire().await.map_err(|_| BackendError::Busy { operation: operation.clone(), cause: None })?;
        let busy = |_| BackendError::Busy { operation, cause: Some("the gateway takes long".into()) };
        tokio::time::timeout(self.timeout, call).await.map_err(busy)
    }

    async fn outcomes(&self, candidates: Vec<Candidate>) -> Result<Vec<Outcome>, BackendError> {
        let busy = || BackendError::Busy { operation: "open sealed values".to_owned(), cause: None };
        self.opener.open(candidates).await.ok_or_else(busy)
    }

    async fn open_one(&self, secret: &Candidate) -> Result<BTreeMap<String, OpenValue>, BackendError> {
        let busy = || BackendError::Busy { operation: "open sealed values".to_owned(), cause: None };
        Ok(self.outcomes(vec![secret.clone()]).await?.pop().ok_or_else(busy)??)
    }
}

#[async_trait]
impl Backend for GatewayBackend {
    fn names(&self, secret: &str, keys: &mut dyn Iterator<Item = &str>) -> BTreeSet<String> {
        let keys: Vec<&str> = keys.collect();
        keys.iter().map(|key| name_of(secret, key, keys.len())).collect()
    }

    async fn open(&self, candidates: Vec<Candidate>) -> Result<Vec<Result<Opened, Unopenable>>, BackendError> {
        let outcomes = self.outcomes(candidates.clone()).await?;
        let opened = candidates.iter().zip(outcomes);
        Ok(opened.map(|(candidate, values)| values.map(|values| self.opened(candidate, values))).collect())
    }

    async fn list(&self) -> Result<BTreeSet<String>, BackendError> {
        let listed = self.call(self.gateway.secrets(), "list the secrets".to_owned()).await?;
        let listed = listed.map_err(|error| failed("the list of secrets", error))?;
        Ok(listed.into_iter().map(|secret| secret.name).collect())
    }

    async fn put(&self, change: Change<'_>) -> Result<(), BackendError> {
        let Candidate { name, sealed, .. } = change.candidate;
        let mut writes = Vec::new();
        for (key, opened) in change.changed {
            let Some(value) = &opened.value else { continue };
            let secret = Secret {
                name: name_of(name, key, sealed.len()),
                raw_value: STANDARD.encode(value.expose_secret()),
                file_name: key.clone(),
                ..Secret::default()
            };
            let is_ours = change.held.contains(&secret.name);
            writes.push(self.write(secret, is_ours));
        }
        // All that began end, so that nothing is written after it was undone.
        let written: Vec<_> = stream::iter(writes).buffer_unordered(AT_ONCE).collect().await;
        written.into_iter().collect()
    }

    async fn remove(&self, _owner: &OwnerId, name: &str) -> Result<(), BackendError> {
        match self.call(self.gateway.delete_secret(name), format!("remove the secret {name}")).await? {
            Err(error) if error.status() != Some(StatusCode::NOT_FOUND) => {
                Err(failed(&format!("the secret {name}"), error))
            }
            _ => Ok(()),
        }
    }

    async fn values(&self, secret: &Candidate) -> Result<BTreeMap<String, Value>, BackendError> {
        Ok(self.open_one(secret).await?.into_iter().map(|(key, opened)| (key, opened.value)).collect())
    }

    async fn certificate(&self) -> Result<String, BackendError> {
        let keys = self.opener.keys().clone();
        let busy = |_| BackendError::Busy { operation: "read the sealing keys".to_owned(), cause: None };
        tokio::task::spawn_blocking(move || keys.ring().newest().to_pem()).await.map_err(busy)
    }

    async fn reseal(&self, secret: &Candidate) -> Result<BTreeMap<String, String>, BackendError> {
        let values = self.open_one(secret).await?;
        let (keys, name, namespace) = (self.opener.keys().clone(), secret.name.clone(), self.namespace.clone());
        let busy = || BackendError::Busy { operation: "seal values".to_owned(), cause: None };
        let resealed = tokio::task::spawn_blocking(move || {
            let ring = keys.ring();
            let sealed = values.into_iter().map(|(key, opened)| {
                Some((key, seal(ring.newest(), &namespace, &name, opened.value.expose_secret()).ok()?))
            });
            sealed.collect()
        });
        resealed.await.ok().flatten().ok_or_else(busy)
    }
}

/// What one key is called at the gateway.
fn name_of(secret: &str, key: &str, keys: usize) -> String {
    if keys == 1 { secret.to_owned() } else { format!("{secret}.{key}") }
}

/// Without what the gateway said: it may have repeated what it was sent.
fn failed(what: &str, error: GatewayError) -> BackendError {
    match error.status() {
        Some(status) if is_final(status) => BackendError::Refused { what: what.to_owned(), status },
        Some(status) => {
            let cause = Some(format!("the gateway answered with {status}").into());
            BackendError::Busy { operation: format!("have {what}"), cause }
        }
        None => BackendError::Busy { operation: format!("have {what}"), cause: Some(error.into()) },
    }
}

/// Whether the same call will be refused again. Wrong credentials are the operator's to mend, so the message waits.
fn is_final(status: StatusCode) -> bool {
    let later =
        [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN, StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];
    status.is_client_error() && !later.contains(&status)
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}
