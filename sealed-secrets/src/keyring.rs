//! All keys of a stage: the newest seals, every one opens.

use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use secrecy::SecretSlice;
use secrecy::zeroize::Zeroizing;

use crate::certificate::Certificate;
use crate::documents::SealedSecret;
use crate::envelope::{self, Envelope, Malformed, SealError};
use crate::key::{KeyError, KeyPair, many_from_pem};

/// How many keys are kept at most: one a month for forty years.
const MAX_KEYS: usize = 500;
/// The longest file with a key, in bytes.
const MAX_FILE_BYTES: u64 = 64 * 1024;
/// The ending of a file with a key.
const EXTENSION: &str = "pem";

/// A stage's keys. Never empty.
#[derive(Debug)]
pub struct Keyring {
    /// The newest first.
    keys: Vec<KeyPair>,
}

/// A value that was opened.
#[derive(Debug)]
pub struct Opened {
    /// The value.
    pub value: SecretSlice<u8>,
    /// The fingerprint of the certificate that it was sealed to.
    pub fingerprint: String,
}

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// None.
    #[error("there is no sealing key")]
    Empty,
    /// More than anybody needs.
    #[error("there are more than {MAX_KEYS} sealing keys")]
    TooMany,
    /// A folder or file that cannot be read.
    #[error("{} cannot be read", .0.display())]
    Unreadable(PathBuf, #[source] std::io::Error),
    /// A file that has no good key.
    #[error("{} is no sealing key", .0.display())]
    File(PathBuf, #[source] KeyError),
    /// A bundle that has no good key.
    #[error("the bundle of sealing keys cannot be used")]
    Bundle(#[from] KeyError),
}

/// In how many places a value can be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Under every name of its namespace.
    Namespace,
    /// Everywhere.
    Cluster,
}

/// What is wrong with a sealed value that no key has anything to do with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// It is longer than any sealed value.
    TooLong,
    /// It is not base64.
    Base64,
    /// Its end is missing.
    Truncated,
    /// A key opens it, and it was changed afterwards.
    Changed,
}

/// Why a value is not opened. No sentence has anything of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// No key fits: another stage's, another name's or another namespace's, which look the same from here.
    #[error(
        "no key of this stage opens it as {namespace}/{name}: it was sealed for another stage, or for another name or \
         namespace; seal it again with this stage's certificate and exactly this name"
    )]
    Elsewhere {
        /// The namespace that was tried.
        namespace: String,
        /// The name that was tried.
        name: String,
    },
    /// A key fits, with another of this owner's names that were tried ([`Keyring::explain`]).
    #[error(
        "it was sealed for {sealed_for} and stands under {stands_under}: seal it again with the name that it is to have"
    )]
    OtherName {
        /// `namespace/name` for which it was sealed.
        sealed_for: String,
        /// `namespace/name` under which it stands.
        stands_under: String,
    },
    /// A key fits, and anybody could use the value elsewhere.
    #[error("{}", wider(.0))]
    WiderScope(Scope),
    /// It is broken.
    #[error("{}", damaged(.0))]
    Damaged(Damage),
}

impl Keyring {
    /// All keys of a PEM text, each with its certificate, in any order.
    ///
    /// # Errors
    /// When there is none, or one is damaged or has no certificate.
    pub fn from_pem(text: &str) -> Result<Self, KeyringError> {
        Self::new(many_from_pem(text)?)
    }

    /// All keys of the files `*.pem` of a folder; other files are passed over.
    ///
    /// # Errors
    /// When there is none, or one cannot be read or used: with a key missing, some secrets would silently not open.
    pub fn from_dir(folder: &Path) -> Result<Self, KeyringError> {
        let unreadable = |cause| KeyringError::Unreadable(folder.to_owned(), cause);
        let mut keys = Vec::new();
        for entry in fs::read_dir(folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            if path.extension().is_none_or(|extension| extension != EXTENSION) {
                continue;
            }
            let text = read(&path).map_err(|cause| KeyringError::Unreadable(path.clone(), cause))?;
            keys.push(KeyPair::from_pem(&text).map_err(|cause| KeyringError::File(path, cause))?);
            if keys.len() > MAX_KEYS {
                return Err(KeyringError::TooMany);
            }
        }
        Self::new(keys)
    }

    /// The certificate that secrets are sealed to: the one that began last.
    pub fn newest(&self) -> &Certificate {
        #[expect(clippy::indexing_slicing, reason = "a key ring is never empty")]
        self.keys[0].certificate()
    }

    /// All certificates, the newest first.
    pub fn certificates(&self) -> impl ExactSizeIterator<Item = &Certificate> {
        self.keys.iter().map(KeyPair::certificate)
    }

