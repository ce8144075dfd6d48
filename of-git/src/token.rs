//! Tokens of owners, derived and therefore stored nowhere.

use hmac::{Hmac, KeyInit, Mac};
use sdk::id::Owner;
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// Tells a token of this host from others when one turns up where it should not.
const PREFIX: &str = "ofg_";

/// The token with which `owner` pushes and fetches: an HMAC of the login under the installation's master key.
/// Changing the master key takes every token back.
pub fn token(master: &SecretString, owner: &Owner) -> SecretString {
    // An HMAC takes a key of any length, so there is no case in which this is left out.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(master.expose_secret().as_bytes()) else {
        unreachable!("HMAC takes keys of every length")
    };
    mac.update(b"git/v1/");
    mac.update(owner.as_str().as_bytes());
    format!("{PREFIX}{}", hex::encode(mac.finalize().into_bytes())).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_owner_and_each_key_has_its_own_token() {
        let (one, two) = (SecretString::from("one"), SecretString::from("two"));
        let (alice, bob) = ("alice".parse().unwrap(), "bob".parse().unwrap());
        let tokens = [token(&one, &alice), token(&one, &bob), token(&two, &alice)];
        let shown: std::collections::HashSet<&str> = tokens.iter().map(|t| t.expose_secret()).collect();
        assert_eq!(shown.len(), 3);
        assert!(shown.iter().all(|t| t.starts_with("ofg_") && t.len() == 68));
        assert_eq!(token(&one, &alice).expose_secret(), token(&one, &"ALICE".parse().unwrap()).expose_secret());
    }
}
