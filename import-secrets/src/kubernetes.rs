//! Secrets of a Kubernetes cluster, kept by the Sealed Secrets controller: this function writes what is sealed, and the
//! controller opens it into a `Secret` of the same name.
//!
//! Whether the controller can open a secret is asked before anything is written. What is written carries its owner and its
//! repository, and nothing is written over that does not. A write is done when the controller says so of just that
//! generation. One secret has one name, whatever keys it has.

mod calls;
mod cluster;
mod config;
mod controller;
mod object;
mod wait;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use async_trait::async_trait;
use kube::api::Preconditions;
use sdk::id::OwnerId;
use sha2::{Digest as _, Sha256};
use tokio::time::Instant;

use self::cluster::{Cluster, Written};
pub(crate) use self::config::Config;
use self::controller::Controller;
use self::object::{Holder, Sealed, State};
use crate::backend::{Backend, BackendError, Candidate, Change, Opened, OpenedKey, Unopenable, Value};

/// A write begins again so often where somebody else writes the same object.
const TRIES: u32 = 8;
/// Between the first two of them, and longer each time. The controller itself writes the same object, to say how it went.
const PAUSE: Duration = Duration::from_millis(10);
/// After so many that do not open, the rest is not asked about: each takes its turn at the controller.
const MAX_FAILURES: usize = 8;

/// A cluster with the Sealed Secrets controller.
pub(crate) struct KubernetesBackend {
    cluster: Cluster,
    controller: Controller,
    sync: Duration,
    verify: Duration,
}

impl KubernetesBackend {
    /// Secrets of the functions' namespace.
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            cluster: Cluster::new(config),
            controller: Controller::new(config),
            sync: config.sync,
            verify: config.verify,
        }
    }

    async fn check(&self, candidate: &Candidate, until: Instant) -> Result<bool, BackendError> {
        self.controller.opens(&object::document(candidate, self.cluster.namespace()), until).await
    }

    /// Writes once, and tells whether it made what is there now; `None` where somebody else wrote in between.
    async fn write(&self, change: &Change<'_>) -> Result<Option<(Box<Sealed>, bool)>, BackendError> {
        let name = &change.candidate.name;
        let current = self.cluster.sealed(name).await?;
        if current.as_ref().is_some_and(|current| !object::may_write_over(current, change)) {
            return Err(BackendError::Exists { name: name.clone() });
        }
        let secret = self.cluster.secret_metadata(name).await?;
        let holder = secret.as_ref().map(|secret| object::holder(secret, current.as_ref()));
        match holder {
            Some(Holder::Other) => return Err(BackendError::Exists { name: name.clone() }),
            Some(Holder::Gone) => return Err(wait::late(name, "an older one is being removed")),
            Some(Holder::This) | None => {}
        }
        let mut desired = object::desired(change, self.cluster.namespace());
        let Some(current) = current else {
            return Ok(done(self.cluster.create(name, &desired).await?, true));
        };
        let same = object::settle(&mut desired, &current);
        let lost = match object::state(&current) {
            State::Waiting => false,
            State::Synced => holder.is_none(),
            State::NotOpened | State::NotManaged | State::Invalid => true,
        };
        if same && !lost {
            return Ok(Some((Box::new(current), false)));
        }
        if lost {
            object::renew(&mut desired);
        }
        Ok(done(self.cluster.replace(name, &desired).await?, false))
    }
}

fn done(written: Written, made: bool) -> Option<(Box<Sealed>, bool)> {
    match written {
        Written::Done(object) => Some((object, made)),
        Written::Overtaken => None,
    }
}

#[async_trait]
impl Backend for KubernetesBackend {
    fn names(&self, secret: &str, _keys: &mut dyn Iterator<Item = &str>) -> BTreeSet<String> {
        BTreeSet::from([secret.to_owned()])
    }

    async fn open(&self, candidates: Vec<Candidate>) -> Result<Vec<Result<Opened, Unopenable>>, BackendError> {
        let until = Instant::now() + self.verify;
        let (mut answers, mut failures) = (Vec::new(), 0);
        for candidate in &candidates {
            let refused = |why: &str| Unopenable { name: candidate.name.clone(), key: None, why: why.to_owned() };
            answers.push(if candidate.wanted.is_empty() {
                Ok(Opened::new())
            } else if failures >= MAX_FAILURES {
                Err(refused("it was not tried, since several others do not open"))
            } else if self.check(candidate, until).await? {
                Ok(opened(candidate))
            } else {
                failures += 1;
                Err(refused(
                    "no key of this stage opens all of it: was it sealed for another stage, name or namespace?",
                ))
            });
        }
        Ok(answers)
    }

