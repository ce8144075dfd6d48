//! Authorisation codes: once, within a minute, for whoever began.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::tokens::{Person, TokenId};

/// How long a code is good, in seconds.
pub(super) const CODE_SECONDS: u64 = 60;
/// Codes at the same time. Only who is signed in gets one.
const MAX: usize = 1000;

/// The digest of a code; codes themselves are not kept.
type CodeId = [u8; 32];

/// The codes that are out.
#[derive(Debug, Default)]
pub(super) struct Grants(Mutex<HashMap<CodeId, Grant>>);

#[derive(Debug)]
struct Grant {
    expires: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    Open(Granted),
    /// What came of it, to be taken back when the code turns up again.
    Used(Option<TokenId>),
}

/// What a code stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Granted {
    pub(super) person: Person,
    pub(super) redirect_uri: String,
    pub(super) scope: String,
    /// PKCE: the base64url SHA-256 of the verifier.
    pub(super) challenge: String,
}

/// Why a code is worth nothing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BadCode {
    /// Unknown, expired, or for another verifier.
    Wrong,
    /// For another address.
    Redirect,
    /// Used before; the token of that time has to go too.
    Replayed(Option<TokenId>),
}

impl Grants {
    /// A new code. `None` when too many are out.
    pub(super) fn issue(&self, granted: Granted, now: u64) -> io::Result<Option<SecretString>> {
        let code = crate::random::secret("")?;
        let mut grants = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        grants.retain(|_, grant| grant.expires > now);
        if grants.len() >= MAX {
            return Ok(None);
        }
        let grant = Grant { expires: now + CODE_SECONDS, state: State::Open(granted) };
        grants.insert(id_of(code.expose_secret()), grant);
        Ok(Some(code))
    }

    /// Takes a code back. Whatever comes of it, it is used.
    pub(super) fn redeem(&self, code: &str, redirect_uri: &str, verifier: &str, now: u64) -> Result<Granted, BadCode> {
        let mut grants = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let grant = grants.get_mut(&id_of(code)).filter(|grant| grant.expires > now).ok_or(BadCode::Wrong)?;
        let granted = match std::mem::replace(&mut grant.state, State::Used(None)) {
            State::Open(granted) => granted,
            State::Used(token) => return Err(BadCode::Replayed(token)),
        };
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier));
        if !bool::from(challenge.as_bytes().ct_eq(granted.challenge.as_bytes())) {
            return Err(BadCode::Wrong);
        }
        if granted.redirect_uri != redirect_uri { Err(BadCode::Redirect) } else { Ok(granted) }
    }

    /// Notes which token came of a code.
    pub(super) fn note(&self, code: &str, token: TokenId) {
        let mut grants = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(grant) = grants.get_mut(&id_of(code)) {
            grant.state = State::Used(Some(token));
        }
    }
}

fn id_of(code: &str) -> CodeId {
    Sha256::digest(code).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: &str = "http://auth.system.localhost/oauth2/authorized";

    fn granted(verifier: &str) -> Granted {
        Granted {
            person: Person { owner: "alice".parse().unwrap(), number: 1 },
            redirect_uri: HOME.to_owned(),
            scope: String::new(),
            challenge: URL_SAFE_NO_PAD.encode(Sha256::digest(verifier)),
        }
    }

    fn issue(grants: &Grants) -> String {
        grants.issue(granted("v"), 100).unwrap().unwrap().expose_secret().to_owned()
    }

    #[test]
    fn a_code_is_good_once_for_its_verifier_and_address_within_a_minute() {
        let grants = Grants::default();
        let code = issue(&grants);
        assert_eq!(grants.redeem(&code, HOME, "v", 159), Ok(granted("v")));
        assert_eq!(grants.redeem(&code, HOME, "v", 159), Err(BadCode::Replayed(None)));
        grants.note(&code, [7; 32]);
        assert_eq!(grants.redeem(&code, HOME, "v", 159), Err(BadCode::Replayed(Some([7; 32]))));
        assert_eq!(grants.redeem(&issue(&grants), HOME, "v", 160), Err(BadCode::Wrong), "too late");
        assert_eq!(grants.redeem("", HOME, "v", 100), Err(BadCode::Wrong));
        assert_eq!(grants.redeem(&issue(&grants), "http://evil", "v", 100), Err(BadCode::Redirect));
        let code = issue(&grants);
        assert_eq!(grants.redeem(&code, HOME, "w", 100), Err(BadCode::Wrong));
        assert_eq!(grants.redeem(&code, HOME, "v", 100), Err(BadCode::Replayed(None)), "a wrong guess uses it up");
    }

    #[test]
    fn memory_has_an_end() {
        let grants = Grants::default();
        for _ in 0..MAX {
            issue(&grants);
        }
        assert!(grants.issue(granted("v"), 100).unwrap().is_none());
        assert!(grants.issue(granted("v"), 160).unwrap().is_some());
    }
}
