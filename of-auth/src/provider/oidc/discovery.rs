//! What an OpenID provider says about itself, and which of it we follow.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use tokio::time::Instant;
use url::Url;

use super::Oidc;
use crate::provider::ProviderError;
use crate::provider::oauth::Proof;

/// It is asked again after this.
const KEEP: Duration = Duration::from_secs(60 * 60);
const PATH: &str = "/.well-known/openid-configuration";

/// Where things are at the provider; ours to call, but for the first.
#[derive(Debug)]
pub(super) struct Discovered {
    /// For browsers.
    pub(super) authorisation: Url,
    pub(super) token: Url,
    pub(super) keys: Url,
    pub(super) userinfo: Option<Url>,
    pub(super) proof: Proof,
}

#[derive(Debug)]
pub(super) struct Cached {
    discovered: Arc<Discovered>,
    due: Instant,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: Url,
    token_endpoint: Url,
    jwks_uri: Url,
    userinfo_endpoint: Option<Url>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

impl Oidc {
    pub(super) async fn discover(&self) -> Result<Arc<Discovered>, ProviderError> {
        let mut cached = self.discovered.lock().await;
        if let Some(known) = cached.as_ref().filter(|known| Instant::now() < known.due) {
            return Ok(Arc::clone(&known.discovered));
        }
        let (document, _) = self.caller.get::<Document>(self.endpoints.internal(PATH), None).await?;
        let discovered = Arc::new(self.follow(document)?);
        *cached = Some(Cached { discovered: Arc::clone(&discovered), due: Instant::now() + KEEP });
        Ok(discovered)
    }

    fn follow(&self, document: Document) -> Result<Discovered, ProviderError> {
        if document.issuer != self.issuer {
            return Err(nonsense("it is another issuer's than oidc_issuer"));
        }
        let authorisation = document.authorization_endpoint;
        if !self.endpoints.is_public(&authorisation) && !self.is_known(&authorisation) {
            return Err(foreign(&authorisation));
        }
        Ok(Discovered {
            authorisation,
            token: self.place(&document.token_endpoint)?,
            keys: self.place(&document.jwks_uri)?,
            userinfo: document.userinfo_endpoint.map(|url| self.place(&url)).transpose()?,
            proof: proof(document.token_endpoint_auth_methods_supported.as_deref())?,
        })
    }

    /// Our way to an address at the issuer or at a host of `oidc_hosts`. Codes, secrets and tokens go nowhere else.
    fn place(&self, url: &Url) -> Result<Url, ProviderError> {
        self.endpoints.ours(url).or_else(|| self.is_known(url).then(|| url.clone())).ok_or_else(|| foreign(url))
    }

    fn is_known(&self, url: &Url) -> bool {
        url.scheme() == "https" && url.host_str().is_some_and(|host| self.hosts.iter().any(|known| known == host))
    }
}

/// OpenID's default is Basic.
fn proof(methods: Option<&[String]>) -> Result<Proof, ProviderError> {
    let has = |name: &str| methods.is_some_and(|methods| methods.iter().any(|method| method == name));
    match methods {
        None => Ok(Proof::Basic),
        Some(_) if has("client_secret_basic") => Ok(Proof::Basic),
        Some(_) if has("client_secret_post") => Ok(Proof::Form),
        Some(_) => Err(nonsense("it takes neither client_secret_basic nor client_secret_post")),
    }
}

fn nonsense(why: &str) -> ProviderError {
    ProviderError::Nonsense { path: PATH.to_owned(), why: why.to_owned() }
}

fn foreign(url: &Url) -> ProviderError {
    let host = url.host_str().unwrap_or_default();
    nonsense(&format!("it names the host {host}, which is neither the issuer's nor in oidc_hosts"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_is_shown_as_the_provider_wants_it() {
        let of = |methods: &[&str]| proof(Some(&methods.iter().map(|m| (*m).to_owned()).collect::<Vec<_>>()));
        assert_eq!(proof(None).unwrap(), Proof::Basic);
        assert_eq!(of(&["client_secret_post", "client_secret_basic"]).unwrap(), Proof::Basic);
        assert_eq!(of(&["none", "client_secret_post"]).unwrap(), Proof::Form);
        assert!(of(&["private_key_jwt", "none"]).is_err());
    }
}
