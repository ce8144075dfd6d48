//! What a token says, and whether it is to be believed.

use std::collections::HashMap;

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use sdk::identity::Identity;
use serde::{Deserialize, Serialize};

use crate::keys::Jwks;

/// No honest token is longer, in bytes: it has to fit into a cookie.
pub const MAX_TOKEN: usize = 4000;
/// How far the clocks of two machines may be apart, in seconds.
const CLOCKS: u64 = 5;

/// What a session's token says. Times are seconds since 1970.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Which installation's of-auth made it: its public address.
    pub iss: String,
    /// The one host that it is for, lower-cased, without a port.
    pub aud: String,
    /// Whose it is: `<host>/<number>` as the provider counts.
    pub sub: String,
    /// The session, the same in all tokens that come from one login.
    pub sid: String,
    /// When it was made.
    pub iat: u64,
    /// When it ends. A session outlives its tokens: of-auth gives a new one for an old one.
    pub exp: u64,
    /// Who it is.
    pub who: Identity,
    /// When the session or API token itself ends at the latest, whatever is renewed; not known to who does not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<u64>,
}

/// Why a token does not count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It was good once; of-auth may give a new one for it.
    #[error("the token has expired")]
    Expired(Box<Claims>),
    /// Its key is none of the known ones. They may have been changed.
    #[error("the token's key is unknown")]
    UnknownKey,
    /// Not one of ours, or not for this host.
    #[error("the token is not valid here")]
    Invalid,
}

/// Checks tokens of one installation.
#[derive(Clone)]
pub struct Verifier {
    issuer: String,
    keys: HashMap<String, DecodingKey>,
}

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Verifier").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

impl Verifier {
    /// One for tokens that `issuer` signs with these keys. A key that is not usable is left out.
    pub fn new(issuer: impl Into<String>, keys: &Jwks) -> Self {
        let usable = keys.keys.iter().filter_map(|key| {
            let decoding = DecodingKey::from_ec_components(&key.x, &key.y).ok()?;
            Some((key.kid.clone(), decoding))
        });
        Self { issuer: issuer.into(), keys: usable.collect() }
    }

    /// What a token for `host` says at the time `now`.
    ///
    /// # Errors
    /// When it is not one of ours, not for this host, or too old.
    pub fn verify(&self, token: &str, host: &str, now: u64) -> Result<Claims, Refused> {
        if token.len() > MAX_TOKEN {
            return Err(Refused::Invalid);
        }
        let header = decode_header(token).map_err(|_| Refused::Invalid)?;
        if header.alg != Algorithm::ES256 {
            return Err(Refused::Invalid);
        }
        let key = header.kid.as_ref().and_then(|kid| self.keys.get(kid)).ok_or(Refused::UnknownKey)?;
        let mut rules = Validation::new(Algorithm::ES256);
        rules.set_issuer(&[&self.issuer]);
        rules.set_audience(&[host]);
        rules.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
        // Told apart from all other reasons, below.
        rules.validate_exp = false;
        let claims = decode::<Claims>(token, key, &rules).map_err(|_| Refused::Invalid)?.claims;
        if claims.iat > now.saturating_add(CLOCKS) {
            return Err(Refused::Invalid);
        }
        if claims.exp <= now { Err(Refused::Expired(Box::new(claims))) } else { Ok(claims) }
    }
}

#[cfg(test)]
mod tests;
