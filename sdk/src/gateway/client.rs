//! A client of the gateway's REST API.

mod logs;

use std::time::Duration;

use futures_util::Stream;
use http::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use super::load::Load;
use super::types::{
    DeleteRequest, FunctionDeployment, FunctionStatus, Info, LogLine, NamedSecret, ScaleRequest, Secret,
};
use crate::id::ServiceName;
use crate::metrics::{MetricsAnswer, Window};
use crate::{Invalid, Reader};

pub use logs::LogQuery;

/// For calls that only ask.
const READ_TIMEOUT: Duration = Duration::from_secs(15);
/// For calls that wait for a new version to become ready, an image pull included.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(600);
/// The longest error text that is kept, in bytes.
const MAX_ERROR_TEXT: usize = 16 * 1024;
/// The longest log line that is taken, in bytes.
const MAX_LOG_LINE: usize = 1024 * 1024;

/// Why the gateway did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// No answer.
    #[error("the gateway does not answer {operation}")]
    Unreachable {
        /// What was asked.
        operation: String,
        /// Why.
        #[source]
        cause: reqwest::Error,
    },
    /// An answer that is not success.
    #[error("the gateway answered {operation} with {status}: {text}")]
    Refused {
        /// What was asked.
        operation: String,
        /// The answer's status.
        status: StatusCode,
        /// The answer's text, cut where it is long.
        text: String,
    },
    /// An answer that is not understood.
    #[error("the gateway's answer to {operation} is not understood")]
    Malformed {
        /// What was asked.
        operation: String,
        /// Why.
        #[source]
        cause: serde_json::Error,
    },
}

impl GatewayError {
    /// The status of the gateway's refusal, if it answered at all.
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }
}

/// The gateway, with the credentials of its operator. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Gateway {
    http: reqwest::Client,
    base: Url,
    user: String,
    password: SecretString,
}

impl Gateway {
    /// A client for the gateway at `base`.
    pub fn new(base: Url, user: impl Into<String>, password: SecretString) -> Self {
        Self { http: crate::http::client(), base, user: user.into(), password }
    }

    /// Reads `gateway_url` and the secrets `basic-auth-user` and `basic-auth-password`.
    ///
    /// # Errors
    /// When one of them is missing or malformed; the reader knows which.
    pub fn read(reader: &Reader<'_>) -> Result<Self, Invalid> {
        let base = reader.required("gateway_url");
        let user = reader.secret("basic-auth-user");
        let password = reader.secret("basic-auth-password");
        Ok(Self::new(base?, user?.expose_secret(), password?))
    }

    /// All functions of the default namespace.
    ///
    /// # Errors
    /// When the gateway does not answer with a list.
    pub async fn list(&self) -> Result<Vec<FunctionStatus>, GatewayError> {
        self.list_as().await
    }

    /// The same, of each function only what a `T` has of a [`FunctionStatus`]: of a thousand functions, reading the rest
    /// takes most of the time.
    ///
    /// # Errors
    /// When the gateway does not answer with a list, or one of it is no `T`.
    pub async fn list_as<T: DeserializeOwned>(&self) -> Result<Vec<T>, GatewayError> {
        self.read_json("system/functions", "the list of functions").await
    }

