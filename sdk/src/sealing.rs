//! What import-secrets tells people about sealed secrets: answers of its `/v1/verify` and `/v1/report`. No value is in
//! them, sealed or not.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::id::{Owner, OwnerId, RepoName};
use crate::secrets::SecretName;

/// The certificate that is sealed to now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Newest {
    /// SHA-256 of its DER, in lower-case hexadecimal digits.
    pub fingerprint: String,
    /// From when on it is good.
    pub not_before: DateTime<Utc>,
    /// Until when sealing takes it. What is sealed to it opens for longer.
    pub not_after: DateTime<Utc>,
}

/// To which certificate a value is sealed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SealedTo {
    /// Its fingerprint; empty where only a controller knows.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fingerprint: String,
    /// Whether it is the newest one.
    pub newest: bool,
}

/// The answer of `POST /v1/verify`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// The certificate that is sealed to now.
    pub certificate: Newest,
    /// In the documents' order.
    pub secrets: Vec<VerifiedSecret>,
}

/// One document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifiedSecret {
    /// Its `metadata.name`.
    pub name: String,
    /// Whether this stage opens all of it.
    pub opens: bool,
    /// Why not, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub problem: String,
    /// Its keys, where it opens.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub keys: BTreeMap<String, SealedTo>,
}

/// The answer of `GET /v1/report`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The certificate that is sealed to now.
    pub certificate: Newest,
    /// Those that the caller belongs to and that have secrets; all of them for the platform itself.
    pub owners: Vec<OwnerReport>,
}

/// One owner's secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OwnerReport {
    /// Who it is.
    #[serde(flatten)]
    pub owner_id: OwnerId,
    /// The login that it had at its last push.
    pub login: Owner,
    /// By their names in stack.yml.
    pub secrets: BTreeMap<SecretName, ReportedSecret>,
}

/// One imported secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedSecret {
    /// What it is sealed under: its `metadata.name`.
    pub name: String,
    /// The repository that holds it.
    pub repo: RepoName,
    /// Its keys.
    pub keys: BTreeMap<String, SealedTo>,
    /// When a value or a key of it changed last.
    pub changed_at: DateTime<Utc>,
    /// It is in no file any more, and stays while functions mount it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leaving: bool,
}
