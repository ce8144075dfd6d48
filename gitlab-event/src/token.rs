//! The token by which GitLab shows that a webhook is its own.

use http::HeaderMap;
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

use crate::refusal::Refusal;

const HEADER: &str = "x-gitlab-token";

/// Compares the token with each of the secrets: two while the secret is being changed. It takes the same time
/// wherever the first difference is, and however long the token is; hence the digests.
pub(crate) fn verify(secrets: &[SecretString], headers: &HeaderMap) -> Result<(), Refusal> {
    let given = Sha256::digest(headers.get(HEADER).ok_or(Refusal::NoToken)?.as_bytes());
    let same = |secret: &SecretString| Sha256::digest(secret.expose_secret().as_bytes()).ct_eq(&given);
    let right = secrets.iter().fold(Choice::from(0), |right, secret| right | same(secret));
    if bool::from(right) { Ok(()) } else { Err(Refusal::WrongToken) }
}
