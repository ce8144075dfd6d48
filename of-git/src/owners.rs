//! Who has pushed here: numbers for owners and repositories, and the tenant list.
//!
//! Numbers are given once and never again, so that a login that changes hands never inherits functions.

mod installed;
mod register;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use sdk::id::{Owner, RepoPath};

use crate::atomic_file;

pub(crate) use installed::Installation;
use register::Register;

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
    /// True if the App is installed for it: the platform is told of its pushes and may read it.
    pub(crate) installed: bool,
}

/// What is known about an owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct About {
    pub(crate) repositories: usize,
    pub(crate) created_at: DateTime<Utc>,
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
        self.held().owners.is_empty()
    }

    /// The number of an owner who has one.
    pub(crate) fn number(&self, owner: &Owner) -> Option<u64> {
        let held = self.held();
        held.owners.get(owner).map(|entry| entry.id)
    }

    /// What is known about an owner.
    pub(crate) fn about(&self, owner: &Owner) -> Option<About> {
        let held = self.held();
        let entry = held.owners.get(owner)?;
        Some(About { repositories: entry.repositories.len(), created_at: entry.created_at })
    }

    fn held(&self) -> MutexGuard<'_, Register> {
        self.0.register.lock().unwrap_or_else(PoisonError::into_inner)
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
        let mut held = self.held();
        if let Some(found) = find(&held) {
            return Ok(found);
        }
        self.save(&mut held, add)?;
        self.list_tenant(owner)?;
        find(&held).ok_or_else(|| io::Error::other("it was not registered"))
    }

    /// Changes the register, on disk first.
    fn save<T>(&self, held: &mut Register, change: impl FnOnce(&mut Register) -> T) -> io::Result<T> {
        let mut next = held.clone();
        let result = change(&mut next);
        atomic_file::write(&self.0.file, &serde_json::to_vec_pretty(&next)?)?;
        *held = next;
        Ok(result)
    }

    /// Brings the tenant list up to date with the register, in case the process died between the two.
    fn list_all_tenants(&self) -> io::Result<()> {
        let held = self.held();
        held.owners.keys().try_for_each(|owner| self.list_tenant(owner))
    }

    fn list_tenant(&self, owner: &Owner) -> io::Result<()> {
        let Some(path) = &self.0.customers else { return Ok(()) };
        let text = read_or_empty(path)?;
        // Behind a login may stand the account that it means.
        let is_it = |line: &str| line.split_whitespace().next().is_some_and(|l| l.eq_ignore_ascii_case(owner.as_str()));
        if text.lines().any(is_it) {
            return Ok(());
        }
        let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        atomic_file::write(path, format!("{text}{gap}{owner}\n").as_bytes())
    }
}

fn read_or_empty(path: &Path) -> io::Result<String> {
    match std::fs::read_to_string(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        other => other,
    }
}

#[cfg(test)]
mod tests;
