//! The file whose presence says that the function serves.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The lock file; removed when dropped.
#[derive(Debug)]
pub(crate) struct LockFile(PathBuf);

impl LockFile {
    /// Writes the file, over an old one where a killed process left it.
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        fs::write(path, [])?;
        Ok(Self(path.to_owned()))
    }
}

impl Drop for LockFile {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(&self.0)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, path = %self.0.display(), "could not remove the lock file");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exists_until_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".lock");
        let lock = LockFile::create(&path).unwrap();
        assert!(path.exists());
        drop(lock);
        assert!(!path.exists());
    }

    #[test]
    fn takes_over_what_a_killed_process_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".lock");
        fs::write(&path, "old").unwrap();
        drop(LockFile::create(&path).unwrap());
        assert!(!path.exists());
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_an_error() {
        assert!(LockFile::create(Path::new("/nonexistent/.lock")).is_err());
    }
}
