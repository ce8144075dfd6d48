//! The register as it is kept on disk.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use sdk::id::{Owner, RepoName, RepoPath};
use serde::{Deserialize, Serialize};

use super::Known;

/// All of it.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Register {
    last_owner_id: u64,
    last_repository_id: u64,
    pub(super) owners: BTreeMap<Owner, Entry>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) id: u64,
    pub(super) created_at: DateTime<Utc>,
    /// The App was taken away from the whole account.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) uninstalled: bool,
    /// By lower-cased name: names differ in more than case, as at GitHub.
    pub(super) repositories: BTreeMap<String, Repository>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Repository {
    pub(super) id: u64,
    pub(super) name: RepoName,
    created_at: DateTime<Utc>,
    /// The App was taken away from this one.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) excluded: bool,
}

/// The key of a repository: its name in lower case.
pub(super) fn key(path: &RepoPath) -> String {
    path.repo.as_str().to_ascii_lowercase()
}

impl Entry {
    /// A repository of this owner, as others know it.
    pub(super) fn known(&self, owner: &Owner, repository: &Repository) -> Known {
        Known {
            owner_id: self.id,
            repo_id: repository.id,
            path: RepoPath { owner: owner.clone(), repo: repository.name.clone() },
            created_at: repository.created_at,
            installed: !self.uninstalled && !repository.excluded,
        }
    }
}

impl Register {
    pub(super) fn find(&self, path: &RepoPath) -> Option<Known> {
        let entry = self.owners.get(&path.owner)?;
        Some(entry.known(&path.owner, entry.repositories.get(&key(path))?))
    }

    pub(super) fn repository(&mut self, path: &RepoPath) -> Option<&mut Repository> {
        self.owners.get_mut(&path.owner)?.repositories.get_mut(&key(path))
    }

    pub(super) fn add_owner(&mut self, owner: &Owner, now: DateTime<Utc>) {
        if !self.owners.contains_key(owner) {
            self.last_owner_id += 1;
            let id = self.last_owner_id;
            let entry = Entry { id, created_at: now, uninstalled: false, repositories: BTreeMap::new() };
            self.owners.insert(owner.clone(), entry);
        }
    }

    pub(super) fn add(&mut self, path: &RepoPath, now: DateTime<Utc>) {
        self.add_owner(&path.owner, now);
        self.last_repository_id += 1;
        let id = self.last_repository_id;
        let repo = Repository { id, name: path.repo.clone(), created_at: now, excluded: false };
        if let Some(entry) = self.owners.get_mut(&path.owner) {
            entry.repositories.insert(key(path), repo);
        }
    }

    /// Gives a repository another name.
    pub(super) fn rename(&mut self, path: &RepoPath, name: &RepoName) {
        if let Some(entry) = self.owners.get_mut(&path.owner)
            && let Some(mut repository) = entry.repositories.remove(&key(path))
        {
            repository.name = name.clone();
            entry.repositories.insert(name.as_str().to_ascii_lowercase(), repository);
        }
    }

    /// Takes a repository out. Its number is never given again.
    pub(super) fn remove(&mut self, path: &RepoPath) {
        if let Some(entry) = self.owners.get_mut(&path.owner) {
            entry.repositories.remove(&key(path));
        }
    }
}
