//! ID tokens: OpenID Connect Core 1.0, section 3.1.3.7.

use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::{Map, Value};
use subtle::ConstantTimeEq;

use super::Oidc;
use super::discovery::Discovered;
use crate::provider::ProviderError;

/// How far the provider's clock and ours may be apart, in seconds.
const CLOCKS: u64 = 60;
/// No honest one is longer, in bytes.
const MAX_TOKEN: usize = 64 * 1024;
/// Longer subjects are not allowed by the standard, in bytes.
const MAX_SUBJECT: usize = 255;
/// What a provider may sign with: public keys only. Our client secret as an HMAC key would be one that people choose.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// Why an ID token does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum IdTokenError {
    /// There is none.
    #[error("the provider sent no ID token")]
    Missing,
    /// It is no signed token, or signed in a way that proves nothing.
    #[error("the ID token is not signed in a way that is accepted")]
    Unsigned,
    /// The provider has no such key.
    #[error("the ID token's key is not among the provider's")]
    UnknownKey,
    /// Signed by somebody else, or no claims in it.
    #[error("the ID token's signature or claims are wrong")]
    Invalid,
    /// Another issuer's.
    #[error("the ID token is another issuer's")]
    Issuer,
    /// Another client's.
    #[error("the ID token is for another client")]
    Audience,
    /// Too old.
    #[error("the ID token has expired")]
    Expired,
    /// From a time to come.
    #[error("the ID token is from the future")]
    Early,
    /// Another login's.
    #[error("the ID token belongs to another login")]
    Nonce,
    /// Two answers about two people.
    #[error("the provider's user information is another person's")]
    OtherSubject,
}

/// What a good ID token says.
#[derive(Debug)]
pub(super) struct Verified {
    pub(super) subject: String,
    pub(super) claims: Map<String, Value>,
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    aud: Audience,
    exp: u64,
    iat: u64,
    nbf: Option<u64>,
    nonce: Option<String>,
    azp: Option<String>,
    #[serde(flatten)]
    others: Map<String, Value>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl Oidc {
    /// Checks an ID token of a login with this nonce, at the time `now` in seconds since 1970.
    pub(super) async fn verify(
        &self,
        discovered: &Discovered,
        token: &SecretString,
        nonce: &str,
        now: u64,
    ) -> Result<Verified, ProviderError> {
        let token = token.expose_secret();
        let header = decode_header(token).map_err(|_| IdTokenError::Unsigned)?;
        if token.len() > MAX_TOKEN || !ALGORITHMS.contains(&header.alg) {
            return Err(IdTokenError::Unsigned.into());
        }
        let key = self.key(discovered, header.kid.as_deref(), header.alg).await?;
        let mut rules = Validation::new(header.alg);
        // Claims are checked below, at a time that is given and with reasons that are told apart.
        rules.required_spec_claims.clear();
        (rules.validate_exp, rules.validate_aud) = (false, false);
        let mut claims = decode::<Claims>(token, &key, &rules).map_err(|_| IdTokenError::Invalid)?.claims;
        claims.check(&self.issuer, self.application.id(), nonce, now)?;
        claims.others.insert("sub".into(), claims.sub.clone().into());
        Ok(Verified { subject: claims.sub, claims: claims.others })
    }
}

impl Claims {
    fn check(&self, issuer: &str, client: &str, nonce: &str, now: u64) -> Result<(), IdTokenError> {
        if self.iss != issuer {
            return Err(IdTokenError::Issuer);
        }
        let for_us = match &self.aud {
            Audience::One(one) => one == client,
            // With several, the one that it was made for is named besides.
            Audience::Many(many) => {
                many.iter().any(|one| one == client) && (many.len() == 1 || self.azp.as_deref() == Some(client))
            }
        };
        if !for_us || self.azp.as_deref().is_some_and(|azp| azp != client) {
            return Err(IdTokenError::Audience);
        }
        if self.exp.saturating_add(CLOCKS) <= now {
            return Err(IdTokenError::Expired);
        }
        if self.iat.max(self.nbf.unwrap_or_default()) > now.saturating_add(CLOCKS) {
            return Err(IdTokenError::Early);
        }
        let same = self.nonce.as_ref().is_some_and(|sent| sent.as_bytes().ct_eq(nonce.as_bytes()).into());
        if !same {
            return Err(IdTokenError::Nonce);
        }
        if self.sub.is_empty() || self.sub.len() > MAX_SUBJECT { Err(IdTokenError::Invalid) } else { Ok(()) }
    }
}
