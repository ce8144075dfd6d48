//! The file `com.openfaas.secrets`: YAML with each value in a `NaCl` box of its own, sealed for the builder's key by one
//! that its sender made for it.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto_box::aead::Aead as _;
use crypto_box::{PublicKey, SalsaBox};
use secrecy::SecretSlice;
use serde::Deserialize;

use super::key::{ALGORITHM, BuilderKey};

const VERSION: &str = "v1";
const NONCE_BYTES: usize = 24;
/// The longest file in bytes.
pub(crate) const MAX_FILE_BYTES: u64 = 256 * 1024;
const MAX_SECRETS: usize = 64;
const MAX_ID_BYTES: usize = 253;

/// Why sealed build secrets cannot be used. No sentence holds a value.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum SealedError {
    #[error("this builder has no key for sealed build secrets: its operator gives it one as builder-private-key")]
    NoKey,
    #[error("com.openfaas.secrets is not the expected YAML: {0}")]
    Yaml(String),
    #[error("com.openfaas.secrets has the version '{0}', and this builder reads {VERSION}")]
    Version(String),
    #[error("com.openfaas.secrets is sealed by '{0}', and this builder opens {ALGORITHM}")]
    Algorithm(String),
    #[error(
        "the build secrets are sealed for the key '{sealed_for}', and this builder's is {own}: seal them anew for the key at /publickey"
    )]
    OtherKey { sealed_for: String, own: String },
    #[error("the public_key of com.openfaas.secrets is not 32 bytes in base64")]
    PublicKey,
    #[error("there are {0} build secrets, and at most {MAX_SECRETS} are accepted")]
    Count(usize),
    #[error("'{0}' cannot be the id of a build secret")]
    Id(String),
    #[error("the build secret '{0}' cannot be opened: it is damaged, or sealed for another builder's key")]
    Damaged(String),
}

#[derive(Deserialize)]
struct Envelope {
    #[serde(default)]
    version: String,
    #[serde(default)]
    algorithm: String,
    #[serde(default)]
    key_id: Option<String>,
    #[serde(default)]
    public_key: String,
    #[serde(default)]
    secrets: BTreeMap<String, String>,
}

pub(super) fn open(file: &[u8], key: &BuilderKey) -> Result<BTreeMap<String, SecretSlice<u8>>, SealedError> {
    let envelope = read(file)?;
    envelope.check(key)?;
    let sender = STANDARD.decode(envelope.public_key.trim()).ok();
    let sender = sender.and_then(|bytes| PublicKey::from_slice(&bytes).ok()).ok_or(SealedError::PublicKey)?;
    let opener = SalsaBox::new(&sender, &key.secret);
    let opened = envelope.secrets.iter().map(|(id, sealed)| {
        let value = open_value(&opener, sealed).ok_or_else(|| SealedError::Damaged(shown(id)))?;
        Ok((id.clone(), value))
    });
    opened.collect()
}

/// The file may quote anything: of what is wrong with it only the place is told.
fn read(file: &[u8]) -> Result<Envelope, SealedError> {
    let text = std::str::from_utf8(file).map_err(|_| SealedError::Yaml("it is not UTF-8".to_owned()))?;
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_documents: 1, max_depth: 4, max_nodes: 1_000, max_aliases: 0, max_anchors: 0 },
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let place = error.location().map(|place| format!("line {}, column {}", place.line(), place.column()));
        SealedError::Yaml(place.unwrap_or_else(|| "it has another form".to_owned()))
    })
}

impl Envelope {
    fn check(&self, key: &BuilderKey) -> Result<(), SealedError> {
        if self.version != VERSION {
            return Err(SealedError::Version(shown(&self.version)));
        }
        if self.algorithm != ALGORITHM {
            return Err(SealedError::Algorithm(shown(&self.algorithm)));
        }
        // A sender may leave it out; then a wrong key is noticed when nothing opens.
        if let Some(sealed_for) = self.key_id.as_deref().filter(|id| !id.is_empty() && *id != key.id()) {
            return Err(SealedError::OtherKey { sealed_for: shown(sealed_for), own: key.id() });
        }
        if self.secrets.len() > MAX_SECRETS {
            return Err(SealedError::Count(self.secrets.len()));
        }
        let fits = |id: &&String| (1..=MAX_ID_BYTES).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic());
        match self.secrets.keys().find(|id| !fits(id)) {
            Some(id) => Err(SealedError::Id(shown(id))),
            None => Ok(()),
        }
    }
}

fn open_value(opener: &SalsaBox, sealed: &str) -> Option<SecretSlice<u8>> {
    let bytes = STANDARD.decode(sealed.trim()).ok()?;
    let (nonce, sealed) = bytes.split_at_checked(NONCE_BYTES)?;
    let value = opener.decrypt(nonce.into(), sealed).ok()?;
    Some(value.into())
}

fn shown(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(64).collect()
}

#[cfg(test)]
mod tests;
