//! Random values that nobody guesses, and the hashes under which they are kept.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// Letters of codes that people type: no vowels, so no words; none that is taken for another.
const CODE_LETTERS: &[u8] = b"BCDFGHJKLMNPQRSTVWXZ";
/// A byte below this is as likely to be any letter as any other.
const FAIR: u8 = 240;
/// Letters of a code, without its hyphen.
const CODE_LENGTH: usize = 8;

/// The system gives no random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system gives no random numbers")]
pub(crate) struct NoRandom;

/// 256 random bits in base64url: 43 characters.
pub(crate) fn value() -> Result<String, NoRandom> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(|_| NoRandom)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// True if the text may have come from [`value`].
pub(crate) fn is_value(text: &str) -> bool {
    text.len() == 43 && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

/// 128 random bits in hexadecimal digits: the name of something that is no secret.
pub(crate) fn name() -> Result<String, NoRandom> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| NoRandom)?;
    Ok(hex::encode(bytes))
}

/// A code to be typed, such as `BCDF-GHJK`.
pub(crate) fn code() -> Result<String, NoRandom> {
    let mut letters = Vec::with_capacity(CODE_LENGTH);
    while letters.len() < CODE_LENGTH {
        let mut byte = [0; 1];
        getrandom::fill(&mut byte).map_err(|_| NoRandom)?;
        if byte[0] < FAIR {
            letters.push(CODE_LETTERS[usize::from(byte[0]) % CODE_LETTERS.len()]);
        }
    }
    letters.insert(CODE_LENGTH / 2, b'-');
    Ok(letters.into_iter().map(char::from).collect())
}

/// A typed code in its one form, if it can be one: case, spaces and hyphens do not matter.
pub(crate) fn typed_code(text: &str) -> Option<String> {
    let letters: String =
        text.chars().filter(|c| !matches!(c, '-' | ' ')).take(64).map(|c| c.to_ascii_uppercase()).collect();
    let fine = letters.len() == CODE_LENGTH && letters.bytes().all(|b| CODE_LETTERS.contains(&b));
    fine.then(|| format!("{}-{}", &letters[..CODE_LENGTH / 2], &letters[CODE_LENGTH / 2..]))
}

/// SHA-256. What is hashed here has 256 random bits, so nothing slower is needed.
pub(crate) fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text).into()
}

/// Compares in the same time wherever the first difference is.
pub(crate) fn same(one: &[u8], other: &[u8]) -> bool {
    one.ct_eq(other).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_differ_and_have_their_form() {
        let values: std::collections::HashSet<String> = (0..100).map(|_| value().unwrap()).collect();
        assert_eq!(values.len(), 100);
        assert!(values.iter().all(|value| is_value(value)));
        for wrong in ["", "short", &"a".repeat(42), &"a".repeat(44), &"=".repeat(43)] {
            assert!(!is_value(wrong), "{wrong}");
        }
    }

    #[test]
    fn codes_can_be_typed_carelessly() {
        let code = code().unwrap();
        assert_eq!(code.len(), 9);
        assert_eq!(typed_code(&code), Some(code.clone()));
        assert_eq!(typed_code(&format!(" {} ", code.to_lowercase().replace('-', " "))), Some(code));
        for wrong in ["", "BCDF", "AEIO-UAEI", "BCDF-GHJKL", "BCDF-GHJ\u{e4}", "'; DROP"] {
            assert_eq!(typed_code(wrong), None, "{wrong}");
        }
    }
}
