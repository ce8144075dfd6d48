//! The App's key: made once, as GitHub makes one for an App; the App keeps the private half, the host the public one.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::KeyPair as _;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::{ExposeSecret, SecretString};

/// How long a line of a PEM file is, in characters (RFC 7468).
const LINE: usize = 64;
const PRIVATE: &str = "PRIVATE KEY";
const PUBLIC: &str = "PUBLIC KEY";

/// A key that could not be made or read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AppKeyError {
    /// There is no randomness, or the library failed.
    #[error("an RSA key could not be made")]
    Generate,
    /// It is no private RSA key in PKCS#8 and PEM.
    #[error("it is no private RSA key in PKCS#8 and PEM")]
    Unreadable,
}

/// A new private key: RSA of 2048 bits, PKCS#8, PEM.
///
/// # Errors
/// When the system gives no random numbers.
pub fn generate() -> Result<SecretString, AppKeyError> {
    let pair = KeyPair::generate(KeySize::Rsa2048).map_err(|_| AppKeyError::Generate)?;
    let der: Pkcs8V1Der<'_> = pair.as_der().map_err(|_| AppKeyError::Generate)?;
    Ok(pem(PRIVATE, der.as_ref()).into())
}

/// The public half of such a key: `SubjectPublicKeyInfo`, PEM.
///
/// # Errors
/// When it is no such key.
pub fn public_half(private: &SecretString) -> Result<String, AppKeyError> {
    let der = unpack(private.expose_secret()).ok_or(AppKeyError::Unreadable)?;
    let pair = KeyPair::from_pkcs8(&der).map_err(|_| AppKeyError::Unreadable)?;
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der().map_err(|_| AppKeyError::Unreadable)?;
    Ok(pem(PUBLIC, public.as_ref()))
}

fn pem(label: &str, der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    for line in text.as_bytes().chunks(LINE) {
        // Base64 is ASCII.
        out.push_str(&String::from_utf8_lossy(line));
        out.push('\n');
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

fn unpack(pem: &str) -> Option<Vec<u8>> {
    let body = pem.trim().strip_prefix("-----BEGIN PRIVATE KEY-----")?.strip_suffix("-----END PRIVATE KEY-----")?;
    STANDARD.decode(body.split_whitespace().collect::<String>()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_a_public_half_and_other_text_has_none() {
        let private = generate().unwrap();
        let public = public_half(&private).unwrap();
        assert!(private.expose_secret().starts_with("-----BEGIN PRIVATE KEY-----\n"));
        assert!(public.starts_with("-----BEGIN PUBLIC KEY-----\n") && public.ends_with("-----END PUBLIC KEY-----\n"));
        assert!(public.lines().all(|line| line.len() <= LINE));
        for wrong in ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", public.as_str()] {
            assert_eq!(public_half(&wrong.to_owned().into()), Err(AppKeyError::Unreadable));
        }
    }
}
