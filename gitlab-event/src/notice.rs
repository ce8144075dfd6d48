//! What a webhook said, while it waits in the queue for GitLab to confirm it.

use sdk::id::{CommitSha, HostPath};
use serde::{Deserialize, Serialize};

/// Something that happened to a project, as its webhook says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Notice {
    /// The project's number.
    pub(crate) project: u64,
    /// Its path, at that time.
    pub(crate) path: HostPath,
    /// Who did it, by login; for the audit trail only.
    #[serde(default)]
    pub(crate) actor: String,
    /// What happened.
    pub(crate) what: What,
}

/// What happened to a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum What {
    /// A branch has a new head.
    Pushed {
        /// Without `refs/heads/`.
        branch: String,
        /// The new head.
        sha: CommitSha,
    },
    /// Something about it changed, its topics maybe. It may have another name, at the same owner's.
    Changed,
    /// It has another owner.
    Transferred {
        /// Where it was.
        from: HostPath,
    },
    /// It is gone.
    Destroyed,
}
