//! Where the App is installed. It is for every owner and all their repositories from the first push on, until
//! the owner takes it away from one of them, or altogether.

use std::io;

use chrono::{DateTime, Utc};
use sdk::id::{Owner, RepoName, RepoPath};

use super::{Known, Owners};
use crate::atomic_file::blocking;

/// The App in one owner's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Installation {
    /// Its number, which is the owner's.
    pub(crate) id: u64,
    pub(crate) owner: Owner,
    pub(crate) created_at: DateTime<Utc>,
    /// True if it was taken away from none of the repositories.
    pub(crate) all: bool,
}

impl Owners {
    /// All installations, by number.
    pub(crate) fn installations(&self) -> Vec<Installation> {
        let held = self.held();
        let installed = held.owners.iter().filter(|(_, entry)| !entry.uninstalled);
        let mut all: Vec<_> = installed
            .map(|(owner, entry)| Installation {
                id: entry.id,
                owner: owner.clone(),
                created_at: entry.created_at,
                all: entry.repositories.values().all(|repository| !repository.excluded),
            })
            .collect();
        all.sort_by_key(|installation| installation.id);
        all
    }

    /// The installation of that number.
    pub(crate) fn installation(&self, id: u64) -> Option<Installation> {
        self.installations().into_iter().find(|installation| installation.id == id)
    }

    /// The login of the owner of that number.
    pub(crate) fn login(&self, id: u64) -> Option<Owner> {
        self.held().owners.iter().find(|(_, entry)| entry.id == id).map(|(owner, _)| owner.clone())
    }

    /// A repository that is registered.
    pub(crate) fn repository(&self, path: &RepoPath) -> Option<Known> {
        self.held().find(path)
    }

    /// The repositories of an owner, oldest first.
    pub(crate) fn repositories(&self, owner: &Owner) -> Vec<Known> {
        let held = self.held();
        let entry = held.owners.get(owner);
        let mut all: Vec<_> =
            entry.iter().flat_map(|entry| entry.repositories.values().map(|repo| entry.known(owner, repo))).collect();
        all.sort_by_key(|known| known.repo_id);
        all
    }

    /// Takes the App away from an account. Gives the repositories that it had; none if it was not there.
    pub(crate) async fn uninstall(&self, owner: &Owner) -> io::Result<Option<Vec<Known>>> {
        let (this, owner) = (self.clone(), owner.clone());
        blocking(move || {
            let had: Vec<_> = this.repositories(&owner).into_iter().filter(|known| known.installed).collect();
            let mut held = this.held();
            if held.owners.get(&owner).is_none_or(|entry| entry.uninstalled) {
                return Ok(None);
            }
            this.save(&mut held, |register| {
                if let Some(entry) = register.owners.get_mut(&owner) {
                    entry.uninstalled = true;
                }
            })?;
            Ok(Some(had))
        })
        .await
    }

    /// Takes the App away from one repository, or gives it back. True if that changes anything. Given back where
    /// the account has it no more, it is for this repository only.
    pub(crate) async fn set_installed(&self, path: &RepoPath, installed: bool) -> io::Result<bool> {
        let (this, path) = (self.clone(), path.clone());
        blocking(move || {
            let mut held = this.held();
            if held.find(&path).is_none_or(|known| known.installed == installed) {
                return Ok(false);
            }
            this.save(&mut held, |register| {
                if let Some(entry) = register.owners.get_mut(&path.owner).filter(|entry| entry.uninstalled) {
                    entry.uninstalled = false;
                    entry.repositories.values_mut().for_each(|repository| repository.excluded = true);
                }
                if let Some(repository) = register.repository(&path) {
                    repository.excluded = !installed;
                }
            })?;
            Ok(true)
        })
        .await
    }

    /// Forgets a repository.
    pub(crate) async fn forget(&self, path: &RepoPath) -> io::Result<()> {
        let (this, path) = (self.clone(), path.clone());
        blocking(move || this.save(&mut this.held(), |register| register.remove(&path))).await
    }

    /// Gives a repository another name. Its number stays.
    pub(crate) async fn rename(&self, path: &RepoPath, name: &RepoName) -> io::Result<()> {
        let (this, path, name) = (self.clone(), path.clone(), name.clone());
        blocking(move || this.save(&mut this.held(), |register| register.rename(&path, &name))).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(text: &str) -> RepoPath {
        text.parse().unwrap()
    }

    async fn owners(folder: &std::path::Path) -> Owners {
        let owners = Owners::open(folder.join("owners.json"), None).unwrap();
        for text in ["alice/one", "alice/two", "bob/one"] {
            owners.register(&path(text)).await.unwrap();
        }
        owners
    }

    fn installed(owners: &Owners) -> Vec<String> {
        let all = ["alice", "bob"].into_iter().flat_map(|owner| owners.repositories(&owner.parse().unwrap()));
        all.filter(|known| known.installed).map(|known| known.path.to_string()).collect()
    }

    #[tokio::test]
    async fn the_app_goes_from_one_repository_or_from_all_and_comes_back() {
        let folder = tempfile::tempdir().unwrap();
        let owners = owners(folder.path()).await;
        let alice: Owner = "alice".parse().unwrap();
        assert!(owners.set_installed(&path("alice/one"), false).await.unwrap());
        assert!(!owners.set_installed(&path("alice/ONE"), false).await.unwrap());
        assert_eq!(installed(&owners), ["alice/two", "bob/one"]);
        let ids: Vec<_> = owners.installations().iter().map(|i| (i.id, i.all)).collect();
        assert_eq!(ids, [(1, false), (2, true)]);

        let had = owners.uninstall(&alice).await.unwrap().unwrap();
        assert_eq!(had.iter().map(|known| known.path.to_string()).collect::<Vec<_>>(), ["alice/two"]);
        assert_eq!(owners.uninstall(&alice).await.unwrap(), None);
        let again = Owners::open(folder.path().join("owners.json"), None).unwrap();
        assert_eq!(installed(&again), ["bob/one"]);
        assert_eq!((again.installation(1), again.login(1)), (None, Some(alice)));

        assert!(again.set_installed(&path("alice/one"), true).await.unwrap());
        assert_eq!(installed(&again), ["alice/one", "bob/one"]);
        assert!(again.register(&path("alice/three")).await.unwrap().installed);
    }

    #[tokio::test]
    async fn a_repository_is_renamed_and_forgotten_with_its_number() {
        let folder = tempfile::tempdir().unwrap();
        let owners = owners(folder.path()).await;
        let before = owners.repository(&path("alice/one")).unwrap();
        owners.rename(&path("alice/one"), &"Uno".parse().unwrap()).await.unwrap();
        let after = owners.repository(&path("alice/uno")).unwrap();
        assert_eq!((after.repo_id, after.path.to_string()), (before.repo_id, "alice/Uno".to_owned()));
        assert_eq!(owners.repository(&path("alice/one")), None);
        owners.forget(&path("alice/uno")).await.unwrap();
        assert_eq!(owners.repository(&path("alice/uno")), None);
        assert!(owners.register(&path("alice/uno")).await.unwrap().repo_id > 3, "no number is given twice");
    }
}
