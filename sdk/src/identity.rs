//! Who somebody is, as a source-code host or an identity provider says, and how the router tells functions.
//!
//! ```text
//! X-Auth-User:      <login>
//! X-Auth-Orgs:      <login>,<login>
//! X-Auth-Identity:  <base64url of the identity's JSON>
//! X-Auth-Expires:   <seconds since 1970>
//! X-Auth-Signature: v1=<hex of HMAC-SHA256(key, "v1\n" function "\n" expires "\n" user "\n" orgs "\n" identity)>
//! key = HMAC-SHA256(payload-secret, "openfaas-cloud/v1/identity/" function)
//! ```
//!
//! The router drops what clients send under these names, so a function that only the gateway reaches may read the
//! first two as they are. The platform's own functions check the signature.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::id::{Owner, OwnerId};
use crate::signing::SignatureError;

/// The login.
pub const USER_HEADER: &str = "x-auth-user";
/// The organisations' logins.
pub const ORGS_HEADER: &str = "x-auth-orgs";
/// The whole identity.
pub const IDENTITY_HEADER: &str = "x-auth-identity";
/// Until when it is to be believed.
pub const EXPIRES_HEADER: &str = "x-auth-expires";
/// The signature over all of them.
pub const SIGNATURE_HEADER: &str = "x-auth-signature";

/// What somebody may do at an owner's, from least to most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// See.
    Viewer,
    /// See, call what is for members, deploy.
    Member,
    /// All of that, and settings.
    Owner,
}

/// An owner that somebody belongs to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Organisation {
    /// Its number at the person's host.
    pub id: u64,
    /// Its login.
    pub login: Owner,
    /// What the person may do there.
    pub role: Role,
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Identity {
    /// The host that vouches for it, for example `github.com`.
    pub host: String,
    /// The person's number there; never 0.
    pub id: u64,
    /// The person's login there, which is only a name.
    pub login: Owner,
    /// Owners besides the person's own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub organisations: Vec<Organisation>,
    /// Whether it is one who runs this installation.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub operator: bool,
}

impl Identity {
    /// `<host>/<number>`, which stays when the login changes.
    pub fn subject(&self) -> String {
        format!("{}/{}", self.host, self.id)
    }

    /// What the person may do at an owner's; by numbers, never by names.
    pub fn role_at(&self, owner: &OwnerId) -> Option<Role> {
        if self.host != owner.host || owner.id == 0 {
            return None;
        }
        if self.id == owner.id {
            return Some(Role::Owner);
        }
        self.organisations.iter().find(|organisation| organisation.id == owner.id).map(|found| found.role)
    }
}

/// The key under which a function is told who calls it.
#[derive(Clone)]
pub struct IdentityKey {
    function: String,
    mac: Hmac<Sha256>,
}

impl std::fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IdentityKey").field("function", &self.function).finish_non_exhaustive()
    }
}

impl IdentityKey {
    /// The key for one function.
    pub fn derive(payload_secret: &SecretString, function: &str) -> Self {
        let mut parent = keyed(payload_secret.expose_secret().as_bytes());
        parent.update(b"openfaas-cloud/v1/identity/");
        parent.update(function.as_bytes());
        Self { function: function.to_owned(), mac: keyed(&parent.finalize().into_bytes()) }
    }

