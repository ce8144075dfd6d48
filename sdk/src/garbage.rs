//! What is asked of garbage-collect: delete what a repository no longer has.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::{CommitSha, FunctionName, InvalidId, Owner, OwnerId, RepoName};

/// The function that deletes.
pub const GARBAGE_FUNCTION: &str = "garbage-collect";

/// Deletes an owner's functions of one repository, or of all, except those to keep.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GarbageRequest {
    /// The source-code host's name.
    pub host: String,
    /// The owner's current login.
    pub owner: Owner,
    /// The owner's number at the host. This decides whose functions are meant, not the login.
    pub owner_id: u64,
    /// Which repository.
    pub repo: Scope,
    /// The repository's number at the host, if it is known. What is labelled with a number is compared by it; a
    /// repository keeps its functions when it is renamed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo_id: Option<u64>,
    /// Means what the repository's other owners deployed, and nothing of this one's: it was transferred and left their
    /// functions behind. Needs the repository's number, for that alone proves whose they are. With 0 as the owner's
    /// number all owners are others: the repository is gone, and nobody tells any more whose it was.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub former_owners: bool,
    /// What was deployed after this second (since 1970) stays: a request that comes a second time, or late, is about
    /// what was there when it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<u64>,
    /// The commit that no longer has what is deleted, if it is one that caused this: see
    /// [`GarbageRequest::is_farewell`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha: Option<CommitSha>,
    /// Who caused this, by login; for the audit trail only.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub actor: String,
    /// The functions that stay, by their names in stack.yml.
    #[serde(default)]
    pub keep: Vec<FunctionName>,
}

impl GarbageRequest {
    /// Who the owner is.
    pub fn owner_id(&self) -> OwnerId {
        OwnerId { host: self.host.clone(), id: self.owner_id }
    }

    /// True if the repository or its owner left the platform, or the repository its former owners. Else this is the end of a
    /// push: it has a commit that causes it, and the repository goes on.
    pub fn is_farewell(&self) -> bool {
        self.sha.is_none()
    }
}

/// One repository or all of an owner's. Written as the repository's name or `*`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Scope {
    /// Everything that the owner ever deployed: the owner left.
    Everything,
    /// One repository.
    Repo(RepoName),
}

impl FromStr for Scope {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if text == "*" { Ok(Self::Everything) } else { text.parse().map(Self::Repo) }
    }
}

impl TryFrom<String> for Scope {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Everything => f.write_str("*"),
            Self::Repo(repo) => repo.fmt(f),
        }
    }
}

impl From<Scope> for String {
    fn from(scope: Scope) -> Self {
        scope.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scope_is_a_repository_or_a_star() {
        assert_eq!(serde_json::from_str::<Scope>(r#""*""#).unwrap(), Scope::Everything);
        let one = Scope::Repo("hello".parse().unwrap());
        assert_eq!(serde_json::from_str::<Scope>(r#""hello""#).unwrap(), one);
        assert_eq!(serde_json::to_string(&one).unwrap(), r#""hello""#);
        assert!(serde_json::from_str::<Scope>(r#""""#).is_err());
        assert!(serde_json::from_str::<Scope>(r#""**""#).is_err());
    }
}
