//! What is asked of import-secrets, which keeps an owner's sealed secrets, and what it answers. One signed message, one
//! answer; a message that is repeated ends in the same state.
//!
//! A secret has a name of its owner's (`db`), which stack.yml uses, and one in the stage, `<login>-db`. A gateway keeps one
//! value under one name: a secret with one key is `<login>-db` there, each key of one with several is `<login>-db.<key>`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::event::PushEvent;
use crate::garbage::GarbageRequest;
use crate::id::FunctionName;

/// The function that keeps secrets.
pub const SECRETS_FUNCTION: &str = "import-secrets";
/// The longest file of sealed secrets, in bytes.
pub const MAX_FILE_BYTES: usize = 2 * 1024 * 1024;

/// A secret's name without its owner's prefix: the same form as a function's.
pub type SecretName = FunctionName;

/// A message to import-secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "action", rename_all = "snake_case")]
pub enum SecretsRequest {
    /// A push: take over what the repository's file says, and tell what its functions can have. Answer: [`Known`].
    Import(Import),
    /// Tell what functions can have; changes nothing. Answer: [`Known`].
    Look(Look),
    /// The push's functions are deployed: remove what nobody has or uses any more. Answer: [`Pruned`].
    Prune(Prune),
    /// A repository or an owner left, and its functions are gone. Answer: [`Pruned`].
    Withdraw(GarbageRequest),
    /// Seal secrets for the image builder. Answer: [`ForBuild`].
    SealForBuild(BuildWish),
}

/// A push, as far as secrets go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// The push.
    pub event: PushEvent,
    /// The repository's file of sealed secrets; `None` says that it has none (any more).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<SealedFile>,
    /// The secrets that the repository's functions mount.
    #[serde(default)]
    pub wanted: BTreeSet<SecretName>,
}

/// `secrets.yml` or `secrets.yaml` as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedFile {
    /// Its name.
    pub name: String,
    /// Its text, at most [`MAX_FILE_BYTES`].
    pub text: String,
}

/// A question about secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// Whose: the push's owner's.
    pub event: PushEvent,
    /// Which.
    pub wanted: BTreeSet<SecretName>,
}

/// What is known of the secrets that were asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// Those that are there.
    #[serde(default)]
    pub found: BTreeMap<SecretName, Mounted>,
    /// Those that are not. The push is remembered, and comes again when they arrive.
    #[serde(default)]
    pub missing: BTreeSet<SecretName>,
    /// What an import did; all zero for a question.
    #[serde(default)]
    pub done: Done,
}

/// One secret as functions mount it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mounted {
    /// Changes when its values do, and says nothing about them; empty for a secret that somebody made by hand.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// The gateway's secrets that a function lists to have it.
    pub names: Vec<String>,
}

/// How many secrets an import made, changed, left as they were, and found gone from the file; and how many keys those of
/// the file have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Made.
    pub created: usize,
    /// Changed.
    pub updated: usize,
    /// Left as they were.
    pub unchanged: usize,
    /// No longer in the file; [`Prune`] removes them.
    pub leaving: usize,
    /// Keys of all secrets of the file.
    pub keys: usize,
}

/// The end of a push.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prune {
    /// The push.
    pub event: PushEvent,
    /// Its commit has no file of sealed secrets, and none of its functions mounts a secret: whatever was imported from the
    /// repository is in no file any more, and it waits for nothing. As [`Import`] with nothing in it, and spares the many
    /// pushes without secrets that call.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub bare: bool,
}

/// What import-secrets answers, with a 4xx status, about a file that it does not take over. A plain sentence will do, too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotImported {
    /// Why, in a sentence.
    pub error: String,
    /// The line of the file that is at fault, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
}

/// What was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruned {
    /// Secrets that are gone.
    #[serde(default)]
    pub removed: BTreeSet<SecretName>,
    /// Secrets that are in no file any more and stay, for these functions (by their names at the gateway) mount them.
    #[serde(default)]
    pub in_use: BTreeMap<SecretName, Vec<String>>,
}

/// Secrets for `RUN --mount=type=secret,id=…`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BuildWish {
    /// The push.
    pub event: PushEvent,
    /// By the id that the Dockerfile uses: which secret, which key of it.
    pub wanted: BTreeMap<String, SecretRef>,
}

/// A key of a secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SecretRef {
    /// The secret.
    pub secret: SecretName,
    /// The key; may be left out for a secret that has one key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// Secrets that only the image builder can open.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForBuild {
    /// The file `com.openfaas.secrets` of the Function Builder API (`spec/platform.md` A11).
    pub file: String,
}
