//! One sealed value.
//!
//! A random AES-256 key encrypts the value, and RSA-OAEP with SHA-256 encrypts that key to the stage. The label of OAEP binds
//! both to a namespace and a name. Put together: two bytes with the length of the RSA part, that part, the AES-GCM part with
//! its tag; and all of it in base64. The nonce of AES-GCM is zero, which is safe for a key that encrypts one value.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::zeroize::Zeroizing;

use crate::certificate::Certificate;

/// The longest value that is sealed, in bytes. Kubernetes allows no more for a whole secret.
pub const MAX_VALUE_BYTES: usize = 1024 * 1024;
/// The key of AES-256, in bytes.
const SESSION_KEY_BYTES: usize = 32;
/// The length of the RSA part comes first, in so many bytes.
const LENGTH_BYTES: usize = 2;
/// What AES-GCM adds to a value, in bytes.
const TAG_BYTES: usize = 16;
/// The RSA part of the longest key, in bytes.
const MAX_RSA_BYTES: usize = *crate::certificate::KEY_BITS.end() / 8;
/// The longest sealed value before base64.
const MAX_BYTES: usize = LENGTH_BYTES + MAX_RSA_BYTES + MAX_VALUE_BYTES + TAG_BYTES;
/// The longest sealed value, in characters.
pub(crate) const MAX_SEALED_CHARS: usize = MAX_BYTES.div_ceil(3) * 4;

/// Why a value is not sealed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SealError {
    /// It is longer than [`MAX_VALUE_BYTES`].
    #[error("the value has {0} bytes; at most {MAX_VALUE_BYTES} can be sealed")]
    TooLong(usize),
    /// There is no name or no namespace to bind it to.
    #[error("a value is sealed for one secret in one namespace: both need a name, and neither may have a slash")]
    Name,
    /// The cryptographic library gave up. That is not known to happen.
    #[error("the value could not be sealed")]
    Crypto,
}

impl From<aws_lc_rs::error::Unspecified> for SealError {
    fn from(_: aws_lc_rs::error::Unspecified) -> Self {
        Self::Crypto
    }
}

/// Seals a value for the secret `name` in `namespace`, so that only the holder of the certificate's key can open it, and only
/// there. Twice the same value gives two different texts. Whether the certificate is good now is for the caller to ask
/// ([`Certificate::check_valid`]).
///
/// # Errors
/// When the value is too long, or a name is empty or has a slash.
pub fn seal(certificate: &Certificate, namespace: &str, name: &str, value: &[u8]) -> Result<String, SealError> {
    if value.len() > MAX_VALUE_BYTES {
        return Err(SealError::TooLong(value.len()));
    }
    let label = strict_label(namespace, name).ok_or(SealError::Name)?;
    let mut session_key = Zeroizing::new([0; SESSION_KEY_BYTES]);
    getrandom::fill(session_key.as_mut_slice()).map_err(|_| SealError::Crypto)?;

    let public = certificate.encrypting_key()?;
    let mut rsa_part = vec![0; public.ciphertext_size()];
    let rsa_part =
        public.encrypt(&OAEP_SHA256_MGF1SHA256, session_key.as_slice(), &mut rsa_part, Some(label.as_bytes()))?;
    let length = u16::try_from(rsa_part.len()).map_err(|_| SealError::Crypto)?;

    let mut aes_part = value.to_vec();
    let tag = aes(session_key.as_slice())?.seal_in_place_separate_tag(zero_nonce(), Aad::empty(), &mut aes_part)?;
    Ok(STANDARD.encode([&length.to_be_bytes()[..], rsa_part, &aes_part, tag.as_ref()].concat()))
}

/// The label of a value that is good for one name in one namespace.
pub(crate) fn strict_label(namespace: &str, name: &str) -> Option<String> {
    let good = |part: &str| !part.is_empty() && !part.contains('/');
    (good(namespace) && good(name)).then(|| format!("{namespace}/{name}"))
}

/// A sealed value in its parts.
pub(crate) struct Envelope {
    rsa_part: Vec<u8>,
    aes_part: Vec<u8>,
}

/// A text that is no sealed value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    TooLong,
    Base64,
    Truncated,
}

impl Envelope {
    /// Takes base64 apart. Line breaks in it are passed over, as the controller does.
    pub(crate) fn parse(sealed: &str) -> Result<Self, Malformed> {
        // Some room for line breaks.
        if sealed.len() > MAX_SEALED_CHARS + MAX_SEALED_CHARS / 16 {
            return Err(Malformed::TooLong);
        }
        let text: String = sealed.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
        let mut bytes = STANDARD.decode(text).map_err(|_| Malformed::Base64)?;
        let (length, _) = bytes.split_first_chunk::<LENGTH_BYTES>().ok_or(Malformed::Truncated)?;
        let aes_at = LENGTH_BYTES + usize::from(u16::from_be_bytes(*length));
        if bytes.len() < aes_at + TAG_BYTES {
            return Err(Malformed::Truncated);
        }
        let aes_part = bytes.split_off(aes_at);
        bytes.drain(..LENGTH_BYTES);
        Ok(Self { rsa_part: bytes, aes_part })
    }

    /// The key of the value, if this private key and label are the right ones.
    pub(crate) fn session_key(&self, key: &OaepPrivateDecryptingKey, label: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        if self.rsa_part.len() != key.key_size_bytes() {
            return None;
        }
        let mut room = Zeroizing::new(vec![0; key.min_output_size()]);
        let label = (!label.is_empty()).then_some(label);
        let opened = key.decrypt(&OAEP_SHA256_MGF1SHA256, &self.rsa_part, &mut room, label).ok()?;
        Some(Zeroizing::new(opened.to_vec()))
    }

    /// The value, unless it was changed.
    pub(crate) fn value(self, session_key: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let mut value = Zeroizing::new(self.aes_part);
        let length = aes(session_key).ok()?.open_in_place(zero_nonce(), Aad::empty(), &mut value).ok()?.len();
        value.truncate(length);
        Some(value)
    }
}

fn aes(session_key: &[u8]) -> Result<LessSafeKey, aws_lc_rs::error::Unspecified> {
    UnboundKey::new(&AES_256_GCM, session_key).map(LessSafeKey::new)
}

fn zero_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}
