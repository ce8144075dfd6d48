//! What happened at a source-code host, in the words of this project.

use serde::{Deserialize, Serialize};

use crate::id::{CommitSha, Owner, OwnerId, RepoName, RepoPath};

/// A branch of a repository got a new head. Sent by the `*-event` functions and passed along the pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushEvent {
    /// The source-code host's name, for example `github.com`.
    pub host: String,
    /// The owner's current login.
    pub owner: Owner,
    /// The owner's number at the host.
    pub owner_id: u64,
    /// The repository's name.
    pub repo: RepoName,
    /// The repository's number at the host.
    pub repo_id: u64,
    /// True if the repository can be read by its members only.
    pub private: bool,
    /// The branch, without `refs/heads/`.
    pub branch: String,
    /// The repository's default branch.
    pub default_branch: String,
    /// The branch's new head.
    pub sha: CommitSha,
    /// The repository's page.
    pub html_url: String,
    /// The GitHub App's installation, 0 where there is none.
    pub installation: u64,
    /// Who pushed; for the audit trail only.
    pub pusher: String,
}

impl PushEvent {
    /// Who the owner is.
    pub fn owner_id(&self) -> OwnerId {
        OwnerId { host: self.host.clone(), id: self.owner_id }
    }

    /// `<owner>/<repository>`.
    pub fn repo_path(&self) -> RepoPath {
        RepoPath { owner: self.owner.clone(), repo: self.repo.clone() }
    }
}
