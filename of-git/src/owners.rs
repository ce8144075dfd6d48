//! Who has pushed here: numbers for owners and repositories, and the tenant list.
//!
//! Numbers are given once and never again, so that a login that changes hands never inherits functions.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};
use sdk::id::{Owner, RepoName, RepoPath};
use serde::{Deserialize, Serialize};

use crate::atomic_file;

/// Names of this host's own addresses, reserved besides the platform's.
const RESERVED: [&str; 4] = ["api", "localhost", "login", "logout"];

/// True if no user may have this login.
pub(crate) fn is_reserved(owner: &Owner) -> bool {
    sdk::reserved::is_login(owner) || RESERVED.contains(&owner.as_str())
}

/// What is known about a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) owner_id: u64,
    pub(crate) repo_id: u64,
    /// The path with the repository's name as it was first pushed.
    pub(crate) path: RepoPath,
    pub(crate) created_at: DateTime<Utc>,
}

/// What is known about an owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct About {
    pub(crate) repositories: usize,
    pub(crate) created_at: DateTime<Utc>,
}

/// The register as it is kept on disk.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Register {
    last_owner_id: u64,
    last_repository_id: u64,
    owners: BTreeMap<Owner, Entry>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Entry {
    id: u64,
    created_at: DateTime<Utc>,
    /// By lower-cased name: names differ in more than case, as at GitHub.
    repositories: BTreeMap<String, Repository>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Repository {
    id: u64,
    name: RepoName,
    created_at: DateTime<Utc>,
}

/// The register of owners and repositories.
#[derive(Debug, Clone)]
pub(crate) struct Owners(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: PathBuf,
    customers: Option<PathBuf>,
    register: Mutex<Register>,
}

impl Owners {
    /// Reads the register. A damaged one is an error: guessing would give numbers away twice.
    pub(crate) fn open(file: PathBuf, customers: Option<PathBuf>) -> io::Result<Self> {
        let register = match std::fs::read(&file) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| {
                let sentence =
                    format!("the register {} is damaged ({error}); put a good copy in its place", file.display());
                io::Error::new(io::ErrorKind::InvalidData, sentence)
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Register::default(),
            Err(error) => return Err(error),
        };
        let owners = Self(Arc::new(Inner { file, customers, register: Mutex::new(register) }));
        owners.list_all_tenants()?;
        Ok(owners)
    }

    /// The numbers of a repository, given now if it has none. New ones are on disk when this returns.
    pub(crate) async fn register(&self, path: &RepoPath) -> io::Result<Known> {
        let (this, path) = (self.clone(), path.clone());
        atomic_file::blocking(move || this.register_now(&path)).await
    }

    /// The number of an owner, given now if there is none, as somebody who signs in needs one before the first push.
    pub(crate) async fn register_owner(&self, owner: &Owner) -> io::Result<u64> {
        if let Some(number) = self.number(owner) {
            return Ok(number);
        }
        let (this, owner) = (self.clone(), owner.clone());
        atomic_file::blocking(move || {
            this.change(
                &owner,
                |register| register.owners.get(&owner).map(|entry| entry.id),
                |register| {
                    register.add_owner(&owner, Utc::now());
                },
            )
        })
        .await
    }

    /// True if nobody has a number yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.register.lock().unwrap_or_else(PoisonError::into_inner).owners.is_empty()
    }

    /// The number of an owner who has one.
    pub(crate) fn number(&self, owner: &Owner) -> Option<u64> {
        let held = self.0.register.lock().unwrap_or_else(PoisonError::into_inner);
        held.owners.get(owner).map(|entry| entry.id)
    }

    /// What is known about an owner.
    pub(crate) fn about(&self, owner: &Owner) -> Option<About> {
        let held = self.0.register.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = held.owners.get(owner)?;
        Some(About { repositories: entry.repositories.len(), created_at: entry.created_at })
    }

    fn register_now(&self, path: &RepoPath) -> io::Result<Known> {
        self.change(&path.owner, |register| register.find(path), |register| register.add(path, Utc::now()))
    }

    /// What `find` finds; if that is nothing, after `add`, and then the new register is on disk.
    fn change<T>(
        &self,
        owner: &Owner,
        find: impl Fn(&Register) -> Option<T>,
        add: impl FnOnce(&mut Register),
    ) -> io::Result<T> {
        let mut held = self.0.register.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = find(&held) {
            return Ok(found);
        }
        let mut next = held.clone();
        add(&mut next);
        atomic_file::write(&self.0.file, &serde_json::to_vec_pretty(&next)?)?;
        *held = next;
        self.list_tenant(owner)?;
        find(&held).ok_or_else(|| io::Error::other("it was not registered"))
    }

    /// Brings the tenant list up to date with the register, in case the process died between the two.
    fn list_all_tenants(&self) -> io::Result<()> {
        let held = self.0.register.lock().unwrap_or_else(PoisonError::into_inner);
        held.owners.keys().try_for_each(|owner| self.list_tenant(owner))
    }

    fn list_tenant(&self, owner: &Owner) -> io::Result<()> {
        let Some(path) = &self.0.customers else { return Ok(()) };
        let text = read_or_empty(path)?;
        if text.lines().any(|line| line.trim().eq_ignore_ascii_case(owner.as_str())) {
            return Ok(());
        }
        let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        atomic_file::write(path, format!("{text}{gap}{owner}\n").as_bytes())
    }
}

