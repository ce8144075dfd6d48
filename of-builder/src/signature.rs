//! `X-Build-Signature: sha256=<hex>`: HMAC-SHA256 over the raw body, checked before a byte of it is believed.

use hmac::{Hmac, KeyInit as _, Mac as _};
use http::HeaderMap;
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

/// The header that carries the signature.
pub(crate) const HEADER: &str = "x-build-signature";

#[derive(Debug, thiserror::Error)]
pub(crate) enum SignatureError {
    #[error("the request carries no X-Build-Signature: sign the body with payload-secret")]
    Missing,
    #[error("X-Build-Signature is not of the form sha256=<64 hexadecimal digits>")]
    Malformed,
    #[error("X-Build-Signature does not fit the body: is the same payload-secret used on both sides?")]
    Wrong,
    #[error("payload-secret cannot be used as a key")]
    Key,
}

/// The signature that the sender claims.
#[derive(Debug)]
pub(crate) struct Claimed(Vec<u8>);

impl Claimed {
    pub(crate) fn from_headers(headers: &HeaderMap) -> Result<Self, SignatureError> {
        let value = headers.get(HEADER).ok_or(SignatureError::Missing)?;
        let hex = value.to_str().ok().and_then(|text| text.strip_prefix("sha256="));
        let bytes = hex.and_then(|hex| hex::decode(hex).ok()).filter(|bytes| bytes.len() == 32);
        bytes.map(Self).ok_or(SignatureError::Malformed)
    }
}

/// The signature and the digest of a body, computed while it arrives.
pub(crate) struct Running {
    mac: Hmac<Sha256>,
    digest: Sha256,
}

impl Running {
    pub(crate) fn new(secret: &SecretString) -> Result<Self, SignatureError> {
        let key = secret.expose_secret().as_bytes();
        let mac = Hmac::new_from_slice(key).map_err(|_| SignatureError::Key)?;
        Ok(Self { mac, digest: Sha256::new() })
    }

    pub(crate) fn update(&mut self, chunk: &[u8]) {
        self.mac.update(chunk);
        self.digest.update(chunk);
    }

    /// Compares in constant time. Returns the body's SHA-256 in hexadecimal digits.
    pub(crate) fn verify(self, claimed: &Claimed) -> Result<String, SignatureError> {
        self.mac.verify_slice(&claimed.0).map_err(|_| SignatureError::Wrong)?;
        Ok(hex::encode(self.digest.finalize()))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn claimed(value: &'static str) -> Result<Claimed, SignatureError> {
        Claimed::from_headers(&HeaderMap::from_iter([(HEADER.parse().unwrap(), HeaderValue::from_static(value))]))
    }

    #[test]
    fn a_published_test_vector_verifies() {
        // RFC 4231, test case 2.
        let claim = claimed("sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843").unwrap();
        let mut running = Running::new(&"Jefe".into()).unwrap();
        running.update(b"what do ya want ");
        running.update(b"for nothing?");
        running.verify(&claim).unwrap();
    }

    #[test]
    fn another_body_or_secret_does_not_verify() {
        let value = sdk::signing::sha256_header(&"secret".into(), b"body");
        let claim = Claimed(hex::decode(&value["sha256=".len()..]).unwrap());
        for (secret, body) in [("secret", &b"Body"[..]), ("other", b"body"), ("secret", b"")] {
            let mut running = Running::new(&secret.into()).unwrap();
            running.update(body);
            assert!(matches!(running.verify(&claim), Err(SignatureError::Wrong)));
        }
    }

    #[test]
    fn missing_and_malformed_headers_are_told_apart() {
        assert!(matches!(Claimed::from_headers(&HeaderMap::new()), Err(SignatureError::Missing)));
        for value in ["", "sha256=", "sha256=00", "sha1=00", "5bdcc1", "sha256=zz"] {
            assert!(matches!(claimed(value), Err(SignatureError::Malformed)), "{value}");
        }
    }
}
