//! What is asked of the cluster's API, each call within its time. The namespace is always the functions' own.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::time::Duration;

use http::StatusCode;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, ListParams, PostParams, Preconditions};
use kube::core::ObjectMeta;
use kube::{Api, Client, Error};
use tokio::sync::{OnceCell, Semaphore};

use super::config::Config;
use super::object::{Sealed, resource};
use crate::backend::BackendError;

/// So many calls at the same time, all imports together.
const AT_ONCE: usize = 16;
/// Names in one answer.
const PAGE: u32 = 500;
/// More pages than this are not read.
const MAX_PAGES: usize = 200;

/// One namespace of a cluster.
pub(super) struct Cluster {
    config: kube::Config,
    client: OnceCell<Client>,
    namespace: String,
    timeout: Duration,
    calls: Semaphore,
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
        Self {
            config: config.cluster.clone(),
            client: OnceCell::new(),
            namespace: config.namespace.clone(),
            timeout: config.call,
            calls: Semaphore::new(AT_ONCE),
        }
    }

    pub(super) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// The names of all `Secret`s. Nothing else of them is asked for.
    pub(super) async fn names(&self) -> Result<BTreeSet<String>, BackendError> {
        let (secrets, what) = (self.secrets().await?, "the list of secrets");
        let (mut names, mut page) = (BTreeSet::new(), ListParams::default().limit(PAGE));
        for _ in 0..MAX_PAGES {
            let listed = self.call(what, secrets.list_metadata(&page)).await?;
            let listed = listed.map_err(|error| failed(what, &error))?;
            names.extend(listed.items.into_iter().filter_map(|secret| secret.metadata.name));
            match listed.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => page = page.continue_token(&token),
                None => return Ok(names),
            }
        }
        Err(busy(what, "there are too many"))
    }

    pub(super) async fn sealed(&self, name: &str) -> Result<Option<Sealed>, BackendError> {
        let (sealed, what) = (self.sealed_secrets().await?, format!("the SealedSecret {name}"));
        self.call(&what, sealed.get_opt(name)).await?.map_err(|error| failed(&what, &error))
    }

    /// What is said of a `Secret`, without its values.
    pub(super) async fn secret_metadata(&self, name: &str) -> Result<Option<ObjectMeta>, BackendError> {
        let (secrets, what) = (self.secrets().await?, format!("the secret {name}"));
        let found = self.call(&what, secrets.get_metadata_opt(name)).await?;
        found.map(|secret| secret.map(|secret| secret.metadata)).map_err(|error| failed(&what, &error))
    }

    pub(super) async fn secret(&self, name: &str) -> Result<Option<Secret>, BackendError> {
        let (secrets, what) = (self.secrets().await?, format!("the secret {name}"));
        self.call(&what, secrets.get_opt(name)).await?.map_err(|error| failed(&what, &error))
    }

    pub(super) async fn create(&self, name: &str, object: &Sealed) -> Result<Written, BackendError> {
        let (sealed, what) = (self.sealed_secrets().await?, format!("the SealedSecret {name}"));
        written(&what, self.call(&what, sealed.create(&PostParams::default(), object)).await?)
    }

    /// Replaces the object of just the version that the new one names.
    pub(super) async fn replace(&self, name: &str, object: &Sealed) -> Result<Written, BackendError> {
        let (sealed, what) = (self.sealed_secrets().await?, format!("the SealedSecret {name}"));
        written(&what, self.call(&what, sealed.replace(name, &PostParams::default(), object)).await?)
    }

    /// Deletes an object that meets the conditions, and with it what the controller made from it. False where it does not.
    pub(super) async fn delete(&self, name: &str, just_this: Preconditions) -> Result<bool, BackendError> {
        let (sealed, what) = (self.sealed_secrets().await?, format!("the SealedSecret {name}"));
        let parameters = DeleteParams::background().preconditions(just_this);
        match self.call(&what, sealed.delete(name, &parameters)).await? {
            Ok(_) => Ok(true),
            Err(Error::Api(status)) if status.is_not_found() => Ok(true),
            Err(Error::Api(status)) if status.code == StatusCode::CONFLICT.as_u16() => Ok(false),
            Err(error) => Err(failed(&what, &error)),
        }
    }

    async fn sealed_secrets(&self) -> Result<Api<Sealed>, BackendError> {
        Ok(Api::namespaced_with(self.client().await?, &self.namespace, &resource()))
    }

    async fn secrets(&self) -> Result<Api<Secret>, BackendError> {
        Ok(Api::namespaced(self.client().await?, &self.namespace))
    }

    /// Made at the first call: it wants a runtime, and the account's files may come a moment after the pod has started.
    async fn client(&self) -> Result<Client, BackendError> {
        let made = self.client.get_or_try_init(|| async { Client::try_from(self.config.clone()) }).await;
        made.cloned().map_err(|error| failed("the cluster's API", &error))
    }

    /// One call, in its turn and for a limited time.
    async fn call<T>(&self, what: &str, call: impl Future<Output = T>) -> Result<T, BackendError> {
        let in_turn = async {
            let _turn = self.calls.acquire().await;
            call.await
        };
        tokio::time::timeout(self.timeout, in_turn).await.map_err(|_| busy(what, "the cluster's API takes long"))
    }
}

fn written(what: &str, result: Result<Sealed, Error>) -> Result<Written, BackendError> {
    match result {
        Ok(object) => Ok(Written::Done(Box::new(object))),
        // It is there already, or has another version, or is gone.
        Err(Error::Api(status)) if status.code == StatusCode::CONFLICT.as_u16() => Ok(Written::Overtaken),
        Err(error) => Err(failed(what, &error)),
    }
}

/// Without what the cluster said: it may have repeated what it was sent.
fn failed(what: &str, error: &Error) -> BackendError {
    let Error::Api(answer) = error else {
        return busy(
            what,
            if is_transport(error) { error.to_string() } else { "the answer is not understood".to_owned() },
        );
    };
    match StatusCode::from_u16(answer.code) {
        Ok(status @ (StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY)) => {
            BackendError::Refused { what: what.to_owned(), status }
        }
        Ok(StatusCode::NOT_FOUND) => busy(what, "it is not there: is the Sealed Secrets controller installed?"),
        Ok(status) => busy(what, format!("the cluster's API answered with {status}")),
        Err(_) => busy(what, "the cluster's API answered with no status"),
    }
}

fn is_transport(error: &Error) -> bool {
    !matches!(error, Error::SerdeError(_) | Error::FromUtf8(_))
}

fn busy(what: &str, why: impl Display) -> BackendError {
    BackendError::Busy { operation: format!("have {what}"), cause: Some(why.to_string().into()) }
}