impl Register {
    fn find(&self, path: &RepoPath) -> Option<Known> {
        let owner = self.owners.get(&path.owner)?;
        let repo = owner.repositories.get(&path.repo.as_str().to_ascii_lowercase())?;
        let path = RepoPath { owner: path.owner.clone(), repo: repo.name.clone() };
        Some(Known { owner_id: owner.id, repo_id: repo.id, path, created_at: repo.created_at })
    }

    fn add_owner(&mut self, owner: &Owner, now: DateTime<Utc>) {
        if !self.owners.contains_key(owner) {
            self.last_owner_id += 1;
            let entry = Entry { id: self.last_owner_id, created_at: now, repositories: BTreeMap::new() };
            self.owners.insert(owner.clone(), entry);
        }
    }

    fn add(&mut self, path: &RepoPath, now: DateTime<Utc>) {
        self.add_owner(&path.owner, now);
        self.last_repository_id += 1;
        let repo = Repository { id: self.last_repository_id, name: path.repo.clone(), created_at: now };
        if let Some(entry) = self.owners.get_mut(&path.owner) {
            entry.repositories.insert(path.repo.as_str().to_ascii_lowercase(), repo);
        }
    }
}

fn read_or_empty(path: &Path) -> io::Result<String> {
    match std::fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RepoPath {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn numbers_stay_and_survive_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let (file, customers) = (folder.path().join("owners.json"), folder.path().join("customers"));
        std::fs::write(&customers, "carol").unwrap();
        let owners = Owners::open(file.clone(), Some(customers.clone())).unwrap();
        let first = owners.register(&path("alice/Hello")).await.unwrap();
        let other = owners.register(&path("bob/hello")).await.unwrap();
        assert_eq!(owners.register(&path("alice/hello")).await.unwrap(), first);
        assert_ne!((first.owner_id, first.repo_id), (other.owner_id, other.repo_id));
        assert_eq!(std::fs::read_to_string(&customers).unwrap(), "carol\nalice\nbob\n");

        std::fs::write(&customers, "").unwrap();
        let again = Owners::open(file, Some(customers.clone())).unwrap();
        assert_eq!(std::fs::read_to_string(&customers).unwrap(), "alice\nbob\n", "the list is mended at the start");
        assert_eq!(again.register(&path("ALICE/HELLO")).await.unwrap(), first);
        assert_eq!(again.register(&path("dora/x")).await.unwrap().owner_id, 3);
    }

    #[tokio::test]
    async fn who_signs_in_before_the_first_push_keeps_the_number() {
        let folder = tempfile::tempdir().unwrap();
        let (file, customers) = (folder.path().join("owners.json"), folder.path().join("customers"));
        let owners = Owners::open(file.clone(), Some(customers.clone())).unwrap();
        let alice: Owner = "alice".parse().unwrap();
        assert_eq!((owners.number(&alice), owners.about(&alice)), (None, None));
        assert!(owners.is_empty());
        assert_eq!(owners.register_owner(&alice).await.unwrap(), 1);
        assert_eq!(owners.register_owner(&alice).await.unwrap(), 1);
        assert_eq!(std::fs::read_to_string(&customers).unwrap(), "alice\n");
        let again = Owners::open(file, None).unwrap();
        assert_eq!((again.number(&alice), again.is_empty()), (Some(1), false));
        assert_eq!(again.register(&path("alice/hello")).await.unwrap().owner_id, 1);
        assert_eq!(again.about(&alice).unwrap().repositories, 1);
    }

    #[test]
    fn a_damaged_register_stops_the_start_and_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("owners.json");
        std::fs::write(&file, "{\"last_owner_id\":1").unwrap();
        let error = Owners::open(file, None).unwrap_err().to_string();
        assert!(error.contains("owners.json") && error.contains("damaged"), "{error}");
    }

    #[test]
    fn parts_of_the_platform_are_no_logins() {
        for login in ["System", "git", "auth", "www", "api", "localhost", "login"] {
            assert!(is_reserved(&login.parse().unwrap()), "{login}");
        }
        assert!(!is_reserved(&"alice".parse().unwrap()));
    }
}
