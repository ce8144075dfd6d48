//! The bare repositories on disk.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use sdk::id::RepoPath;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

use crate::atomic_file::blocking;
use crate::git::{Git, GitError};

/// How long a push waits for another one to the same repository.
const PATIENCE: Duration = Duration::from_secs(60);

/// The repositories, and one lock for each that is being pushed to.
#[derive(Debug)]
pub(crate) struct Repositories {
    root: PathBuf,
    empty: PathBuf,
    locks: Mutex<HashMap<PathBuf, Weak<AsyncMutex<()>>>>,
}

impl Repositories {
    /// Opens the store, making the empty repository that unborn ones are shown as.
    pub(crate) async fn open(data: &Path, git: &Git) -> Result<Self, GitError> {
        let (root, empty) = (data.join("repositories"), data.join("empty.git"));
        let this = Self { root, empty: empty.clone(), locks: Mutex::default() };
        if !empty.join("HEAD").exists() {
            this.init(git, &empty).await?;
        }
        Ok(this)
    }

    /// Where a repository is or would be. Every part was checked when the path was made; names are
    /// lower-cased because `Hello` and `hello` are one repository.
    pub(crate) fn folder(&self, path: &RepoPath) -> PathBuf {
        let name = format!("{}.git", path.repo.as_str().to_ascii_lowercase());
        self.root.join(path.owner.as_str()).join(name)
    }

    /// The repository's folder, if it exists.
    pub(crate) async fn find(&self, path: &RepoPath) -> Option<PathBuf> {
        let folder = self.folder(path);
        tokio::fs::try_exists(folder.join("HEAD")).await.unwrap_or(false).then_some(folder)
    }

    /// A repository without a commit, shown to the first pusher before there is one of theirs.
    pub(crate) fn empty(&self) -> &Path {
        &self.empty
    }

    /// Waits for the repository to be free of other pushes; `None` if that takes too long.
    pub(crate) async fn lock(&self, path: &RepoPath) -> Option<OwnedMutexGuard<()>> {
        let lock = self.lock_of(self.folder(path));
        tokio::time::timeout(PATIENCE, lock.lock_owned()).await.ok()
    }

    fn lock_of(&self, folder: PathBuf) -> Arc<AsyncMutex<()>> {
        let mut locks = self.locks.lock().unwrap_or_else(PoisonError::into_inner);
        locks.retain(|_, lock| lock.strong_count() > 0);
        if let Some(lock) = locks.get(&folder).and_then(Weak::upgrade) {
            return lock;
        }
        let lock = Arc::new(AsyncMutex::new(()));
        locks.insert(folder, Arc::downgrade(&lock));
        lock
    }

    /// Makes the repository. It appears whole or not at all.
    pub(crate) async fn create(&self, git: &Git, path: &RepoPath) -> Result<PathBuf, GitError> {
        let folder = self.folder(path);
        self.init(git, &folder).await?;
        Ok(folder)
    }

    /// Gives a repository another name, which none has.
    pub(crate) async fn rename(&self, from: &RepoPath, to: &RepoPath) -> io::Result<()> {
        tokio::fs::rename(self.folder(from), self.folder(to)).await
    }

    /// Removes a repository.
    pub(crate) async fn remove(&self, path: &RepoPath) -> io::Result<()> {
        let folder = self.folder(path);
        blocking(move || {
            std::fs::remove_dir_all(&folder)?;
            // The owner's folder stays if other repositories are in it.
            folder.parent().map(std::fs::remove_dir).transpose().or(Ok(None)).map(|_| ())
        })
        .await
    }

    async fn init(&self, git: &Git, folder: &Path) -> Result<(), GitError> {
        let failed = |source| GitError::Pipe { what: "init".into(), source };
        let parent = folder.parent().unwrap_or(&self.root).to_owned();
        let scratch = blocking(move || {
            std::fs::create_dir_all(&parent)?;
            tempfile::Builder::new().prefix(".new-").tempdir_in(&parent)
        });
        let scratch = scratch.await.map_err(failed)?;
        let arguments = ["init", "--quiet", "--bare", "--template=", "--initial-branch=main", "."];
        git.ask(scratch.path(), &arguments).await?;
        tokio::fs::rename(scratch.keep(), folder).await.map_err(failed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_repository_appears_and_goes_and_its_lock_holds() {
        let data = tempfile::tempdir().unwrap();
        let git = Git::new("git".into(), data.path().into(), 1000, 2);
        let store = Repositories::open(data.path(), &git).await.unwrap();
        let path: RepoPath = "alice/Hello".parse().unwrap();
        assert!(store.find(&path).await.is_none());
        let folder = store.create(&git, &path).await.unwrap();
        assert_eq!(store.find(&"alice/hello".parse().unwrap()).await, Some(folder.clone()));

        let held = store.lock(&path).await.unwrap();
        assert!(store.lock_of(folder.clone()).try_lock().is_err());
        drop(held);
        assert!(store.lock_of(folder.clone()).try_lock().is_ok());

        store.remove(&path).await.unwrap();
        assert!(!folder.exists() && !folder.parent().unwrap().exists());
    }
}
