//! The key for which callers seal build secrets: Curve25519, 32 bytes in base64, as `faas-cli secret keygen` writes it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto_box::SecretKey;
use secrecy::zeroize::Zeroizing;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Serialize;

/// How values are sealed.
pub(super) const ALGORITHM: &str = "nacl/box";
/// So many characters of a public key name it.
const ID_CHARS: usize = 8;

/// The builder's private key.
#[derive(Clone)]
pub struct BuilderKey {
    pub(super) secret: SecretKey,
}

/// The secret is no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a Curve25519 key, 32 bytes in base64: faas-cli secret keygen makes one")]
pub struct InvalidBuilderKey;

/// The answer of `GET /publickey`.
#[derive(Debug, Serialize)]
pub(crate) struct PublicKeyAnswer {
    key_id: String,
    algorithm: &'static str,
    public_key: String,
}

impl BuilderKey {
    /// Reads a key; white space around it does not count.
    ///
    /// # Errors
    /// If it is anything else than 32 bytes in base64.
    pub fn parse(text: &SecretString) -> Result<Self, InvalidBuilderKey> {
        let bytes = Zeroizing::new(STANDARD.decode(text.expose_secret().trim()).map_err(|_| InvalidBuilderKey)?);
        let secret = SecretKey::from_slice(&bytes).map_err(|_| InvalidBuilderKey)?;
        Ok(Self { secret })
    }

    /// The public key in base64.
    pub fn public_key(&self) -> String {
        STANDARD.encode(self.secret.public_key().as_bytes())
    }

    /// The public key's short name.
    pub fn id(&self) -> String {
        self.public_key().chars().take(ID_CHARS).collect()
    }

    pub(crate) fn answer(&self) -> PublicKeyAnswer {
        PublicKeyAnswer { key_id: self.id(), algorithm: ALGORITHM, public_key: self.public_key() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_of_faas_cli_has_its_id_and_its_public_key() {
        // Written by `faas-cli secret keygen`, which said "Key ID: elZ06m5w".
        let key = BuilderKey::parse(&"Px7hyZSojPu4ZVmjTJynIfLrKZ8afASgJqL7leTAFUE=\n".into()).unwrap();
        insta::assert_snapshot!(serde_json::to_string(&key.answer()).unwrap(),
            @r#"{"key_id":"elZ06m5w","algorithm":"nacl/box","public_key":"elZ06m5w6Xg03qRiXr7lga91gbN38vXOZuhqUk04ghI="}"#);
    }

    #[test]
    fn what_is_no_key_is_refused_without_being_shown() {
        for text in ["", "secret", "AAAA", "Px7hyZSojPu4ZVmjTJynIfLrKZ8afASgJqL7leTAFUEA"] {
            assert_eq!(BuilderKey::parse(&text.into()).err(), Some(InvalidBuilderKey), "{text}");
        }
        assert!(!InvalidBuilderKey.to_string().contains("Px7"));
    }
}
