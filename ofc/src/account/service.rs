//! of-auth's interface for command lines.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use reqwest::{RequestBuilder, Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use url::{Host, Url};

use super::Credential;
use crate::instance::Record;
use crate::report::Trouble;

/// Where of-auth is, below the platform's domain.
const LABELS: &str = "auth.system.";
/// How long one answer may take.
const LIMIT: Duration = Duration::from_secs(15);

/// One installation's of-auth.
#[derive(Debug)]
pub(crate) struct Service {
    base: Url,
    client: reqwest::Client,
}

/// A login that somebody has to confirm in a browser.
#[derive(Debug, Deserialize)]
pub(crate) struct Begun {
    pub(super) device_code: SecretString,
    pub(super) user_code: String,
    pub(super) verification_uri_complete: String,
    #[serde(default = "usual_interval")]
    pub(super) interval: u64,
    pub(super) expires_in: u64,
}

/// What comes of asking for the token.
#[derive(Debug)]
pub(super) enum Polled {
    Token(SecretString),
    Pending,
    SlowDown,
    Denied(String),
    Expired,
}

/// Whose token it is.
#[derive(Debug, Deserialize)]
pub(crate) struct Me {
    #[serde(flatten)]
    pub(crate) who: sdk::identity::Identity,
    pub(crate) scopes: Vec<String>,
}

#[derive(Deserialize)]
struct Given {
    access_token: SecretString,
}

#[derive(Deserialize)]
struct Refusal {
    error: String,
    #[serde(default)]
    error_description: String,
}

/// What RFC 8628 says where the answer does not.
fn usual_interval() -> u64 {
    5
}

impl Service {
    /// The one of the platform at `url`, which may be of-auth's own address or the domain's.
    ///
    /// # Errors
    /// When the address is none, or a token would travel to it for everybody to read.
    pub(crate) fn at(url: &str) -> anyhow::Result<Self> {
        let wrong = |why: &str| Trouble::usage(format!("'{url}' {why}")).hint("for example: --url https://example.com");
        let given: Url = url.parse().map_err(|cause| wrong("is no address").because(cause))?;
        let Some(Host::Domain(host)) = given.host() else { return Err(wrong("names no host").into()) };
        let host = if host.starts_with(LABELS) { host.to_owned() } else { format!("{LABELS}{host}") };
        let local = host.ends_with(".localhost");
        match given.scheme() {
            "https" => {}
            "http" if local => {}
            _ => return Err(wrong("has to begin with https://, or others could read your token on its way").into()),
        }
        let port = given.port().map(|port| format!(":{port}")).unwrap_or_default();
        let base = format!("{}://{host}{port}/", given.scheme()).parse()?;
        // Not every resolver knows that these names are this machine's.
        Self::new(base, local.then(|| SocketAddr::from((Ipv4Addr::LOCALHOST, 0))))
    }

    /// The one of a platform that runs here.
    ///
    /// # Errors
    /// Never in practice.
    pub(crate) fn of(record: &Record) -> anyhow::Result<Self> {
        Self::new(format!("{}/", record.auth_url()).parse()?, Some(record.router))
    }

    fn new(base: Url, address: Option<SocketAddr>) -> anyhow::Result<Self> {
        let mut builder = sdk::http::builder().timeout(LIMIT);
        if let (Some(address), Some(host)) = (address, base.host_str()) {
            builder = builder.resolve(host, address);
        }
        Ok(Self { client: builder.build()?, base })
    }

    /// Its address, as credentials are kept under.
    pub(crate) fn origin(&self) -> String {
        self.base.origin().ascii_serialization()
    }

    /// Begins a login for a token of this name.
    pub(super) async fn begin(&self, name: &str, scopes: &[String]) -> anyhow::Result<Begun> {
        let request = self.client.post(self.url("api/device")?).json(&json!({ "name": name, "scopes": scopes }));
        self.read(self.send(request).await?).await
    }

