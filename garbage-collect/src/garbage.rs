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
    former_owners: bool,
    repo: Option<Repo>,
    until: Option<u64>,
    keep: HashSet<String>,
}

/// A repository, as labels say it.
struct Repo {
    id: Option<String>,
    name: String,
}

impl Garbage {
    pub(crate) fn of(request: &GarbageRequest) -> Self {
        let kept = request.keep.iter().filter_map(|function| ServiceName::of(&request.owner, function).ok());
        Self {
            host: labels::value(&request.host).into_owned(),
            owner_id: request.owner_id.to_string(),
            former_owners: request.former_owners,
            repo: match &request.repo {
                Scope::Everything => None,
                Scope::Repo(repo) => Some(Repo {
                    id: request.repo_id.map(|id| id.to_string()),
                    name: labels::value(repo.as_str()).into_owned(),
                }),
            },
            until: request.until,
            keep: kept.map(String::from).collect(),
        }
    }

    /// Whether the function is to go. What its labels do not prove is left alone.
    pub(crate) fn includes(&self, function: &FunctionStatus) -> bool {
        let says = |label: &str, value: &str| says(function, label, value);
        says(labels::GIT_CLOUD, "1")
            && says(labels::GIT_SCM, &self.host)
            && self.is_of_the_owner(function)
            && !self.is_newer(function)
            && !says(labels::ROLE, labels::SYSTEM_ROLE)
            && !function.name.parse().is_ok_and(|name| reserved::is_function(&name))
            && !self.keep.contains(&function.name)
    }

    /// By the owner's number and the repository; what former owners of the repository have, by its number alone.
    fn is_of_the_owner(&self, function: &FunctionStatus) -> bool {
        let owner = says(function, labels::GIT_OWNER_ID, &self.owner_id);
        if self.former_owners {
            return !owner && self.repo.as_ref().is_some_and(|repo| repo.is_the_number_of(function));
        }
        owner && self.repo.as_ref().is_none_or(|repo| repo.has(function))
    }

    fn is_newer(&self, function: &FunctionStatus) -> bool {
        let deployed = || function.labels.get(labels::GIT_DEPLOY_TIME)?.parse::<u64>().ok();
        self.until.is_some_and(|until| deployed().is_some_and(|deployed| deployed > until))
    }
}

impl Repo {
    fn is_the_number_of(&self, function: &FunctionStatus) -> bool {
        self.id.as_deref().is_some_and(|id| says(function, labels::GIT_REPO_ID, id))
    }

    /// By number where both sides know it: another repository may have this one's former name by now. Else by name.
    fn has(&self, function: &FunctionStatus) -> bool {
        match (&self.id, function.labels.get(labels::GIT_REPO_ID)) {
            (Some(id), Some(found)) => id == found,
            _ => says(function, labels::GIT_REPO, &self.name),
        }
    }
}

fn says(function: &FunctionStatus, label: &str, value: &str) -> bool {
    function.labels.get(label).is_some_and(|found| found == value)
}
