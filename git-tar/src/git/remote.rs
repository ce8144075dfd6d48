//! One repository at a git host.

use base64::Engine;
use http::StatusCode;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::packet::Packets;
use super::{GitError, Limits};

/// A token and the only address that it may be sent to.
#[derive(Debug, Clone)]
pub(crate) struct Credential {
    /// Everything below this address belongs to the host that gave the token.
    pub(crate) base: Url,
    /// The user name that it goes with.
    pub(crate) user: &'static str,
    /// The token.
    pub(crate) token: SecretString,
}

impl Credential {
    /// True if `url` is below the address: same scheme, host and port, and path.
    fn fits(&self, url: &Url) -> bool {
        let base = self.base.path().trim_end_matches('/');
        let below = url.path().strip_prefix(base).is_some_and(|rest| rest.starts_with('/'));
        self.base.origin() == url.origin() && below
    }

    /// The `Authorization` header. Marked as secret, so that it shows in no log.
    fn header(&self) -> Result<HeaderValue, GitError> {
        let pair = format!("{}:{}", self.user, self.token.expose_secret());
        let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair));
        let mut value = HeaderValue::from_str(&basic).map_err(|_| GitError::Protocol("the token fits no header"))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// One repository. Redirects are not followed: a token, or trust in a host, does not move along.
#[derive(Debug, Clone)]
pub(crate) struct Remote {
    http: reqwest::Client,
    url: Url,
    authorization: Option<HeaderValue>,
    pub(super) limits: Limits,
}

impl Remote {
    /// The repository at `url`; the credential is used only if it was given for that address.
    pub(crate) fn new(
        http: reqwest::Client,
        url: Url,
        credential: Option<&Credential>,
        limits: Limits,
    ) -> Result<Self, GitError> {
        let fitting = credential.filter(|credential| credential.fits(&url));
        let authorization = fitting.map(Credential::header).transpose()?;
        Ok(Self { http, url, authorization, limits })
    }

    #[cfg(test)]
    pub(super) fn has_credential(&self) -> bool {
        self.authorization.is_some()
    }

    /// Asks `git-upload-pack`, in protocol version 2 if `version_2`.
    pub(super) async fn upload_pack(&self, body: String, version_2: bool, limit: u64) -> Result<Packets, GitError> {
        let mut request = self
            .http
            .post(self.at("git-upload-pack"))
            .header(CONTENT_TYPE, "application/x-git-upload-pack-request")
            .header(ACCEPT, "application/x-git-upload-pack-result")
            .body(body);
        if version_2 {
            request = request.header("git-protocol", "version=2");
        }
        self.send(request, limit).await
    }

    /// All refs in protocol version 0.
    pub(super) async fn advertisement(&self, limit: u64) -> Result<Packets, GitError> {
        let mut url = self.at("info/refs");
        url.set_query(Some("service=git-upload-pack"));
        self.send(self.http.get(url), limit).await
    }

    async fn send(&self, mut request: reqwest::RequestBuilder, limit: u64) -> Result<Packets, GitError> {
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        let stall = self.limits.stall;
        let response = tokio::time::timeout(stall, request.send()).await.map_err(|_| GitError::TimedOut(stall))?;
        let response = response.map_err(|cause| GitError::Unreachable(cause.without_url()))?;
        match response.status() {
            StatusCode::OK => Ok(Packets::new(response, limit, stall)),
            other => Err(GitError::Status(other)),
        }
    }

    fn at(&self, service: &str) -> Url {
        let mut url = self.url.clone();
        let path = format!("{}/{service}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url
    }
}
