//! A project, as GitLab itself says.

use gitlab_api::{Api, Call, GitlabError};
use serde::Deserialize;

/// The part of `GET /projects/:id` that is needed.
#[derive(Debug, Deserialize)]
pub(crate) struct Project {
    pub(crate) id: u64,
    /// Its name in paths.
    pub(crate) path: String,
    pub(crate) path_with_namespace: String,
    pub(crate) visibility: String,
    /// Not there while the repository is empty.
    pub(crate) default_branch: Option<String>,
    pub(crate) namespace: Namespace,
    topics: Option<Vec<String>>,
    /// What topics were before GitLab 14.
    tag_list: Option<Vec<String>>,
    marked_for_deletion_on: Option<String>,
    /// Its name before GitLab 13.
    marked_for_deletion_at: Option<String>,
}

/// A user or a group as the place of projects. Users and groups are numbered together.
#[derive(Debug, Deserialize)]
pub(crate) struct Namespace {
    pub(crate) id: u64,
    pub(crate) full_path: String,
}

impl Project {
    /// Asks GitLab; `None` where it says that there is no such project, or none that the token may see.
    pub(crate) async fn ask(gitlab: &Api, id: u64) -> Result<Option<Self>, GitlabError> {
        let call = Call::get("the project", ["projects".to_owned(), id.to_string()]);
        match gitlab.send(&call).await {
            Ok(project) => Ok(Some(project)),
            Err(GitlabError::NotThere { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Whether it carries the tag, in whatever case.
    pub(crate) fn is_installed(&self, tag: &str) -> bool {
        let tags = self.topics.as_ref().or(self.tag_list.as_ref());
        tags.is_some_and(|tags| tags.iter().any(|found| found.eq_ignore_ascii_case(tag)))
    }

    /// Whether GitLab tells its tags at all. What it does not tell is not taken for gone.
    pub(crate) fn tells_its_tags(&self) -> bool {
        self.topics.is_some() || self.tag_list.is_some()
    }

    /// Whether it goes by itself in a few days.
    pub(crate) fn is_marked_for_deletion(&self) -> bool {
        self.marked_for_deletion_on.is_some() || self.marked_for_deletion_at.is_some()
    }

    pub(crate) fn is_private(&self) -> bool {
        self.visibility != "public"
    }
}

impl Namespace {
    /// Asks GitLab for a user or group by its path; `None` as above.
    pub(crate) async fn ask(gitlab: &Api, path: &str) -> Result<Option<Self>, GitlabError> {
        match gitlab.send(&Call::get("the namespace", ["namespaces", path])).await {
            Ok(namespace) => Ok(Some(namespace)),
            Err(GitlabError::NotThere { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
