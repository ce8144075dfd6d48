//! The keys of an installation: ECDSA on the curve P-256.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::claims::Claims;

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// A key that cannot be used. The key itself is never told.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It is no text that begins and ends as a PKCS#8 key does.
    #[error(
        "it is no PEM text of a PKCS#8 key (\"BEGIN PRIVATE KEY\"); `openssl pkcs8 -topk8 -nocrypt` converts others"
    )]
    NotPem,
    /// It is for something else.
    #[error("it is no key for ECDSA on the curve P-256")]
    NotP256,
    /// No key could be made.
    #[error("no key could be made: the system gives no random numbers")]
    Random,
    /// A token could not be signed.
    #[error("the token could not be signed")]
    Sign(#[source] jsonwebtoken::errors::Error),
}

/// A public key as it is published (RFC 7517).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    /// `EC`.
    pub kty: String,
    /// `P-256`.
    pub crv: String,
    /// `ES256`.
    pub alg: String,
    /// `sig`.
    #[serde(rename = "use")]
    pub usage: String,
    /// Its name: the thumbprint of RFC 7638.
    pub kid: String,
    /// One coordinate, in base64url.
    pub x: String,
    /// The other.
    pub y: String,
}

/// The public keys of an installation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwks {
    /// The newest first.
    pub keys: Vec<Jwk>,
}

/// A key that signs tokens.
pub struct SigningKey {
    key: EncodingKey,
    public: Jwk,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.public.kid).finish_non_exhaustive()
    }
}

impl SigningKey {
    /// Makes a new key, as PEM text of PKCS#8.
    ///
    /// # Errors
    /// When the system gives no random numbers.
    pub fn generate() -> Result<SecretString, KeyError> {
        let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &SystemRandom::new());
        let text = STANDARD.encode(document.map_err(|_| KeyError::Random)?.as_ref());
        let lines: Vec<&str> = text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
        Ok(format!("{BEGIN}\n{}\n{END}\n", lines.join("\n")).into())
    }

    /// Reads a key from PEM text of PKCS#8.
    ///
    /// # Errors
    /// When it is not that, or for another curve.
    pub fn from_pem(pem: &SecretString) -> Result<Self, KeyError> {
        let text = pem.expose_secret().trim();
        let inner = text.strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END)).ok_or(KeyError::NotPem)?;
        let inner: String = inner.split_whitespace().collect();
        let der = STANDARD.decode(inner).map_err(|_| KeyError::NotPem)?;
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &der).map_err(|_| KeyError::NotP256)?;
        let public = jwk(pair.public_key().as_ref()).ok_or(KeyError::NotP256)?;
        Ok(Self { key: EncodingKey::from_ec_der(&der), public })
    }

    /// The public half.
    pub fn public(&self) -> &Jwk {
        &self.public
    }

    /// Signs a token.
    ///
    /// # Errors
    /// Never in practice.
    pub fn sign(&self, claims: &Claims) -> Result<String, KeyError> {
        let header = Header { kid: Some(self.public.kid.clone()), ..Header::new(Algorithm::ES256) };
        encode(&header, claims, &self.key).map_err(KeyError::Sign)
    }
}

/// From an uncompressed point: a four, and two coordinates of 32 bytes.
fn jwk(point: &[u8]) -> Option<Jwk> {
    let (x, y) = point.strip_prefix(&[4]).filter(|rest| rest.len() == 64)?.split_at(32);
    let (x, y) = (URL_SAFE_NO_PAD.encode(x), URL_SAFE_NO_PAD.encode(y));
    // The members that RFC 7638 names, in its order.
    let canonical = format!("{{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"{x}\",\"y\":\"{y}\"}}");
    let kid = URL_SAFE_NO_PAD.encode(Sha256::digest(canonical));
    let text = str::to_owned;
    Some(Jwk { kty: text("EC"), crv: text("P-256"), alg: text("ES256"), usage: text("sig"), kid, x, y })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_was_made_can_be_read_and_others_cannot() {
        let pem = SigningKey::generate().unwrap();
        let key = SigningKey::from_pem(&pem).unwrap();
        assert_eq!(SigningKey::from_pem(&pem).unwrap().public(), key.public());
        assert_eq!(key.public().kid.len(), 43);
        assert!(!format!("{key:?}").contains(&pem.expose_secret()[40..60]));
        for wrong in ["", "key", "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----"] {
            assert!(matches!(SigningKey::from_pem(&wrong.into()), Err(KeyError::NotPem)), "{wrong}");
        }
        let other = format!("{BEGIN}\nAAAA\n{END}");
        assert!(matches!(SigningKey::from_pem(&other.into()), Err(KeyError::NotP256)));
    }
}
