//! The App itself, and what it signs.

use std::sync::Arc;

use chrono::Utc;
use http::Method;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use sdk::{Invalid, Reader};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use crate::api::Api;
use crate::call::Call;
use crate::config;
use crate::error::GithubError;
use crate::scope::Scope;
use crate::tokens::{Token, Tokens};

/// GitHub's clock may be behind ours, in seconds.
const CLOCKS: i64 = 60;
/// How long the App's own token counts, in seconds; with [`CLOCKS`] it is the ten minutes that GitHub takes.
const LIFETIME: i64 = 540;

/// A GitHub App and its key. Cloning is cheap, and clones share their tokens.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    api: Api,
    id: String,
    key: EncodingKey,
    tokens: Tokens,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").field("id", &self.0.id).field("api", self.0.api.base()).finish_non_exhaustive()
    }
}

#[derive(Serialize)]
struct Claims<'a> {
    iss: &'a str,
    iat: i64,
    exp: i64,
}

impl App {
    /// The App of this number or client id, with its RSA key as PEM (PKCS #1 or PKCS #8).
    ///
    /// # Errors
    /// When the key is not usable.
    pub fn new(api: Api, id: impl Into<String>, pem: &SecretString) -> Result<Self, GithubError> {
        let key = EncodingKey::from_rsa_pem(pem.expose_secret().as_bytes()).map_err(GithubError::Key)?;
        let app = Self(Arc::new(Inner { api, id: id.into(), key, tokens: Tokens::default() }));
        // A key that does not sign is found at the start, not at the first push.
        app.jwt()?;
        Ok(app)
    }

    /// Reads `github_app_id`, `github_api_url`, `github_url` and the secret `private-key`, or the one that
    /// `private_key_filename` names. `None` where neither the App's id nor its key is there.
    ///
    /// # Errors
    /// When one is missing and the other is not, or something is malformed; the reader knows which.
    pub fn read(reader: &Reader<'_>) -> Result<Option<Self>, Invalid> {
        config::app(reader)
    }

    /// The App's number, where it is known by that and not by its client id.
    pub fn number(&self) -> Option<u64> {
        self.0.id.parse().ok()
    }

    /// The API that the App belongs to.
    pub fn api(&self) -> &Api {
        &self.0.api
    }

    /// A token of the App's own, for ten minutes from a minute ago: for the App's settings and for installations'
    /// tokens, and good for nothing else.
    ///
    /// # Errors
    /// When the key does not sign.
    pub fn jwt(&self) -> Result<SecretString, GithubError> {
        let now = Utc::now().timestamp();
        let claims = Claims { iss: &self.0.id, iat: now - CLOCKS, exp: now + LIFETIME };
        let token = jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, &self.0.key);
        token.map(SecretString::from).map_err(GithubError::Key)
    }

    /// A token of an installation, from memory where it has more than five minutes left. Requests for the same one at
    /// the same time are one request to GitHub.
    ///
    /// # Errors
    /// When GitHub cannot be reached or refuses: 404 for an installation that is gone, 403 for a suspended one, 422 for
    /// a permission or a repository that the installation does not have.
    pub async fn token(&self, installation: u64, scope: &Scope) -> Result<SecretString, GithubError> {
        let place = self.0.tokens.place((installation, scope.clone()), Utc::now());
        let mut kept = place.lock().await;
        if let Some(token) = kept.as_ref().filter(|token| token.is_good_at(Utc::now())) {
            return Ok(token.token.clone());
        }
        *kept = None;
        let new = self.new_token(installation, scope).await?;
        Ok(kept.insert(new).token.clone())
    }

    /// Drops a token that GitHub does not take any more, unless there is a newer one already.
    pub async fn forget(&self, installation: u64, scope: &Scope, token: &SecretString) {
        let place = self.0.tokens.place((installation, scope.clone()), Utc::now());
        let mut kept = place.lock().await;
        if kept.as_ref().is_some_and(|kept| kept.token.expose_secret() == token.expose_secret()) {
            *kept = None;
        }
    }

    async fn new_token(&self, installation: u64, scope: &Scope) -> Result<Token, GithubError> {
        let operation = "a request for an installation's token";
        if installation == 0 {
            return Err(GithubError::NoInstallation { operation });
        }
        let number = installation.to_string();
        let path = ["app", "installations", &number, "access_tokens"];
        let call = Call::new(operation, Method::POST, path).json(scope)?;
        self.0.api.send(&call, &self.jwt()?, 0).await?.json()
    }
}
