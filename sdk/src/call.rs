//! Calls from one function to another, through the gateway and signed.

use std::fmt;
use std::time::Duration;

use http::{HeaderMap, Method, StatusCode};
use secrecy::SecretString;
use serde::Serialize;
use url::Url;

use crate::signing::Key;
use crate::{Invalid, Reader};

/// Ties all that one push causes together.
pub const CALL_ID_HEADER: &str = "x-call-id";
/// How long a call may take unless the caller says otherwise.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the signature of a call that waits for its answer holds, beyond the call's own time.
const SYNC_SLACK: Duration = Duration::from_secs(60);
/// How long the signature of a queued message holds; the queue gives up earlier.
const QUEUED_LIFETIME: Duration = Duration::from_secs(24 * 3600);
/// The longest error text that is kept, in bytes.
const MAX_ERROR_TEXT: usize = 64 * 1024;

/// A call's identifier: 1 to 128 letters, digits, `-`, `_` and `.`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CallId(String);

impl CallId {
    /// A new identifier.
    pub fn random() -> Self {
        Self(uuid::Uuid::new_v4().to_string())
    }

    /// The text, if it may serve as an identifier.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        (plain && (1..=128).contains(&text.len())).then(|| Self(text.to_owned()))
    }

    /// The request's `X-Call-Id`, or a new one where it has none that is usable.
    pub fn from_headers(headers: &HeaderMap) -> Self {
        let given = headers.get(CALL_ID_HEADER).and_then(|value| value.to_str().ok());
        given.and_then(Self::parse).unwrap_or_else(Self::random)
    }

    /// An identifier that begins with this one: for side messages, of which one call sends several. The queue
    /// takes two messages to one function under one identifier for the same message sent twice.
    #[must_use]
    pub fn child(&self) -> Self {
        let root: String = self.0.chars().take(100).collect();
        Self(format!("{root}.{}", &uuid::Uuid::new_v4().simple().to_string()[..12]))
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why a function did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// No answer.
    #[error("{function} does not answer")]
    Unreachable {
        /// The function.
        function: String,
        /// Why.
        #[source]
        cause: reqwest::Error,
    },
    /// An answer that is not success.
    #[error("{function} answered {status}: {text}")]
    Refused {
        /// The function.
        function: String,
        /// The answer's status.
        status: StatusCode,
        /// The answer's text, cut where it is long.
        text: String,
    },
    /// The message could not be written as JSON.
    #[error("the message to {function} cannot be encoded")]
    Encoding {
        /// The function.
        function: String,
        /// Why.
        #[source]
        cause: serde_json::Error,
    },
}

impl CallError {
    /// True if the same call may succeed later: no answer, 408, 429 or 5xx.
    pub fn is_worth_a_retry(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Refused { status, .. } => status.is_server_error() || matches!(status.as_u16(), 408 | 429),
            Self::Encoding { .. } => false,
        }
    }
}

/// The other functions, behind the gateway. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct Functions {
    http: reqwest::Client,
    gateway: Url,
    payload_secret: SecretString,
}

impl Functions {
    /// Functions behind the gateway at `gateway`, spoken to under `payload_secret`.
    pub fn new(gateway: Url, payload_secret: SecretString) -> Self {
        Self { http: crate::http::client(), gateway, payload_secret }
    }

    /// Reads `gateway_url` and the secret `payload-secret`.
    ///
    /// # Errors
    /// When one of them is missing or malformed; the reader knows which.
    pub fn read(reader: &Reader<'_>) -> Result<Self, Invalid> {
        let gateway = reader.required("gateway_url");
        let secret = reader.secret("payload-secret");
        Ok(Self::new(gateway?, secret?))
    }

    /// The key for messages to `function`.
    pub fn key(&self, function: &str) -> Key {
        Key::derive(&self.payload_secret, function)
    }

    /// Calls a function and waits for its answer, at most [`CALL_TIMEOUT`].
    ///
    /// # Errors
    /// When the function cannot be reached or does not answer with success.
    pub async fn invoke(
        &self,
        function: &str,
        message: &(impl Serialize + Sync),
        call: &CallId,
    ) -> Result<reqwest::Response, CallError> {
        let body = encode(function, message)?;
        let headers = self.key(function).sign(&Method::POST, &body, CALL_TIMEOUT + SYNC_SLACK);
        self.post("function", function, body, headers, CALL_TIMEOUT, call).await
    }

    /// Puts a message for a function into the durable queue; answers once it is kept there.
    ///
    /// # Errors
    /// When the gateway cannot be reached or does not take the message.
    pub async fn enqueue(
        &self,
        function: &str,
        message: &(impl Serialize + Sync),
        call: &CallId,
    ) -> Result<(), CallError> {
        let body = encode(function, message)?;
        let headers = self.key(function).sign(&Method::POST, &body, QUEUED_LIFETIME);
        self.post("async-function", function, body, headers, CALL_TIMEOUT, call).await.map(drop)
    }

    /// Calls a function with a body of any kind whose SHA-256 is known, and waits at most `timeout`.
    ///
    /// # Errors
    /// As [`Functions::invoke`].
    pub async fn send(
        &self,
        function: &str,
        body: impl Into<reqwest::Body>,
        digest: [u8; 32],
        timeout: Duration,
        call: &CallId,
    ) -> Result<reqwest::Response, CallError> {
        let headers = self.key(function).sign_digest(&Method::POST, digest, timeout + SYNC_SLACK);
        self.post("function", function, body, headers, timeout, call).await
    }

    async fn post(
        &self,
        route: &str,
        function: &str,
        body: impl Into<reqwest::Body>,
        signature: [(&'static str, String); 2],
        timeout: Duration,
        call: &CallId,
    ) -> Result<reqwest::Response, CallError> {
        let mut url = self.gateway.clone();
        let prefix = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{prefix}/{route}/{function}"));
        let mut request = self.http.post(url).body(body).timeout(timeout).header(CALL_ID_HEADER, &call.0);
        for (name, value) in signature {
            request = request.header(name, value);
        }
        let unreachable = |cause: reqwest::Error| CallError::Unreachable {
            function: function.to_owned(),
            cause: cause.without_url(),
        };
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let text = bounded_text(response, MAX_ERROR_TEXT).await;
        Err(CallError::Refused { function: function.to_owned(), status, text })
    }
}

fn encode(function: &str, message: &impl Serialize) -> Result<Vec<u8>, CallError> {
    serde_json::to_vec(message).map_err(|cause| CallError::Encoding { function: function.to_owned(), cause })
}

/// The first `limit` bytes of an answer as text, trimmed. What does not arrive is left out.
pub async fn bounded_text(mut response: reqwest::Response, limit: usize) -> String {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend_from_slice(&chunk[..chunk.len().min(limit - bytes.len())]);
        if bytes.len() == limit {
            break;
        }
    }
    String::from_utf8_lossy(&bytes).trim().to_owned()
}