    async fn list(&self) -> Result<BTreeSet<String>, BackendError> {
        self.cluster.names().await
    }

    async fn put(&self, change: Change<'_>) -> Result<(), BackendError> {
        let name = &change.candidate.name;
        for attempt in 0..TRIES {
            tokio::time::sleep(PAUSE * attempt).await;
            let Some((object, made)) = self.write(&change).await? else { continue };
            let synced = self.until_synced(name, &object).await;
            if made && matches!(synced, Err(BackendError::Exists { .. })) {
                // The name is somebody else's, so nobody but this call will remove what it made under it.
                self.cluster.delete(name, just(&object, false)).await?;
            }
            return synced;
        }
        Err(wait::late(name, "somebody else keeps writing it"))
    }

    async fn remove(&self, owner: &OwnerId, name: &str) -> Result<(), BackendError> {
        for attempt in 0..TRIES {
            tokio::time::sleep(PAUSE * attempt).await;
            match self.cluster.sealed(name).await? {
                Some(object) if !object::is_of_owner(&object, owner) => {
                    tracing::warn!(
                        secret = name,
                        host = owner.host,
                        owner_id = owner.id,
                        "a SealedSecret of another owner stays"
                    );
                    return Ok(());
                }
                Some(object) if !self.cluster.delete(name, just(&object, true)).await? => {}
                _ => return self.until_gone(name).await,
            }
        }
        Err(wait::late(name, "somebody else keeps writing it"))
    }

    async fn values(&self, secret: &Candidate) -> Result<BTreeMap<String, Value>, BackendError> {
        let name = &secret.name;
        let (object, found) = (self.cluster.sealed(name).await?, self.cluster.secret(name).await?);
        let refused = |key: Option<&String>, why: &str| {
            BackendError::from(Unopenable { name: name.clone(), key: key.cloned(), why: why.to_owned() })
        };
        let (Some(object), Some(found)) = (object.filter(object::is_ours), found) else {
            return Err(refused(None, "it is not in the cluster as it was imported"));
        };
        if object::holder(&found.metadata, Some(&object)) != Holder::This {
            return Err(refused(None, "it was not made from what was imported"));
        }
        if object::state(&object) != State::Synced {
            return Err(wait::late(name, "the controller has not opened it yet"));
        }
        let mut data = found.data.unwrap_or_default();
        let values = secret.wanted.iter().map(|key| {
            let imported = secret.sealed.get(key).map(String::as_str);
            let value = data.remove(key).filter(|_| imported == object::sealed_value(&object, key));
            let value = value.ok_or_else(|| refused(Some(key), "it is not in the cluster as it was imported"))?;
            Ok((key.clone(), Value::from(value.0)))
        });
        values.collect()
    }

    async fn certificate(&self) -> Result<String, BackendError> {
        self.controller.certificate().await
    }

    async fn reseal(&self, secret: &Candidate) -> Result<BTreeMap<String, String>, BackendError> {
        if !self.check(secret, Instant::now() + self.verify).await? {
            let why = "no key of this stage opens all of it".to_owned();
            return Err(Unopenable { name: secret.name.clone(), key: None, why }.into());
        }
        let resealed = self.controller.rotate(&object::document(secret, self.cluster.namespace())).await?;
        if resealed.keys().eq(secret.sealed.keys()) {
            Ok(resealed)
        } else {
            Err(wait::late(&secret.name, "the controller answered with other keys"))
        }
    }
}

/// That an object is the same one; or even that nobody has changed it, either.
fn just(object: &Sealed, unchanged: bool) -> Preconditions {
    let resource_version = object.metadata.resource_version.clone().filter(|_| unchanged);
    Preconditions { uid: object.metadata.uid.clone(), resource_version }
}

/// What only the controller can open is told apart by how it is sealed.
fn opened(candidate: &Candidate) -> Opened {
    let wanted = candidate.wanted.iter().filter_map(|key| Some((key, candidate.sealed.get(key)?)));
    let opened = wanted.map(|(key, sealed)| {
        let print = hex::encode(Sha256::digest(sealed.as_bytes()));
        (key.clone(), OpenedKey { print, fingerprint: String::new(), value: None })
    });
    opened.collect()
}
