//! Which functions are garbage.

use std::collections::HashSet;

use sdk::garbage::{GarbageRequest, Scope};
use sdk::gateway::FunctionStatus;
use sdk::id::ServiceName;
use sdk::labels;
use sdk::reserved;

/// The functions that a request means.
pub(crate) struct Garbage {
    host: String,
    owner_id: String,
    repo: Option<String>,
    keep: HashSet<String>,
}

impl Garbage {
    pub(crate) fn of(request: &GarbageRequest) -> Self {
        let kept = request.keep.iter().filter_map(|function| ServiceName::of(&request.owner, function).ok());
        Self {
            host: labels::value(&request.host).into_owned(),
            owner_id: request.owner_id.to_string(),
            repo: match &request.repo {
                Scope::Everything => None,
                Scope::Repo(repo) => Some(labels::value(repo.as_str()).into_owned()),
            },
            keep: kept.map(String::from).collect(),
        }
    }

    /// Whether the function is to go. What its labels do not prove is left alone.
    pub(crate) fn includes(&self, function: &FunctionStatus) -> bool {
        let says = |label: &str, value: &str| function.labels.get(label).is_some_and(|found| found == value);
        says(labels::GIT_CLOUD, "1")
            && says(labels::GIT_SCM, &self.host)
            && says(labels::GIT_OWNER_ID, &self.owner_id)
            && self.repo.as_ref().is_none_or(|repo| says(labels::GIT_REPO, repo))
            && !says(labels::ROLE, labels::SYSTEM_ROLE)
            && !function.name.parse().is_ok_and(|name| reserved::is_function(&name))
            && !self.keep.contains(&function.name)
    }
}
