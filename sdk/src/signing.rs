//! Signatures on everything that the functions tell each other.
//!
//! Under the signature are the method, the name of the function that is meant, the time at which the message
//! expires and the whole body, so that no part of it can be changed, sent elsewhere or sent again later. Each
//! target has a key of its own, derived from the shared `payload-secret`. There is no way to turn the check off.
//!
//! ```text
//! X-Cloud-Expires:   <seconds since 1970>
//! X-Cloud-Signature: v1=<hex of HMAC-SHA256(key, "v1\n" method "\n" function "\n" expires "\n" hex(SHA-256(body)))>
//! key = HMAC-SHA256(payload-secret, "openfaas-cloud/v1/function/" function)
//! ```

mod extract;
mod proof;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, Method};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

pub use extract::{MAX_MESSAGE_BYTES, Signed};
pub use proof::PROOF_DIGITS;

/// Carries when the message expires, in seconds since 1970.
pub const EXPIRES_HEADER: &str = "x-cloud-expires";
/// Carries `v1=` and the signature in lower-case hexadecimal digits.
pub const SIGNATURE_HEADER: &str = "x-cloud-signature";
/// A message that claims to live longer is refused: the durable queue gives up earlier.
pub const MAX_LIFETIME: Duration = Duration::from_secs(25 * 3600);

/// Why a message is not believed. The sentence is for the sender; it says nothing about the right value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// One of the two headers is not there or not readable.
    #[error("the request is not signed: it needs {EXPIRES_HEADER} and {SIGNATURE_HEADER}")]
    Missing,
    /// Not over this message, function and method, or not with our key.
    #[error("the request's signature is wrong")]
    Wrong,
    /// Too late.
    #[error("the request's signature has expired")]
    Expired,
}

/// The key for messages to one function.
#[derive(Clone)]
pub struct Key {
    function: String,
    mac: Hmac<Sha256>,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Key").field("function", &self.function).finish_non_exhaustive()
    }
}

impl Key {
    /// The key for messages to `function`.
    pub fn derive(payload_secret: &SecretString, function: &str) -> Self {
        let mut parent = keyed(payload_secret.expose_secret().as_bytes());
        parent.update(b"openfaas-cloud/v1/function/");
        parent.update(function.as_bytes());
        Self { function: function.to_owned(), mac: keyed(&parent.finalize().into_bytes()) }
    }

    /// The two headers for a message that stays valid for `lifetime`.
    pub fn sign(&self, method: &Method, body: &[u8], lifetime: Duration) -> [(&'static str, String); 2] {
        self.sign_digest(method, Sha256::digest(body).into(), lifetime)
    }

    /// As [`Key::sign`], for a message that stays valid until a moment, in seconds since 1970.
    pub fn sign_until(&self, method: &Method, body: &[u8], expires: u64) -> [(&'static str, String); 2] {
        self.sign_digest_until(method, Sha256::digest(body).into(), expires)
    }

    /// As [`Key::sign`], for a body of which only the SHA-256 is at hand.
    pub fn sign_digest(&self, method: &Method, digest: [u8; 32], lifetime: Duration) -> [(&'static str, String); 2] {
        self.sign_digest_until(method, digest, (now() + lifetime.min(MAX_LIFETIME)).as_secs())
    }

    fn sign_digest_until(&self, method: &Method, digest: [u8; 32], expires: u64) -> [(&'static str, String); 2] {
        let signature = self.message(method, expires, digest).finalize().into_bytes();
        [(EXPIRES_HEADER, expires.to_string()), (SIGNATURE_HEADER, format!("v1={}", hex::encode(signature)))]
    }

    /// Checks a message whose whole body is at hand.
    ///
    /// # Errors
    /// When the message is not signed, not with this key, or has expired.
    pub fn verify(&self, method: &Method, headers: &HeaderMap, body: &[u8]) -> Result<(), SignatureError> {
        self.verify_digest(method, headers, Sha256::digest(body).into())
    }

    /// Checks a message whose body went elsewhere and left its SHA-256.
    ///
    /// # Errors
    /// As [`Key::verify`].
    pub fn verify_digest(&self, method: &Method, headers: &HeaderMap, digest: [u8; 32]) -> Result<(), SignatureError> {
        let header = |name| headers.get(name).and_then(|value| value.to_str().ok()).ok_or(SignatureError::Missing);
        let expires: u64 = header(EXPIRES_HEADER)?.parse().map_err(|_| SignatureError::Missing)?;
        let signature = header(SIGNATURE_HEADER)?.strip_prefix("v1=").ok_or(SignatureError::Missing)?;
        let signature = hex::decode(signature).map_err(|_| SignatureError::Wrong)?;
        // `verify_slice` takes the same time wherever the first difference is.
        self.message(method, expires, digest).verify_slice(&signature).map_err(|_| SignatureError::Wrong)?;
        let now = now().as_secs();
        let believable = expires <= now.saturating_add(MAX_LIFETIME.as_secs());
        if expires >= now && believable { Ok(()) } else { Err(SignatureError::Expired) }
    }

    fn message(&self, method: &Method, expires: u64, digest: [u8; 32]) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        let text = format!("v1\n{method}\n{}\n{expires}\n{}", self.function, hex::encode(digest));
        mac.update(text.as_bytes());
        mac
    }
}

/// The header value `sha256=<hex>` by which GitHub signs a webhook and a client of the Function Builder API its tar.
pub fn sha256_header(secret: &SecretString, body: &[u8]) -> String {
    let mut signer = BodySigner::new(secret);
    signer.update(body);
    signer.header()
}

/// Makes the value of [`sha256_header`] for a body that comes in pieces.
pub struct BodySigner(Hmac<Sha256>);

impl BodySigner {
    /// Starts with an empty body.
    pub fn new(secret: &SecretString) -> Self {
        Self(keyed(secret.expose_secret().as_bytes()))
    }

    /// Adds a piece.
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    /// The header's value.
    pub fn header(self) -> String {
        format!("sha256={}", hex::encode(self.0.finalize().into_bytes()))
    }
}

/// True if `header` is the `sha256=<hex>` of `body` under `secret`. Takes the same time for any wrong value.
pub fn sha256_header_is_right(secret: &SecretString, header: &str, body: &[u8]) -> bool {
    let Some(Ok(signature)) = header.strip_prefix("sha256=").map(hex::decode) else { return false };
    let mut mac = keyed(secret.expose_secret().as_bytes());
    mac.update(body);
    mac.verify_slice(&signature).is_ok()
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length")]
pub(crate) fn keyed(key: &[u8]) -> Hmac<Sha256> {
    Hmac::new_from_slice(key).expect("HMAC takes keys of any length")
}

pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests;
