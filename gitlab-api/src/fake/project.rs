//! Projects.

use axum::Json;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{FakeGitlab, not_found};

/// A project. What is not of interest here GitLab has, too.
#[derive(Debug, Clone)]
pub struct Project {
    /// Its number.
    pub id: u64,
    /// Its full path, as `acme/team/hello`.
    pub path: String,
    /// The number of the namespace that it is in.
    pub namespace_id: u64,
    /// `group` or `user`.
    pub kind: &'static str,
    /// The display name of the namespace, which anybody chooses at will.
    pub namespace_name: String,
    /// Its topics; as `tag_list` only where `old` is set.
    pub topics: Vec<String>,
    /// Whether this GitLab is older than topics.
    pub old: bool,
    /// `public`, `internal` or `private`.
    pub visibility: &'static str,
    /// Its default branch.
    pub default_branch: Option<String>,
    /// When it will be destroyed, if that is scheduled.
    pub marked_for_deletion_on: Option<String>,
    /// Names that jobs of the project's own pipelines have.
    pub jobs: Vec<String>,
}

impl Project {
    /// A public project with the topic `openfaas-cloud` in a group.
    pub fn new(id: u64, path: &str, namespace_id: u64) -> Self {
        Self {
            id,
            path: path.to_owned(),
            namespace_id,
            kind: "group",
            namespace_name: "A group".to_owned(),
            topics: vec!["OpenFaaS-Cloud".to_owned(), "rust".to_owned()],
            old: false,
            visibility: "public",
            default_branch: Some("main".to_owned()),
            marked_for_deletion_on: None,
            jobs: Vec::new(),
        }
    }

    fn json(&self) -> Value {
        let (namespace, name) = self.path.rsplit_once('/').unwrap_or_default();
        let mut project = json!({
            "id": self.id,
            "name": "A display name",
            "path": name,
            "path_with_namespace": self.path,
            "default_branch": self.default_branch,
            "visibility": self.visibility,
            "web_url": "https://elsewhere.example/x",
            "http_url_to_repo": "https://elsewhere.example/x.git",
            "tag_list": self.topics,
            "marked_for_deletion_on": self.marked_for_deletion_on,
            "namespace": {
                "id": self.namespace_id,
                "name": self.namespace_name,
                "path": namespace.rsplit('/').next(),
                "kind": self.kind,
                "full_path": namespace,
                "parent_id": null,
            },
        });
        if !self.old {
            project["topics"] = json!(self.topics);
        }
        project
    }
}

pub(super) async fn get(State(fake): State<FakeGitlab>, Path(id): Path<u64>) -> Response {
    match fake.kept().projects.get(&id) {
        Some(project) => Json(project.json()).into_response(),
        None => not_found("Project"),
    }
}

pub(super) async fn namespace(State(fake): State<FakeGitlab>, Path(path): Path<String>) -> Response {
    match fake.kept().namespaces.iter().find(|(found, _)| found.eq_ignore_ascii_case(&path)) {
        Some((path, id)) => Json(json!({"id": id, "kind": "group", "path": path, "full_path": path})).into_response(),
        None => not_found("Namespace"),
    }
}
