//! Calls to the provider: bounded in time and size, without redirects, and understood strictly.

use std::time::Duration;

use http::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use url::Url;

use super::ProviderError;

/// No honest answer is larger, in bytes.
pub(super) const MAX_ANSWER: usize = 1024 * 1024;
/// One answer may take so long.
const CALL_TIME: Duration = Duration::from_secs(10);

/// Asks a provider. Every address that it is given was made from the configuration.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    client: reqwest::Client,
    time: Duration,
}

/// An answer of any status, read to its end.
pub(super) struct Answer {
    pub(super) status: http::StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Caller {
    pub(super) fn new() -> Self {
        Self { client: sdk::http::client(), time: CALL_TIME }
    }

    /// The same, in less of a hurry or more.
    #[cfg(test)]
    pub(super) fn within(time: Duration) -> Self {
        Self { time, ..Self::new() }
    }

    /// A form by POST; the answer is not looked at.
    pub(super) async fn post(
        &self,
        url: Url,
        form: &[(&str, &str)],
        authorization: Option<HeaderValue>,
    ) -> Result<Answer, ProviderError> {
        let mut request = self.client.post(url).form(form);
        if let Some(value) = authorization {
            request = request.header(AUTHORIZATION, value);
        }
        self.send(request).await
    }

    /// JSON by GET, in the name of a person or of nobody.
    pub(super) async fn get<T: DeserializeOwned>(
        &self,
        url: Url,
        token: Option<&SecretString>,
    ) -> Result<(T, HeaderMap), ProviderError> {
        let path = url.path().to_owned();
        let mut request = self.client.get(url);
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, bearer(token, &path)?);
        }
        let answer = self.send(request).await?;
        if answer.status != http::StatusCode::OK {
            return Err(ProviderError::Status { path, status: answer.status });
        }
        Ok((parse(&answer.body, &path)?, answer.headers))
    }

    async fn send(&self, request: RequestBuilder) -> Result<Answer, ProviderError> {
        let request = request.header(ACCEPT, "application/json").timeout(self.time);
        let mut response = request.send().await.map_err(failed)?;
        let body = read(&mut response).await?;
        Ok(Answer { status: response.status(), headers: std::mem::take(response.headers_mut()), body })
    }
}

async fn read(response: &mut Response) -> Result<Vec<u8>, ProviderError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        if body.len() + chunk.len() > MAX_ANSWER {
            return Err(ProviderError::TooLarge { path: response.url().path().to_owned() });
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Understands an answer. What is wrong with it is told by place, not by content.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8], path: &str) -> Result<T, ProviderError> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let parsed = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let why = format!("not the expected JSON at '{}'", error.path());
        ProviderError::Nonsense { path: path.to_owned(), why }
    })?;
    let rest = json.end();
    rest.map_err(|_| ProviderError::Nonsense { path: path.to_owned(), why: "there is more after its end".into() })?;
    Ok(parsed)
}

fn bearer(token: &SecretString, path: &str) -> Result<HeaderValue, ProviderError> {
    let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose_secret())).map_err(|_| {
        ProviderError::Nonsense { path: path.to_owned(), why: "its token cannot be sent in a header".into() }
    })?;
    value.set_sensitive(true);
    Ok(value)
}

fn failed(error: reqwest::Error) -> ProviderError {
    if error.is_timeout() { ProviderError::TooSlow } else { ProviderError::Unreachable(error.without_url()) }
}
