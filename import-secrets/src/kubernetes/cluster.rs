//! What is asked of the cluster's API. The namespace is always the functions' own.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Secret;
use kube::Resource as _;
use kube::api::{DeleteParams, GetParams, ListParams, PartialObjectMeta, PostParams, Preconditions};
use kube::core::{ObjectList, ObjectMeta, Request};
use serde::de::IgnoredAny;

use super::calls::{Answer, Calls, busy};
use super::config::Config;
use super::object::{Sealed, resource};
use crate::backend::BackendError;

/// Names in one answer.
const PAGE: u32 = 500;
/// More pages than this are not read.
const MAX_PAGES: usize = 200;

/// One namespace of a cluster.
pub(super) struct Cluster {
    calls: Calls,
    namespace: String,
    sealed: Request,
    secrets: Request,
}

/// How a write went.
pub(super) enum Written {
    /// This is there now.
    Done(Box<Sealed>),
    /// Somebody else wrote in between.
    Overtaken,
}

impl Cluster {
    pub(super) fn new(config: &Config) -> Self {
        let namespace = Some(config.namespace.as_str());
        Self {
            calls: Calls::new(config.cluster.clone(), config.call),
            namespace: config.namespace.clone(),
            sealed: Request::new(Sealed::url_path(&resource(), namespace)),
            secrets: Request::new(Secret::url_path(&(), namespace)),
        }
    }

    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The names of all `Secret`s. Nothing else of them is asked for.
    pub(super) async fn names(&self) -> Result<BTreeSet<String>, BackendError> {
        let what = "the list of secrets";
        let (mut names, mut page) = (BTreeSet::new(), ListParams::default().limit(PAGE));
        for _ in 0..MAX_PAGES {
            let listed = self.calls.ask(what, self.secrets.list_metadata(&page)).await?;
            let listed: ObjectList<PartialObjectMeta<Secret>> =
                there(listed).ok_or_else(|| busy(what, "it is not there"))?;
            names.extend(listed.items.into_iter().filter_map(|secret| secret.metadata.name));
            match listed.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => return Ok(names),
            }
        }
        Err(busy(what, "there are too many"))
    }

    pub(super) async fn sealed(&self, name: &str) -> Result<Option<Sealed>, BackendError> {
        let request = self.sealed.get(name, &GetParams::default());
        self.calls.ask(&sealed(name), request).await.map(there)
    }

    /// What is said of a `Secret`, without its values.
    pub(super) async fn secret_metadata(&self, name: &str) -> Result<Option<ObjectMeta>, BackendError> {
        let request = self.secrets.get_metadata(name, &GetParams::default());
        let answer = self.calls.ask::<PartialObjectMeta<Secret>>(&format!("the secret {name}"), request).await?;
        Ok(there(answer).map(|secret| secret.metadata))
    }

    pub(super) async fn secret(&self, name: &str) -> Result<Option<Secret>, BackendError> {
        let request = self.secrets.get(name, &GetParams::default());
        self.calls.ask(&format!("the secret {name}"), request).await.map(there)
    }

    pub(super) async fn create(&self, name: &str, object: &Sealed) -> Result<Written, BackendError> {
        let what = sealed(name);
        let request = self.sealed.create(&PostParams::default(), json(&what, object)?);
        match self.calls.ask(&what, request).await? {
            Answer::Is(object) => Ok(Written::Done(Box::new(object))),
            Answer::Conflict => Ok(Written::Overtaken),
            Answer::NotFound => Err(busy(&what, "the cluster has none: is the Sealed Secrets controller installed?")),
        }
    }

    /// Replaces the object of just the version that the new one names.
    pub(super) async fn replace(&self, name: &str, object: &Sealed) -> Result<Written, BackendError> {
        let what = sealed(name);
        let request = self.sealed.replace(name, &PostParams::default(), json(&what, object)?);
        match self.calls.ask(&what, request).await? {
            Answer::Is(object) => Ok(Written::Done(Box::new(object))),
            Answer::Conflict | Answer::NotFound => Ok(Written::Overtaken),
        }
    }

    /// Deletes an object that meets the conditions, and with it what the controller made from it. False where it does not.
    pub(super) async fn delete(&self, name: &str, just_this: Preconditions) -> Result<bool, BackendError> {
        let request = self.sealed.delete(name, &DeleteParams::background().preconditions(just_this));
        match self.calls.ask::<IgnoredAny>(&sealed(name), request).await? {
            Answer::Is(_) | Answer::NotFound => Ok(true),
            Answer::Conflict => Ok(false),
        }
    }
}

fn sealed(name: &str) -> String {
    format!("the SealedSecret {name}")
}

fn there<T>(answer: Answer<T>) -> Option<T> {
    match answer {
        Answer::Is(object) => Some(object),
        Answer::NotFound | Answer::Conflict => None,
    }
}

fn json(what: &str, object: &Sealed) -> Result<Vec<u8>, BackendError> {
    serde_json::to_vec(object).map_err(|_| busy(what, "it cannot be written down"))
}
