//! What is remembered of an owner's secrets: one JSON object for each owner. No value is in it that this stage's sealing
//! keys are not needed for.

use std::collections::{BTreeMap, BTreeSet};

use sdk::event::PushEvent;
use sdk::id::{Owner, OwnerId, RepoName};
use sdk::secrets::{Mounted, SecretName};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::backend::Candidate;

/// A version's digits.
const VERSION_DIGITS: usize = 40;

/// One owner's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// Who it is.
    pub(crate) owner: OwnerId,
    /// The login that it had last; a name only.
    pub(crate) login: Owner,
    /// What was imported.
    #[serde(default)]
    pub(crate) secrets: BTreeMap<SecretName, Kept>,
    /// Names in the stage that no secret has any more; removed when no function lists them.
    #[serde(default)]
    pub(crate) leaving: BTreeSet<String>,
    /// By its number, each repository whose functions mount secrets.
    #[serde(default)]
    pub(crate) consumers: BTreeMap<u64, Consumer>,
    /// Names in the stage whose values changed, and whose functions are yet to be restarted; those of the repository with
    /// that number are deployed by its own push.
    #[serde(default)]
    pub(crate) stale: BTreeMap<String, u64>,
    /// A change that began. It ends with another look of this record, or is undone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pending: Option<Pending>,
}

/// A secret as it was imported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// Its name in the stage; begins with the login that the owner had then.
    pub(crate) stage: String,
    /// The repository that it is from, by number: that one holds it.
    pub(crate) repo_id: u64,
    /// The repository's name at that time.
    pub(crate) repo: RepoName,
    /// Its keys.
    pub(crate) keys: BTreeMap<String, KeptKey>,
    /// The names in the stage by which functions list it.
    pub(crate) names: BTreeSet<String>,
    /// When it was made or changed last, in seconds since 1970.
    pub(crate) changed_at: u64,
    /// Its repository has it in no file any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) leaving: bool,
    /// What is in the stage may be something else, since a change could not be undone: it is written again.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) unsure: bool,
}

/// A key of a secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptKey {
    /// The sealed value in base64.
    pub(crate) sealed: String,
    /// Changes when the value does.
    pub(crate) print: String,
    /// The certificate that it is sealed to.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(crate) fingerprint: String,
}

/// A repository whose functions mount secrets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Consumer {
    /// Its last push.
    pub(crate) event: PushEvent,
    /// What its functions mount.
    pub(crate) wanted: BTreeSet<SecretName>,
    /// What of that was not there.
    #[serde(default)]
    pub(crate) missing: BTreeSet<SecretName>,
}

/// A change that began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pending {
    /// The process that makes it.
    pub(crate) by: String,
    /// Until when no other process takes it for dead, in seconds since 1970.
    pub(crate) until: u64,
    /// The secrets that it changes.
    pub(crate) secrets: BTreeSet<SecretName>,
    /// The names in the stage that it makes.
    pub(crate) created: BTreeSet<String>,
}

impl Record {
    /// Of an owner of whom nothing is known.
    pub(crate) fn new(owner: OwnerId, login: Owner) -> Self {
        Self {
            owner,
            login,
            secrets: BTreeMap::new(),
            leaving: BTreeSet::new(),
            consumers: BTreeMap::new(),
            stale: BTreeMap::new(),
            pending: None,
        }
    }

    /// All names in the stage that are this owner's.
    pub(crate) fn held(&self) -> BTreeSet<String> {
        let made = self.pending.iter().flat_map(|pending| &pending.created);
        self.secrets.values().flat_map(|kept| &kept.names).chain(&self.leaving).chain(made).cloned().collect()
    }

    /// The secret as functions mount it, if it is there.
    pub(crate) fn mounted(&self, secret: &SecretName) -> Option<Mounted> {
        let kept = self.secrets.get(secret)?;
        Some(Mounted { version: kept.version(), names: kept.names.iter().cloned().collect() })
    }

    /// Takes what a repository has no longer for leaving: all of its secrets but these.
    pub(crate) fn leave(&mut self, keep: &BTreeSet<SecretName>, is_meant: impl Fn(&Kept) -> bool) -> Vec<SecretName> {
        let gone =
            self.secrets.iter_mut().filter(|(name, kept)| is_meant(kept) && !kept.leaving && !keep.contains(name));
        let gone = gone.map(|(name, kept)| {
            kept.leaving = true;
            name.clone()
        });
        gone.collect()
    }
}

impl Kept {
    /// Changes when a value or the set of keys does.
    pub(crate) fn version(&self) -> String {
        let mut digest = Sha256::new();
        for (key, kept) in &self.keys {
            // No key has a line feed in it, and no print.
            digest.update(format!("{key}\n{}\n", kept.print).as_bytes());
        }
        let mut version = hex::encode(digest.finalize());
        version.truncate(VERSION_DIGITS);
        version
    }

    /// Whether it is in the stage as it was left there, as far as names tell.
    pub(crate) fn is_sound(&self, there: &BTreeSet<String>) -> bool {
        !self.unsure && self.names.is_subset(there)
    }

    /// Itself, as it was sealed, with all of its keys wanted.
    pub(crate) fn candidate(&self) -> Candidate {
        Candidate {
            name: self.stage.clone(),
            sealed: self.keys.iter().map(|(key, kept)| (key.clone(), kept.sealed.clone())).collect(),
            wanted: self.keys.keys().cloned().collect(),
        }
    }
}

/// Now, in seconds since 1970.
pub(crate) fn now() -> u64 {
    std::time::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs()
}