    /// Adds the headers that say who calls, for as long as `lifetime`.
    pub fn tell(&self, headers: &mut HeaderMap, who: &Identity, lifetime: Duration) {
        let orgs = who.organisations.iter().map(|org| org.login.as_str()).collect::<Vec<_>>().join(",");
        let json = serde_json::to_vec(who).unwrap_or_default();
        let identity = URL_SAFE_NO_PAD.encode(json);
        let expires = (now() + lifetime).as_secs().to_string();
        let signature = self.message(&expires, who.login.as_str(), &orgs, &identity).finalize().into_bytes();
        let values = [
            (USER_HEADER, who.login.to_string()),
            (ORGS_HEADER, orgs),
            (IDENTITY_HEADER, identity),
            (EXPIRES_HEADER, expires),
            (SIGNATURE_HEADER, format!("v1={}", hex::encode(signature))),
        ];
        for (name, value) in values {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }

    /// Who calls, if anybody is said to.
    ///
    /// # Errors
    /// When somebody else than the router says so, or too long ago.
    pub fn read(&self, headers: &HeaderMap) -> Result<Option<Identity>, SignatureError> {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
        let Some(identity) = header(IDENTITY_HEADER) else { return Ok(None) };
        let needed = |name| header(name).ok_or(SignatureError::Missing);
        let (user, orgs, expires) = (needed(USER_HEADER)?, needed(ORGS_HEADER)?, needed(EXPIRES_HEADER)?);
        let signature = needed(SIGNATURE_HEADER)?.strip_prefix("v1=").ok_or(SignatureError::Missing)?;
        let signature = hex::decode(signature).map_err(|_| SignatureError::Wrong)?;
        self.message(expires, user, orgs, identity).verify_slice(&signature).map_err(|_| SignatureError::Wrong)?;
        if expires.parse::<u64>().map_err(|_| SignatureError::Wrong)? < now().as_secs() {
            return Err(SignatureError::Expired);
        }
        let json = URL_SAFE_NO_PAD.decode(identity).map_err(|_| SignatureError::Wrong)?;
        serde_json::from_slice(&json).map(Some).map_err(|_| SignatureError::Wrong)
    }

    fn message(&self, expires: &str, user: &str, orgs: &str, identity: &str) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        mac.update(format!("v1\n{}\n{expires}\n{user}\n{orgs}\n{identity}", self.function).as_bytes());
        mac
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alice() -> Identity {
        let organisation = |id, login: &str, role| Organisation { id, login: login.parse().unwrap(), role };
        Identity {
            host: "github.com".into(),
            id: 42,
            login: "alice".parse().unwrap(),
            organisations: vec![organisation(7, "acme", Role::Member), organisation(8, "beta", Role::Viewer)],
            operator: false,
        }
    }

    #[test]
    fn roles_go_by_numbers_at_one_host() {
        let at = |host: &str, id| alice().role_at(&OwnerId { host: host.into(), id });
        assert_eq!(at("github.com", 42), Some(Role::Owner));
        assert_eq!(at("github.com", 7), Some(Role::Member));
        assert_eq!(at("github.com", 8), Some(Role::Viewer));
        assert_eq!(at("github.com", 9), None);
        assert_eq!(at("gitlab.com", 42), None);
        assert_eq!(at("github.com", 0), None);
        assert!(Role::Viewer < Role::Member && Role::Member < Role::Owner);
    }

    #[test]
    fn a_function_believes_the_router_alone() {
        let secret = SecretString::from("secret");
        let key = IdentityKey::derive(&secret, "system-dashboard");
        let mut headers = HeaderMap::new();
        assert_eq!(key.read(&headers), Ok(None));
        key.tell(&mut headers, &alice(), Duration::from_secs(60));
        assert_eq!(key.read(&headers), Ok(Some(alice())));
        assert_eq!(
            (&headers[USER_HEADER], &headers[ORGS_HEADER]),
            (&"alice".parse().unwrap(), &"acme,beta".parse().unwrap())
        );
        let other = IdentityKey::derive(&secret, "list-functions");
        assert_eq!(other.read(&headers), Err(SignatureError::Wrong), "meant for another function");
        for name in [USER_HEADER, ORGS_HEADER, IDENTITY_HEADER, EXPIRES_HEADER, SIGNATURE_HEADER] {
            let mut changed = headers.clone();
            changed.insert(name, HeaderValue::from_static("1"));
            assert!(key.read(&changed).is_err(), "{name}");
        }
        let mut late = HeaderMap::new();
        key.tell(&mut late, &alice(), Duration::ZERO);
        late.insert(EXPIRES_HEADER, HeaderValue::from_static("1"));
        assert!(key.read(&late).is_err());
    }
}
