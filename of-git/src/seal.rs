//! Text under the installation's key: anybody may carry it, nobody else can make or change it.

use hmac::{Hmac, KeyInit, Mac};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// Seals and opens texts for one purpose. What was sealed for another does not open.
#[derive(Clone)]
pub(crate) struct Seal(Hmac<Sha256>);

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Seal")
    }
}

impl Seal {
    /// The seal of one purpose. No login has a slash, so that its key is never somebody's token.
    pub(crate) fn derive(master: &SecretString, purpose: &str) -> Self {
        let mut parent = keyed(master.expose_secret().as_bytes());
        parent.update(b"git/v1/key/");
        parent.update(purpose.as_bytes());
        Self(keyed(&parent.finalize().into_bytes()))
    }

    /// The text, a dot and the seal.
    pub(crate) fn close(&self, text: &str) -> String {
        let mut mac = self.0.clone();
        mac.update(text.as_bytes());
        format!("{text}.{}", hex::encode(mac.finalize().into_bytes()))
    }

    /// The text, if the seal is whole. Takes the same time for every broken one.
    pub(crate) fn open<'a>(&self, sealed: &'a str) -> Option<&'a str> {
        let (text, seal) = sealed.rsplit_once('.')?;
        let mut mac = self.0.clone();
        mac.update(text.as_bytes());
        mac.verify_slice(&hex::decode(seal).ok()?).ok().map(|()| text)
    }
}

fn keyed(key: &[u8]) -> Hmac<Sha256> {
    // An HMAC takes a key of any length, so there is no case in which this is left out.
    let Ok(mac) = Hmac::<Sha256>::new_from_slice(key) else { unreachable!("HMAC takes keys of every length") };
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_sealed_here_for_the_same_purpose_opens() {
        let seal = Seal::derive(&"master".into(), "link");
        let sealed = seal.close("alice.17");
        assert_eq!(seal.open(&sealed), Some("alice.17"));
        let (_, mac) = sealed.rsplit_once('.').unwrap();
        let other = Seal::derive(&"master".into(), "session");
        let foreign = Seal::derive(&"other".into(), "link");
        assert_eq!((other.open(&sealed), foreign.open(&sealed)), (None, None));
        let wrong = [
            String::new(),
            ".".to_owned(),
            "alice.17".to_owned(),
            "alice.17.".to_owned(),
            format!("bob.17.{mac}"),
            format!("alice.17.{}", &mac[2..]),
            format!("alice.17.{mac}00"),
        ];
        for text in wrong {
            assert_eq!(seal.open(&text), None, "{text}");
        }
    }
}
