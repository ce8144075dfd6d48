//! The identity provider: who somebody is, by an authorisation code with PKCE.
//!
//! A login is two steps. [`Provider::begin`] gives the address that the browser is sent to and what has to be kept
//! until it comes back; [`Provider::finish`] exchanges the code that it brings, asks who that is, and forgets the
//! provider's token.

mod caller;
mod config;
mod endpoints;
mod error;
mod github;
mod gitlab;
mod oauth;
mod oidc;
mod pages;

use std::time::Duration;

use sdk::id::Owner;
use sdk::identity::{Organisation, Role};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize, Serializer};
use url::Url;

pub(crate) use endpoints::is_private;
pub(crate) use error::ProviderError;
use github::GitHub;
use gitlab::GitLab;
use oidc::Oidc;

/// All of the provider's answers to one login together may take so long.
const LOGIN_TIME: Duration = Duration::from_secs(30);

/// The providers of this installation.
///
/// There is one at a time, because the tenant list holds logins without a host: with two providers, who is first
/// to take a tenant's login at the other one would be that tenant.
#[derive(Debug)]
pub(crate) struct Providers(Vec<Provider>);

impl Providers {
    /// All of them, at least one.
    pub(crate) fn all(&self) -> &[Provider] {
        &self.0
    }

    /// The one with this [`Provider::name`].
    pub(crate) fn get(&self, name: &str) -> Option<&Provider> {
        self.0.iter().find(|provider| provider.name() == name)
    }
}

/// An identity provider.
#[derive(Debug)]
pub(crate) struct Provider {
    name: &'static str,
    label: String,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    GitHub(GitHub),
    GitLab(GitLab),
    Oidc(Box<Oidc>),
}

/// A person, as a provider says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Person {
    /// The host whose numbers these are, for example `github.com`.
    pub(crate) host: String,
    /// The person's number there; never 0.
    pub(crate) id: u64,
    /// The person's login there.
    pub(crate) login: Owner,
    /// All organisations, tenants or not.
    pub(crate) organisations: Vec<Organisation>,
}

/// A login under way, to be kept on our side until the browser comes back.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Pending {
    /// The provider's name.
    pub(crate) provider: String,
    /// 256 random bits that come back with the code.
    pub(crate) state: String,
    /// PKCE: proves to the provider that who has the code also began the login.
    #[serde(serialize_with = "expose")]
    pub(crate) verifier: SecretString,
    /// Ties an ID token to this login.
    pub(crate) nonce: String,
}

/// Our store is the one place where the verifier is written in the clear; it is of use for minutes, and only with
/// the code and our client secret.
fn expose<S: Serializer>(secret: &SecretString, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose_secret())
}

impl Provider {
    /// The word for addresses: `github`, `gitlab` or `oidc`.
    pub(crate) fn name(&self) -> &str {
        self.name
    }

    /// The name for people, such as `GitHub`.
    pub(crate) fn label(&self) -> &str {
        &self.label
    }

    /// The host of the people and owners that it vouches for.
    pub(crate) fn host(&self) -> &str {
        match &self.kind {
            Kind::GitHub(github) => github.host(),
            Kind::GitLab(gitlab) => gitlab.host(),
            Kind::Oidc(oidc) => oidc.host(),
        }
    }

    /// Where to send the browser, and what to keep meanwhile.
    ///
    /// # Errors
    /// When the provider's addresses have to be asked for and cannot be, or there are no random numbers.
    pub(crate) async fn begin(&self, redirect_uri: &Url) -> Result<(Url, Pending), ProviderError> {
        let pending = oauth::pending(self.name)?;
        let address = match &self.kind {
            Kind::GitHub(github) => github.authorisation(&pending, redirect_uri),
            Kind::GitLab(gitlab) => gitlab.authorisation(&pending, redirect_uri),
            Kind::Oidc(oidc) => oidc.authorisation(&pending, redirect_uri).await?,
        };
        Ok((address, pending))
    }

    /// Who it is that came back with `code`. The state has been checked by the caller.
    ///
    /// # Errors
    /// When the provider refuses the code, is too slow, or says something that is not understood.
    pub(crate) async fn finish(
        &self,
        pending: &Pending,
        code: &str,
        redirect_uri: &Url,
    ) -> Result<Person, ProviderError> {
        if pending.provider != self.name {
            return Err(ProviderError::OtherProvider);
        }
        let asking = async {
            match &self.kind {
                Kind::GitHub(github) => github.finish(pending, code, redirect_uri).await,
                Kind::GitLab(gitlab) => gitlab.finish(pending, code, redirect_uri).await,
                Kind::Oidc(oidc) => oidc.finish(pending, code, redirect_uri).await,
            }
        };
        tokio::time::timeout(LOGIN_TIME, asking).await.map_err(|_| ProviderError::TooSlow)?
    }
}

/// Adds an organisation once, with the highest role that was named for it.
fn add(organisations: &mut Vec<Organisation>, id: u64, login: Owner, role: Role) {
    match organisations.iter_mut().find(|known| known.id == id) {
        Some(known) => known.role = known.role.max(role),
        None => organisations.push(Organisation { id, login, role }),
    }
}

/// An owner's name, from what a provider calls an account.
fn login(text: &str) -> Result<Owner, ProviderError> {
    text.parse().map_err(|cause| ProviderError::UnusableLogin { cause })
}

/// An account's number. 0 is no account's.
fn number(id: u64, path: &str) -> Result<u64, ProviderError> {
    let nobody = || ProviderError::Nonsense { path: path.to_owned(), why: "an account has the number 0".into() };
    (id != 0).then_some(id).ok_or_else(nobody)
}

#[cfg(test)]
mod tests;
