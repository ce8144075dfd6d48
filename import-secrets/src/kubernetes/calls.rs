//! One call of the cluster's API: in its turn, within its time, its answer bounded.
//!
//! The client's own way to read answers logs those that it does not understand, and an answer may be a `Secret`. So they are
//! read here.

use std::fmt::Display;
use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Limited};
use kube::Client;
use kube::client::Body;
use secrecy::zeroize::Zeroizing;
use serde::de::DeserializeOwned;
use tokio::sync::{OnceCell, Semaphore};

use crate::backend::BackendError;

/// So many calls at the same time, all imports together.
const AT_ONCE: usize = 16;
/// The longest answer: a page of names, with all that is said of each.
const MAX_ANSWER: usize = 32 * 1024 * 1024;

/// Who calls.
pub(super) struct Calls {
    config: kube::Config,
    client: OnceCell<Client>,
    timeout: Duration,
    places: Semaphore,
}

/// An answer that is no failure of the cluster's.
pub(super) enum Answer<T> {
    /// What was asked for.
    Is(T),
    /// 404.
    NotFound,
    /// 409: it is there already, or has another version.
    Conflict,
}

impl Calls {
    pub(super) fn new(config: kube::Config, timeout: Duration) -> Self {
        Self { config, client: OnceCell::new(), timeout, places: Semaphore::new(AT_ONCE) }
    }

    /// Asks for `what`.
    ///
    /// # Errors
    /// When there is no answer, or one that says neither yes nor no. What the cluster said is not in it: it may have repeated
    /// what it was sent.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        what: &str,
        request: Result<Request<Vec<u8>>, kube::core::request::Error>,
    ) -> Result<Answer<T>, BackendError> {
        let request = request.map_err(|_| busy(what, "its name is not usable"))?;
        let call = async {
            let _place = self.places.acquire().await;
            self.answer(what, request).await
        };
        let answer = tokio::time::timeout(self.timeout, call).await;
        let (status, bytes) = answer.map_err(|_| busy(what, "the cluster's API takes long"))??;
        match status {
            StatusCode::OK | StatusCode::CREATED | StatusCode::ACCEPTED => {
                let understood = serde_json::from_slice(&bytes);
                understood.map(Answer::Is).map_err(|_| busy(what, "the answer of the cluster's API is not understood"))
            }
            StatusCode::NOT_FOUND => Ok(Answer::NotFound),
            StatusCode::CONFLICT => Ok(Answer::Conflict),
            StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY => {
                Err(BackendError::Refused { what: what.to_owned(), status })
            }
            // Rights and quotas are the operator's to mend, so the message waits.
            status => Err(busy(what, format!("the cluster's API answered with {status}"))),
        }
    }

    async fn answer(
        &self,
        what: &str,
        request: Request<Vec<u8>>,
    ) -> Result<(StatusCode, Zeroizing<Vec<u8>>), BackendError> {
        let answer = self.client(what).await?.send(request.map(Body::from)).await.map_err(|error| busy(what, error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await.map_err(|error| busy(what, error))?;
        Ok((status, Zeroizing::new(body.to_bytes().into())))
    }

    /// Made at the first call: it wants a runtime.
    async fn client(&self, what: &str) -> Result<Client, BackendError> {
        let made = self.client.get_or_try_init(|| async { Client::try_from(self.config.clone()) }).await;
        made.cloned().map_err(|error| busy(what, error))
    }
}

/// What may be done later.
pub(super) fn busy(what: &str, why: impl Display) -> BackendError {
    BackendError::Busy { operation: format!("have {what}"), cause: Some(why.to_string().into()) }
}
