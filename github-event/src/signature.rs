//! GitHub's signature on a webhook.

use http::HeaderMap;
use sdk::signing::sha256_header_is_right;
use secrecy::SecretString;

use crate::refusal::Refusal;

const HEADER: &str = "x-hub-signature-256";

/// Checks the signature over the raw body with each of the secrets: two while the secret is being changed.
pub(crate) fn verify(secrets: &[SecretString], headers: &HeaderMap, body: &[u8]) -> Result<(), Refusal> {
    let given = headers.get(HEADER).and_then(|value| value.to_str().ok()).ok_or(Refusal::Unsigned)?;
    let right = secrets.iter().any(|secret| sha256_header_is_right(secret, given, body));
    if right { Ok(()) } else { Err(Refusal::WrongSignature) }
}
