//! Secrets that nobody can guess.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;

/// `prefix` and 256 random bits.
///
/// # Errors
/// When the system gives no random numbers.
pub(crate) fn secret(prefix: &str) -> io::Result<SecretString> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    Ok(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(bytes)).into())
}
