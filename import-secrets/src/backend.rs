//! Where an installation's secrets live: what import-secrets needs of such a place. There are two: any OpenFaaS
//! gateway, and a Kubernetes cluster with the Sealed Secrets controller.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use async_trait::async_trait;
use sdk::id::OwnerId;
use secrecy::SecretSlice;

/// What is in a secret's key. It shows itself to nobody by accident.
pub(crate) type Value = SecretSlice<u8>;

/// A secret as its owner sealed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    /// Its name in the stage: `<login>-<name>`.
    pub(crate) name: String,
    /// What is sealed, in base64, by key.
    pub(crate) sealed: BTreeMap<String, String>,
    /// The keys whose prints are wanted. The others are as they were when they were last opened.
    pub(crate) wanted: BTreeSet<String>,
}

/// A key of a [`Candidate`] that this stage can open.
pub(crate) struct OpenedKey {
    /// Changes when the value does, and says nothing about it.
    pub(crate) print: String,
    /// The certificate it is sealed to: SHA-256 in hexadecimal digits. Empty where only the controller knows.
    pub(crate) fingerprint: String,
    /// The value; `None` where somebody else opens it, when it is applied.
    pub(crate) value: Option<Value>,
}

impl fmt::Debug for OpenedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenedKey").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}

/// The wanted keys of a [`Candidate`].
pub(crate) type Opened = BTreeMap<String, OpenedKey>;

/// Why a candidate is no secret of this stage. No value, and nothing of what is sealed, is in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {why}", .key.as_ref().map_or_else(|| name.clone(), |key| format!("the key {key} of {name}")))]
pub(crate) struct Unopenable {
    /// The secret's name in the stage.
    pub(crate) name: String,
    /// The key, where it is one in particular.
    pub(crate) key: Option<String>,
    /// Why, in the end of a sentence.
    pub(crate) why: String,
}

/// What is to be in the place of a secret.
#[derive(Debug)]
pub(crate) struct Change<'a> {
    /// Whose it is.
    #[cfg_attr(not(feature = "kubernetes"), expect(dead_code, reason = "a gateway has no room for it"))]
    pub(crate) owner: &'a OwnerId,
    /// The repository that it comes from, by number.
    #[cfg_attr(not(feature = "kubernetes"), expect(dead_code, reason = "a gateway has no room for it"))]
    pub(crate) repo_id: u64,
    /// The secret.
    pub(crate) candidate: &'a Candidate,
    /// The keys whose values differ from what is there. Those that the candidate has beside them are as they are to be.
    pub(crate) changed: &'a Opened,
    /// Names in the stage that were this owner's before. Another one that is there belongs to somebody else, and is
    /// never overwritten.
    pub(crate) held: &'a BTreeSet<String>,
}

/// Why a backend did not do what it was asked. What the other side said is not in it, for that might be a value.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BackendError {
    /// No answer, or one that says that it may work later.
    #[error("cannot {operation} now")]
    Busy {
        /// What was to be done, such as `write the secret alice-db`.
        operation: String,
        /// Why not.
        #[source]
        cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// An answer that will be the same next time.
    #[error("{what} is refused with {status}")]
    Refused {
        /// What was to be done, such as `the secret alice-db`.
        what: String,
        /// The answer's status.
        status: http::StatusCode,
    },
    /// The name is there already, and is not in the owner's record.
    #[error("{name} exists already, and no repository has made it")]
    Exists {
        /// The name in the stage.
        name: String,
    },
    /// What was opened before cannot be opened any more, or what is read is not what was sealed.
    #[error(transparent)]
    Unopenable(#[from] Unopenable),
}

/// A place for secrets.
///
/// Every call has an end of its own: it takes no longer than the backend's own limits allow.
#[async_trait]
pub(crate) trait Backend: Send + Sync + 'static {
    /// The names in the stage that functions list to have a secret with these keys: one, or one for each key.
    fn names(&self, secret: &str, keys: &mut dyn Iterator<Item = &str>) -> BTreeSet<String>;

    /// Opens candidates, or has somebody check that they can be opened; changes nothing. There is one answer for each,
    /// in their order.
    ///
    /// # Errors
    /// When nobody can tell now. A candidate that is not of this stage is no error of the backend's.
    async fn open(&self, candidates: Vec<Candidate>) -> Result<Vec<Result<Opened, Unopenable>>, BackendError>;

    /// The names of all secrets of the stage, whoever made them, as functions list them.
    ///
    /// # Errors
    /// When the stage does not say.
    async fn list(&self) -> Result<BTreeSet<String>, BackendError>;

    /// Makes a secret be as the change says. Names that it had before and has no more stay until [`Backend::remove`].
    /// What is done twice ends alike. After an error, parts of it may be done.
    ///
    /// # Errors
    /// When the stage does not take it.
    async fn put(&self, change: Change<'_>) -> Result<(), BackendError>;

    /// Removes a name from the stage; one that is not there is no error. The names are those of [`Backend::names`].
    ///
    /// # Errors
    /// When the stage does not do it.
    async fn remove(&self, owner: &OwnerId, name: &str) -> Result<(), BackendError>;

    /// The values of an imported secret's wanted keys, for the image builder alone.
    ///
    /// # Errors
    /// When they cannot be had.
    async fn values(&self, secret: &Candidate) -> Result<BTreeMap<String, Value>, BackendError>;

    /// The certificate that secrets are to be sealed to now, as PEM.
    ///
    /// # Errors
    /// When it cannot be had now.
    async fn certificate(&self) -> Result<String, BackendError>;

    /// The candidate's values, sealed to the newest certificate, by key.
    ///
    /// # Errors
    /// When it cannot be opened, or nobody can do it now.
    async fn reseal(&self, secret: &Candidate) -> Result<BTreeMap<String, String>, BackendError>;
}
