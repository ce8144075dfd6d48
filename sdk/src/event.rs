//! What happened at a source-code host, in the words of this project.

use serde::{Deserialize, Serialize};

use crate::id::{CommitSha, FunctionName, HostPath, Owner, OwnerId, RepoName, RepoPath};

/// The kind of a source-code host: which functions speak its language.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scm {
    /// GitHub, GitHub Enterprise, and `of-git`.
    #[default]
    Github,
    /// GitLab, in the cloud or self-hosted.
    Gitlab,
}

impl Scm {
    /// The function that tells such a host how a push goes.
    pub fn status_function(self) -> &'static str {
        match self {
            Self::Github => "github-status",
            Self::Gitlab => "gitlab-status",
        }
    }
}

/// A branch of a repository got a new head. Sent by the `*-event` functions and passed along the pipeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushEvent {
    /// The kind of the source-code host.
    #[serde(default)]
    pub scm: Scm,
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
    /// The repository's path at its host where it is not `<owner>/<repository>`: GitLab's groups have groups in them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<HostPath>,
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
    /// Deploy this commit although it is not, or no longer, its branch's head: somebody asked for just this one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pinned: bool,
    /// When somebody asked for just this commit, in seconds since 1970. What of the repository was deployed later is
    /// not undone by a request that comes a second time, or late.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked_at: Option<u64>,
    /// Build every function anew, also what has not changed since it was built.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub rebuild: bool,
    /// Means these functions alone, and each as it is deployed, whatever the branch's head is: a secret that they mount
    /// has changed. Nothing is built, and nothing is removed. Empty for a push.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub restart: Vec<FunctionName>,
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

    /// The repository's path at its host.
    pub fn path_at_host(&self) -> String {
        self.path.as_ref().map_or_else(|| self.repo_path().to_string(), HostPath::to_string)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_before_are_read_as_they_were_meant() {
        let before = serde_json::json!({
            "host": "github.com", "owner": "alice", "owner_id": 1, "repo": "hello", "repo_id": 2, "private": false,
            "branch": "main", "default_branch": "main", "sha": "a".repeat(40), "html_url": "", "installation": 0,
            "pusher": "alice",
        });
        let event: PushEvent = serde_json::from_value(before.clone()).unwrap();
        assert_eq!((event.scm, event.pinned, event.rebuild), (Scm::Github, false, false));
        assert_eq!(event.path_at_host(), "alice/hello");
        let mut grouped = before;
        grouped["path"] = "Acme/team/Hello".into();
        let grouped: PushEvent = serde_json::from_value(grouped).unwrap();
        assert_eq!(grouped.path_at_host(), "Acme/team/Hello");
    }
}
