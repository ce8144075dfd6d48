//! Any OpenID provider, by discovery and ID token.
//!
//! Such a provider counts neither people nor organisations, so numbers come from elsewhere: a person's is made of
//! issuer and subject ([`person_number`]), an organisation's stands in the configuration (`oidc_groups`).

mod discovery;
mod groups;
mod id_token;
mod keys;

use std::time::{SystemTime, UNIX_EPOCH};

use sdk::{Invalid, Reader};
use secrecy::SecretString;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;
use url::Url;

use super::caller::Caller;
use super::endpoints::Endpoints;
use super::oauth::Application;
use super::{Pending, Person, ProviderError, login};
use discovery::{Cached, Discovered};
use groups::Groups;
pub(crate) use id_token::IdTokenError;
use id_token::Verified;
use keys::Keys;

#[derive(Debug)]
pub(super) struct Oidc {
    /// Exactly as the provider writes itself.
    issuer: String,
    endpoints: Endpoints,
    /// Hosts besides the issuer's that credentials may go to.
    hosts: Vec<String>,
    application: Application,
    scopes: String,
    login_claim: String,
    groups: Groups,
    /// The host whose numbers `oidc_groups` has.
    owner_host: String,
    caller: Caller,
    discovered: Mutex<Option<Cached>>,
    keys: Mutex<Keys>,
}

impl Oidc {
    pub(super) fn read(
        reader: &Reader<'_>,
        issuer: String,
        endpoints: Endpoints,
        application: Application,
    ) -> Result<Self, Invalid> {
        let login_claim = reader.or("oidc_login_claim", "preferred_username".to_owned());
        let groups = Groups::read(reader);
        let scopes = reader.or("oidc_scopes", "openid profile".to_owned())?;
        if !scopes.split(' ').any(|scope| scope == "openid") {
            return Err(reader.invalid("oidc_scopes", "must have 'openid' among them"));
        }
        let owner_host = reader.or("oidc_owner_host", endpoints.host().to_owned())?;
        Ok(Self {
            issuer,
            endpoints,
            hosts: reader.list("oidc_hosts"),
            application,
            scopes,
            login_claim: login_claim?,
            groups: groups?,
            owner_host,
            caller: Caller::new(),
            discovered: Mutex::default(),
            keys: Mutex::default(),
        })
    }

    pub(super) fn host(&self) -> &str {
        &self.owner_host
    }

    pub(super) async fn authorisation(&self, pending: &Pending, redirect_uri: &Url) -> Result<Url, ProviderError> {
        let page = self.discover().await?.authorisation.clone();
        let mut url = self.application.authorisation(page, &self.scopes, pending, redirect_uri);
        url.query_pairs_mut().append_pair("nonce", &pending.nonce);
        Ok(url)
    }

    pub(super) async fn finish(
        &self,
        pending: &Pending,
        code: &str,
        redirect_uri: &Url,
    ) -> Result<Person, ProviderError> {
        let discovered = self.discover().await?;
        let (exchange, proof) = (discovered.token.clone(), discovered.proof);
        let tokens = self.application.exchange(&self.caller, exchange, proof, (pending, code, redirect_uri)).await?;
        let id_token = tokens.id.ok_or(IdTokenError::Missing)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut who = self.verify(&discovered, &id_token, &pending.nonce, now).await?;
        self.complete(&mut who, &discovered, &tokens.access).await?;
        let name = who.claims.get(&self.login_claim).and_then(Value::as_str);
        let name = name.ok_or_else(|| ProviderError::MissingClaim { claim: self.login_claim.clone() })?;
        Ok(Person {
            host: self.owner_host.clone(),
            id: person_number(&self.issuer, &who.subject),
            login: login(name)?,
            organisations: self.groups.organisations(&who.claims)?,
        })
    }

    /// Some providers put nothing but the subject into the ID token; the rest is asked for.
    async fn complete(
        &self,
        who: &mut Verified,
        discovered: &Discovered,
        token: &SecretString,
    ) -> Result<(), ProviderError> {
        let wanted = [Some(self.login_claim.as_str()), self.groups.claim()];
        let is_complete = wanted.into_iter().flatten().all(|claim| who.claims.contains_key(claim));
        let Some(url) = discovered.userinfo.clone().filter(|_| !is_complete) else { return Ok(()) };
        let (info, _) = self.caller.get::<Map<String, Value>>(url, Some(token)).await?;
        if info.get("sub").and_then(Value::as_str) != Some(&who.subject) {
            return Err(IdTokenError::OtherSubject.into());
        }
        for (claim, value) in info {
            // What is signed counts more.
            who.claims.entry(claim).or_insert(value);
        }
        Ok(())
    }
}

/// The number of somebody whom a provider does not count: the first 63 bits of SHA-256(issuer "\n" subject), of which
/// the highest is set, so that it is nobody's whom a host has counted.
fn person_number(issuer: &str, subject: &str) -> u64 {
    let digest = Sha256::digest(format!("{issuer}\n{subject}"));
    let first = digest.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte));
    first >> 1 | 1 << 62
}

#[cfg(test)]
mod tests {
    use super::person_number;

    #[test]
    fn a_persons_number_stays_and_is_no_counted_one() {
        let number = person_number("https://id.example.com", "alice");
        assert_eq!(number, person_number("https://id.example.com", "alice"));
        assert_ne!(number, person_number("https://id.example.com", "bob"));
        assert_ne!(number, person_number("https://id.example.org", "alice"));
        assert!((1 << 62..1 << 63).contains(&number));
    }
}