    /// Opens a value that stands under `name` in `namespace`, with whichever key fits.
    ///
    /// # Errors
    /// When it does not open in the strict scope. The wider ones are tried only to say so.
    pub fn open(&self, namespace: &str, name: &str, sealed: &str) -> Result<Opened, OpenError> {
        let elsewhere = || OpenError::Elsewhere { namespace: namespace.to_owned(), name: name.to_owned() };
        let envelope = Envelope::parse(sealed).map_err(|malformed| OpenError::Damaged(malformed.into()))?;
        let label = envelope::strict_label(namespace, name).ok_or_else(elsewhere)?;
        if let Some((certificate, session_key)) = self.fit(&envelope, &label) {
            let value = envelope.value(&session_key).ok_or(OpenError::Damaged(Damage::Changed))?;
            let fingerprint = certificate.fingerprint().to_owned();
            return Ok(Opened { value: value.to_vec().into(), fingerprint });
        }
        for (label, scope) in [(namespace, Scope::Namespace), ("", Scope::Cluster)] {
            if self.fit(&envelope, label).is_some() {
                return Err(OpenError::WiderScope(scope));
            }
        }
        Err(elsewhere())
    }

    /// The same error, or a better one: whether a value that does not open was sealed for one of some other names
    /// (`(namespace, name)`). Costs two milliseconds for each of them and each key.
    pub fn explain<'a>(
        &self,
        error: OpenError,
        sealed: &str,
        names: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> OpenError {
        let OpenError::Elsewhere { namespace, name } = &error else { return error };
        let Ok(envelope) = Envelope::parse(sealed) else { return error };
        let stands_under = format!("{namespace}/{name}");
        for label in names.into_iter().filter_map(|(namespace, name)| envelope::strict_label(namespace, name)) {
            if self.fit(&envelope, &label).is_some() {
                return OpenError::OtherName { sealed_for: label, stands_under };
            }
        }
        error
    }

    /// The document, sealed anew to the newest certificate, whose fingerprint it says; all else stays as it is.
    ///
    /// # Errors
    /// When a key of it does not open; says which.
    pub fn reseal(&self, document: &SealedSecret) -> Result<SealedSecret, (String, OpenError)> {
        use secrecy::ExposeSecret as _;
        let SealedSecret { namespace, name, .. } = document;
        let mut fresh = document.clone();
        for (key, sealed) in &mut fresh.encrypted_data {
            let opened = self.open(namespace, name, sealed).map_err(|error| (key.clone(), error))?;
            let again = envelope::seal(self.newest(), namespace, name, opened.value.expose_secret());
            *sealed = again.map_err(|error| (key.clone(), error.into()))?;
        }
        fresh.set_fingerprint(self.newest().fingerprint());
        Ok(fresh)
    }

    fn fit(&self, envelope: &Envelope, label: &str) -> Option<(&Certificate, Zeroizing<Vec<u8>>)> {
        let fits = |key: &KeyPair| envelope.session_key(key.decrypting_key(), label.as_bytes());
        self.keys.iter().find_map(|key| Some((key.certificate(), fits(key)?)))
    }

    fn new(mut keys: Vec<KeyPair>) -> Result<Self, KeyringError> {
        keys.sort_by(|a, b| {
            let age = |key: &KeyPair| (key.certificate().not_before(), key.certificate().fingerprint().to_owned());
            age(b).cmp(&age(a))
        });
        keys.dedup_by(|a, b| a.certificate() == b.certificate());
        match keys.len() {
            0 => Err(KeyringError::Empty),
            1..=MAX_KEYS => Ok(Self { keys }),
            _ => Err(KeyringError::TooMany),
        }
    }
}

impl From<Malformed> for Damage {
    fn from(malformed: Malformed) -> Self {
        match malformed {
            Malformed::TooLong => Self::TooLong,
            Malformed::Base64 => Self::Base64,
            Malformed::Truncated => Self::Truncated,
        }
    }
}

impl From<SealError> for OpenError {
    /// What was opened is never too long for sealing unless somebody else's program made it.
    fn from(_: SealError) -> Self {
        Self::Damaged(Damage::TooLong)
    }
}

fn read(path: &Path) -> std::io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    fs::File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(std::io::Error::other("it is too long for a key"));
    }
    Ok(text)
}

fn wider(scope: &Scope) -> String {
    let (where_, flag) = match scope {
        Scope::Namespace => ("under every name of its namespace", "namespace-wide"),
        Scope::Cluster => ("everywhere", "cluster-wide"),
    };
    format!("it was sealed {flag}, so that it could be opened {where_}: seal it again in the strict scope")
}

fn damaged(damage: &Damage) -> &'static str {
    match damage {
        Damage::TooLong => "it is longer than any sealed value: seal it again, in at most 1 MiB",
        Damage::Base64 => "it is not base64, as sealed values are: was it put in as it is, without sealing?",
        Damage::Truncated => "its end is missing: seal it again",
        Damage::Changed => "it was changed after it was sealed: seal it again",
    }
}