    /// One function, or `None` where there is none of that name.
    ///
    /// # Errors
    /// When the gateway answers neither with a function nor with 404.
    pub async fn get(&self, name: &str) -> Result<Option<FunctionStatus>, GatewayError> {
        match self.read_json(&format!("system/function/{name}"), name).await {
            Ok(function) => Ok(Some(function)),
            Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Updates the function, or creates it where the gateway does not have it.
    ///
    /// # Errors
    /// When the gateway refuses; with our own gateway also when the new version does not become ready.
    pub async fn deploy(&self, deployment: &FunctionDeployment) -> Result<(), GatewayError> {
        let operation = format!("the deployment of {}", deployment.service);
        match self.change(Method::PUT, "system/functions", deployment, &operation).await {
            Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => {
                self.change(Method::POST, "system/functions", deployment, &operation).await
            }
            other => other,
        }
    }

    /// Deletes the function. True if it was there.
    ///
    /// # Errors
    /// When the gateway answers neither with success nor with 404.
    pub async fn delete(&self, name: &str) -> Result<bool, GatewayError> {
        let body = DeleteRequest { function_name: name.to_owned(), namespace: String::new() };
        match self.change(Method::DELETE, "system/functions", &body, &format!("the deletion of {name}")).await {
            Ok(()) => Ok(true),
            Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Sets the number of replicas.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn scale(&self, name: &str, replicas: u64) -> Result<(), GatewayError> {
        let body = ScaleRequest { service_name: name.to_owned(), replicas, namespace: String::new() };
        let path = format!("system/scale-function/{name}");
        self.change(Method::POST, &path, &body, &format!("the scaling of {name}")).await
    }

    /// The names of all secrets.
    ///
    /// # Errors
    /// When the gateway does not answer with a list.
    pub async fn secrets(&self) -> Result<Vec<NamedSecret>, GatewayError> {
        self.read_json("system/secrets", "the list of secrets").await
    }

    /// Creates the secret, or replaces its value where it exists.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn put_secret(&self, secret: &Secret) -> Result<(), GatewayError> {
        let operation = format!("the secret {}", secret.name);
        match self.change(Method::PUT, "system/secrets", secret, &operation).await {
            Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => {
                self.change(Method::POST, "system/secrets", secret, &operation).await
            }
            other => other,
        }
    }

    /// Creates the secret, and never replaces one: a gateway that keeps to its API answers 409 where it exists.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn create_secret(&self, secret: &Secret) -> Result<(), GatewayError> {
        self.change(Method::POST, "system/secrets", secret, &format!("the secret {}", secret.name)).await
    }

    /// Deletes the secret.
    ///
    /// # Errors
    /// When the gateway refuses.
    pub async fn delete_secret(&self, name: &str) -> Result<(), GatewayError> {
        let secret = Secret { name: name.to_owned(), ..Secret::default() };
        self.change(Method::DELETE, "system/secrets", &secret, &format!("the deletion of secret {name}")).await
    }

    /// Versions.
    ///
    /// # Errors
    /// When the gateway does not answer with them.
    pub async fn info(&self) -> Result<Info, GatewayError> {
        self.read_json("system/info", "its version").await
    }

    /// How much waits and how much room there is: an addition of this project's gateway. `None` where the gateway is
    /// another one, which does not know of it.
    ///
    /// # Errors
    /// When the gateway answers neither with that nor with 404.
    pub async fn load(&self) -> Result<Option<Load>, GatewayError> {
        match self.read_json("system/load", "how much waits").await {
            Ok(load) => Ok(Some(load)),
            Err(error) if error.status() == Some(StatusCode::NOT_FOUND) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// How functions did in a window, from the gateway's own history: an addition of this project's gateway, others
    /// answer 404. At most [`MAX_HISTORY_NAMES`](crate::metrics::MAX_HISTORY_NAMES) names; those that are not
    /// deployed are left out of the answer.
    ///
    /// # Errors
    /// When the gateway does not answer with a history.
    pub async fn history(
        &self,
        names: &[ServiceName],
        window: Window,
        points: usize,
    ) -> Result<MetricsAnswer, GatewayError> {
        let names: Vec<_> = names.iter().map(ServiceName::as_str).collect();
        let query = [("name", names.join(",")), ("window", window.as_str().to_owned()), ("points", points.to_string())];
        let mut url = self.url("system/history");
        url.query_pairs_mut().extend_pairs(query);
        self.read_json_at(url, "how functions did").await
    }

    /// A function's log as it is (`follow: false`) or as it grows. `tail` is the number of old lines, all
    /// where unset. The stream ends when the gateway ends it.
    ///
    /// # Errors
    /// When the gateway refuses; the stream's items fail when it breaks off or sends what is no log line.
    pub async fn logs(
        &self,
        name: &str,
        tail: Option<u32>,
        follow: bool,
    ) -> Result<impl Stream<Item = std::io::Result<LogLine>> + Send + use<>, GatewayError> {
        self.log(name, &LogQuery { tail, follow, ..LogQuery::default() }).await
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        let prefix = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{prefix}/{path}"));
        url
    }

    async fn read_json<T: DeserializeOwned>(&self, path: &str, operation: &str) -> Result<T, GatewayError> {
        self.read_json_at(self.url(path), operation).await
    }

    async fn read_json_at<T: DeserializeOwned>(&self, url: Url, operation: &str) -> Result<T, GatewayError> {
        let request = self.http.get(url).timeout(READ_TIMEOUT);
        let request = request.basic_auth(&self.user, Some(self.password.expose_secret()));
        let response = self.send(request, operation).await?;
        let body = response.bytes().await.map_err(|cause| unreachable(operation, cause))?;
        serde_json::from_slice(&body)
            .map_err(|cause| GatewayError::Malformed { operation: operation.to_owned(), cause })
    }

    async fn change(
        &self,
        method: Method,
        path: &str,
        body: &(impl Serialize + Sync),
        operation: &str,
    ) -> Result<(), GatewayError> {
        let request = self.http.request(method, self.url(path)).json(body).timeout(CHANGE_TIMEOUT);
        let request = request.basic_auth(&self.user, Some(self.password.expose_secret()));
        self.send(request, operation).await.map(drop)
    }

    async fn send(&self, request: reqwest::RequestBuilder, operation: &str) -> Result<reqwest::Response, GatewayError> {
        let response = request.send().await.map_err(|cause| unreachable(operation, cause))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = crate::call::bounded_text(response, MAX_ERROR_TEXT).await;
        Err(GatewayError::Refused { operation: operation.to_owned(), status, text })
    }
}

fn unreachable(operation: &str, cause: reqwest::Error) -> GatewayError {
    // The address would carry nothing that helps and might carry a name that is secret.
    GatewayError::Unreachable { operation: operation.to_owned(), cause: cause.without_url() }
}
