//! Logs in a directory of this machine, for its user only.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use crate::log_key::{Folder, Name};
use crate::retention;
use crate::store::{Object, Store, StoreError};

/// A directory that is ours.
#[derive(Clone)]
pub(crate) struct Directory {
    root: PathBuf,
}

impl Directory {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    fn folder(&self, folder: &Folder) -> PathBuf {
        self.root.join(folder.as_str())
    }
}

impl Store for Directory {
    async fn put(&self, folder: &Folder, name: Name, bytes: Bytes) -> Result<(), StoreError> {
        let path = self.folder(folder);
        let written = blocking(move || {
            write(&path, name, &bytes)?;
            if name == Name::Whole {
                forget_old(&path);
            }
            Ok(())
        });
        written.await.map_err(|e| StoreError::new("write", folder.object(name), e))
    }

    async fn get(&self, folder: &Folder, name: Name) -> Result<Option<Bytes>, StoreError> {
        let path = self.folder(folder).join(name.to_string());
        let read = blocking(move || if_there(fs::read(path))).await;
        read.map(|bytes| bytes.map(Bytes::from)).map_err(|e| StoreError::new("read", folder.object(name), e))
    }

    async fn list(&self, folder: &Folder) -> Result<Vec<Object>, StoreError> {
        let path = self.folder(folder);
        blocking(move || list(&path)).await.map_err(|e| StoreError::new("list", folder.as_str(), e))
    }

    async fn delete(&self, folder: &Folder, name: Name) -> Result<(), StoreError> {
        let path = self.folder(folder).join(name.to_string());
        let removed = blocking(move || if_there(fs::remove_file(path))).await;
        removed.map(drop).map_err(|e| StoreError::new("delete", folder.object(name), e))
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

fn if_there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes beside the object, then takes its place, so that nobody ever reads half of it.
fn write(folder: &Path, name: Name, bytes: &[u8]) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    // Always the same name, so that what a crash leaves is overwritten by the next try.
    let unfinished = folder.join(format!(".{name}.new"));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&unfinished, folder.join(name.to_string()))?;
    // The new name is durable only once its folder is.
    File::open(folder)?.sync_all()
}

/// Another function's log may be removing the same ones, so that one is not there any more is no trouble.
fn forget_old(folder: &Path) {
    let Some(commit) = folder.parent() else { return };
    if let Err(error) = retention::apply(retention::USUAL, commit)
        && error.kind() != ErrorKind::NotFound
    {
        tracing::warn!(commit = %commit.display(), %error, "old build logs could not be removed");
    }
}

fn list(folder: &Path) -> io::Result<Vec<Object>> {
    let Some(entries) = if_there(fs::read_dir(folder))? else { return Ok(Vec::new()) };
    let mut objects = Vec::new();
    for entry in entries {
        let entry = entry?;
        if let Some(name) = entry.file_name().to_str().and_then(Name::parse) {
            objects.push(Object { name, bytes: entry.metadata()?.len() });
        }
    }
    objects.sort();
    Ok(objects)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use sdk::pipeline_log::LogKey;

    use super::*;

    fn folder() -> Folder {
        Folder::of(&LogKey {
            owner: "alice".parse().unwrap(),
            repo: "shop".parse().unwrap(),
            sha: "a".repeat(40).parse().unwrap(),
            function: "cart".parse().unwrap(),
        })
    }

    #[tokio::test]
    async fn only_its_user_may_read_a_log() {
        let root = tempfile::tempdir().unwrap();
        let (store, folder) = (Directory::new(root.path().join("logs")), folder());
        store.put(&folder, Name::Whole, Bytes::from("x")).await.unwrap();
        let mode = |path: PathBuf| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(store.folder(&folder).join("build.log")), 0o600);
        assert_eq!(mode(root.path().join("logs")), 0o700);
        assert_eq!(mode(store.folder(&folder)), 0o700);
    }

    #[tokio::test]
    async fn what_a_crash_left_is_neither_listed_nor_in_the_way() {
        let root = tempfile::tempdir().unwrap();
        let (store, folder) = (Directory::new(root.path().to_owned()), folder());
        fs::create_dir_all(store.folder(&folder)).unwrap();
        fs::write(store.folder(&folder).join(".build.log.new"), "half of a log that was never finished").unwrap();
        assert!(store.list(&folder).await.unwrap().is_empty());
        store.put(&folder, Name::Whole, Bytes::from("whole")).await.unwrap();
        assert_eq!(store.get(&folder, Name::Whole).await.unwrap().unwrap(), "whole");
        assert_eq!(fs::read_dir(store.folder(&folder)).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn logs_of_old_commits_go() {
        let root = tempfile::tempdir().unwrap();
        let repository = root.path().join("alice/shop");
        for number in 0..150 {
            fs::create_dir_all(repository.join(number.to_string()).join("cart")).unwrap();
        }
        let (store, folder) = (Directory::new(root.path().to_owned()), folder());
        store.put(&folder, Name::Part(0), Bytes::from("x")).await.unwrap();
        store.put(&folder, Name::Whole, Bytes::from("x")).await.unwrap();
        assert_eq!(fs::read_dir(&repository).unwrap().count(), 100);
        assert_eq!(store.get(&folder, Name::Whole).await.unwrap().unwrap(), "x");
    }

    #[tokio::test]
    async fn a_place_that_is_no_directory_is_an_error_that_names_the_object() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let store = Directory::new(file.path().to_owned());
        let error = store.put(&folder(), Name::Part(0), Bytes::new()).await.unwrap_err();
        assert!(error.to_string().starts_with("cannot write alice/shop/"), "{error}");
        assert!(store.list(&folder()).await.is_err());
    }
}
