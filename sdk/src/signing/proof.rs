//! Links that carry their own proof: who has one may look, without being known.

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::Key;

/// How long a proof is, in lower-case hexadecimal digits: 128 bits.
pub const PROOF_DIGITS: usize = 32;

impl Key {
    /// What proves that a link to `what` is one of ours: [`PROOF_DIGITS`] digits. It does not expire; it is another one
    /// under another secret and for another function than the key's.
    pub fn proof(&self, what: &[u8]) -> String {
        let mut digits = hex::encode(self.proving(what).finalize().into_bytes());
        digits.truncate(PROOF_DIGITS);
        digits
    }

    /// Whether this is the proof for `what`, in its one form. Takes the same time wherever the first difference is.
    pub fn is_proof(&self, what: &[u8], proof: &str) -> bool {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        if proof.len() != PROOF_DIGITS || !proof.bytes().all(is_digit) {
            return false;
        }
        hex::decode(proof).is_ok_and(|bytes| self.proving(what).verify_truncated_left(&bytes).is_ok())
    }

    /// No message begins as this does, so no signature is a proof.
    fn proving(&self, what: &[u8]) -> Hmac<Sha256> {
        let mut mac = self.mac.clone();
        mac.update(format!("v1 proof\n{}\n", self.function).as_bytes());
        mac.update(what);
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_is_for_one_thing_under_one_secret_and_has_one_form() {
        let key = Key::derive(&"secret".into(), "page/badge");
        let proof = key.proof(b"alice-greet");
        assert_eq!(proof.len(), PROOF_DIGITS);
        assert!(key.is_proof(b"alice-greet", &proof) && !key.is_proof(b"alice-cart", &proof));
        for other in [Key::derive(&"other".into(), "page/badge"), Key::derive(&"secret".into(), "page/form")] {
            assert!(!other.is_proof(b"alice-greet", &proof));
        }
        let next = if proof.ends_with('0') { '1' } else { '0' };
        let changed = format!("{}{next}", &proof[..PROOF_DIGITS - 1]);
        let odd = format!("{}é", &proof[..PROOF_DIGITS - 2]);
        for bad in ["", "0", &proof[..30], &format!("{proof}00"), &proof.to_ascii_uppercase(), &changed, &odd] {
            assert!(!key.is_proof(b"alice-greet", bad) || bad == proof, "{bad}");
        }
    }
}