    /// Asks whether the login has been confirmed.
    pub(super) async fn poll(&self, begun: &Begun) -> anyhow::Result<Polled> {
        let body = json!({ "device_code": begun.device_code.expose_secret() });
        let response = self.send(self.client.post(self.url("api/device/token")?).json(&body)).await?;
        if response.status().is_success() {
            return Ok(Polled::Token(self.read::<Given>(response).await?.access_token));
        }
        if response.status() != StatusCode::BAD_REQUEST {
            return Err(self.refused(response).await);
        }
        let refusal: Refusal = response.json().await.map_err(|error| self.nonsense(error))?;
        Ok(match refusal.error.as_str() {
            "authorization_pending" => Polled::Pending,
            "slow_down" => Polled::SlowDown,
            "expired_token" => Polled::Expired,
            _ => Polled::Denied(refusal.error_description),
        })
    }

    /// Whose a token is; `None` if it counts no more.
    ///
    /// # Errors
    /// When the answer is anything else than yes or no.
    pub(crate) async fn me(&self, credential: &Credential) -> anyhow::Result<Option<Me>> {
        let request = self.client.get(self.url("api/me")?).bearer_auth(credential.token.expose_secret());
        let response = self.send(request).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            return Ok(None);
        }
        self.read(response).await.map(Some)
    }

    /// Makes a token count no more. False if it did not count.
    ///
    /// # Errors
    /// When it may still count.
    pub(crate) async fn revoke(&self, credential: &Credential) -> anyhow::Result<bool> {
        let request = self.client.delete(self.url("api/tokens/current")?).bearer_auth(credential.token.expose_secret());
        let response = self.send(request).await?;
        match response.status() {
            StatusCode::NO_CONTENT => Ok(true),
            StatusCode::UNAUTHORIZED => Ok(false),
            _ => Err(self.refused(response).await),
        }
    }

    fn url(&self, path: &str) -> anyhow::Result<Url> {
        Ok(self.base.join(path)?)
    }

    async fn send(&self, request: RequestBuilder) -> anyhow::Result<Response> {
        request.send().await.map_err(|cause| {
            Trouble::new(format!("{} does not answer", self.origin()))
                .hint("is it the platform's address, and does the platform run?")
                .because(cause.without_url())
                .into()
        })
    }

    async fn read<T: DeserializeOwned>(&self, response: Response) -> anyhow::Result<T> {
        if !response.status().is_success() {
            return Err(self.refused(response).await);
        }
        response.json().await.map_err(|error| self.nonsense(error))
    }

    async fn refused(&self, response: Response) -> anyhow::Error {
        let status = response.status();
        let said = response.json::<Refusal>().await.map(|refusal| refusal.error_description).unwrap_or_default();
        let shown: String = said.chars().filter(|c| !c.is_control()).take(200).collect();
        let why = if shown.is_empty() { format!("it answers {status}") } else { shown };
        Trouble::new(format!("{} refuses: {why}", self.origin())).into()
    }

    fn nonsense(&self, cause: reqwest::Error) -> anyhow::Error {
        Trouble::new(format!("{} does not answer as a platform of this release does", self.origin()))
            .hint("is it the platform's address?")
            .because(cause.without_url())
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_is_of_auths_or_the_domains_and_tokens_travel_in_private() {
        let origin = |url| Service::at(url).map(|service| service.origin()).map_err(|error| error.to_string());
        assert_eq!(origin("https://example.com").unwrap(), "https://auth.system.example.com");
        assert_eq!(origin("https://auth.system.example.com/x?y").unwrap(), "https://auth.system.example.com");
        assert_eq!(origin("http://localhost:8000").unwrap(), "http://auth.system.localhost:8000");
        for wrong in ["http://example.com", "ftp://localhost", "http://localhost.evil.com"] {
            assert!(origin(wrong).unwrap_err().contains("https://"), "{wrong}");
        }
        for wrong in ["example.com", "", "https://", "https://127.0.0.1"] {
            assert!(origin(wrong).is_err(), "{wrong}");
        }
        assert_eq!(Service::of(&Record::sample()).unwrap().origin(), "http://auth.system.localhost:8000");
    }
}
