//! People's tokens, by which the platform asks once who somebody is.

use std::collections::HashMap;
use std::io;
use std::sync::{Mutex, PoisonError};

use sdk::id::Owner;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// How long a token is good, in seconds: for the questions that follow a login.
pub(super) const TOKEN_SECONDS: u64 = 5 * 60;
/// Tells such a token from others when one turns up where it should not.
const PREFIX: &str = "ofu_";
/// Tokens at the same time; the oldest go first.
const MAX: usize = 5000;

/// The digest of a token; tokens themselves are not kept.
pub(super) type TokenId = [u8; 32];

/// Somebody with a login here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) owner: Owner,
    pub(super) number: u64,
}

/// The tokens that are out. A restart takes them all back.
#[derive(Debug, Default)]
pub(super) struct Tokens(Mutex<HashMap<TokenId, (Person, u64)>>);

impl Tokens {
    /// A new token.
    pub(super) fn issue(&self, person: Person, now: u64) -> io::Result<(SecretString, TokenId)> {
        let token = crate::random::secret(PREFIX)?;
        let id = id_of(token.expose_secret());
        let mut tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.retain(|_, (_, expires)| *expires > now);
        if tokens.len() >= MAX {
            let oldest = tokens.iter().min_by_key(|(_, (_, expires))| *expires).map(|(id, _)| *id);
            oldest.and_then(|id| tokens.remove(&id));
        }
        tokens.insert(id, (person, now + TOKEN_SECONDS));
        Ok((token, id))
    }

    /// Whose token it is, if it is good.
    pub(super) fn whose(&self, token: &str, now: u64) -> Option<Person> {
        let tokens = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.get(&id_of(token)).filter(|(_, expires)| *expires > now).map(|(person, _)| person.clone())
    }

    /// Takes one back.
    pub(super) fn revoke(&self, id: &TokenId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }
}

fn id_of(token: &str) -> TokenId {
    Sha256::digest(token).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_ends_by_time_and_when_it_is_taken_back() {
        let tokens = Tokens::default();
        let alice = Person { owner: "alice".parse().unwrap(), number: 1 };
        let (token, id) = tokens.issue(alice.clone(), 100).unwrap();
        let token = token.expose_secret();
        assert!(token.starts_with("ofu_") && token.len() == 47);
        assert_eq!(tokens.whose(token, 100 + TOKEN_SECONDS - 1), Some(alice));
        assert_eq!(tokens.whose(token, 100 + TOKEN_SECONDS), None);
        assert_eq!(tokens.whose("ofu_", 100), None);
        tokens.revoke(&id);
        assert_eq!(tokens.whose(token, 100), None);
    }

    #[test]
    fn memory_has_an_end() {
        let tokens = Tokens::default();
        let person = |number| Person { owner: "alice".parse().unwrap(), number };
        let (first, _) = tokens.issue(person(0), 100).unwrap();
        for number in 0..MAX as u64 {
            tokens.issue(person(number), 101).unwrap();
        }
        assert_eq!(tokens.whose(first.expose_secret(), 101), None);
        assert_eq!(tokens.0.lock().unwrap().len(), MAX);
    }
}
