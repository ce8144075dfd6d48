//! The data directory of one platform: everything that it keeps on disk, and where.

use std::fs;
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;

use crate::report::Trouble;

/// Where the data directory is unless the user says otherwise.
pub const DEFAULT: &str = ".ofc";

/// A data directory, by its absolute path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataDir {
    root: PathBuf,
}

impl DataDir {
    /// The directory at `path`, which need not exist.
    ///
    /// # Errors
    /// When the working directory is gone.
    pub fn at(path: &Path) -> anyhow::Result<Self> {
        let root = std::path::absolute(path).with_context(|| format!("cannot resolve {}", path.display()))?;
        // Where it exists, one directory has one name: links and `..` are resolved.
        Ok(Self { root: root.canonicalize().unwrap_or(root) })
    }

    /// The directory at `path`, made if need be, for the user alone.
    ///
    /// # Errors
    /// When it cannot be made or is not a directory of this user's.
    pub fn create(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        private_dir(path).map_err(|cause| {
            Trouble::new(format!("the data directory {shown} cannot be made"))
                .hint("choose another with --data DIR")
                .because(cause)
        })?;
        let probe = path.join(".writable");
        fs::write(&probe, []).and_then(|()| fs::remove_file(&probe)).map_err(|cause| {
            Trouble::new(format!("the data directory {shown} cannot be written to"))
                .hint("make it yours (chown), free some disk, or choose another with --data DIR")
                .because(cause)
        })?;
        Self::at(path)
    }

    /// Its absolute path.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// True if a platform has been here.
    pub fn exists(&self) -> bool {
        self.lock().exists()
    }

    /// Held by the running platform; holds its process id.
    pub fn lock(&self) -> PathBuf {
        self.root.join("ofc.lock")
    }

    /// Where the running platform can be reached.
    pub fn record(&self) -> PathBuf {
        self.root.join("running.json")
    }

    /// The log.
    pub fn log(&self) -> PathBuf {
        self.root.join("ofc.log")
    }

    /// What `ofc up -d` would have shown on the terminal.
    pub fn output(&self) -> PathBuf {
        self.root.join("ofc.out")
    }

    /// Generated secrets, one file each.
    pub fn secrets(&self) -> PathBuf {
        self.root.join("secrets")
    }

    /// The keys that open sealed secrets, one file each.
    pub fn sealing_keys(&self) -> PathBuf {
        self.root.join("sealing-keys")
    }

    /// What is known of each owner's sealed secrets.
    pub fn secret_records(&self) -> PathBuf {
        self.root.join("secret-records")
    }

    /// Certificates that were ordered, and the account that ordered them.
    pub fn certificates(&self) -> PathBuf {
        self.root.join("acme")
    }

    /// The tenant list.
    pub fn customers(&self) -> PathBuf {
        self.root.join("customers")
    }

    /// The built-in templates, one folder per content digest.
    pub fn templates(&self) -> PathBuf {
        self.root.join("templates")
    }

    /// The gateway's functions, secrets and queue.
    pub fn gateway(&self) -> PathBuf {
        self.root.join("gateway")
    }

    /// The git host's repositories.
    pub fn git(&self) -> PathBuf {
        self.root.join("git")
    }

    /// of-auth's sessions, API tokens and signing keys.
    pub fn auth(&self) -> PathBuf {
        self.root.join("auth")
    }

    /// Build logs.
    pub fn pipeline_logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    /// What functions wrote.
    pub fn function_logs(&self) -> PathBuf {
        self.root.join("function-logs")
    }

    /// The audit trail.
    pub fn audit(&self) -> PathBuf {
        self.root.join("audit.jsonl")
    }

    /// What owners read of it.
    pub fn audit_events(&self) -> PathBuf {
        self.root.join("audit-events")
    }

    /// Work in progress: checkouts, contexts, uploads. Emptied at start.
    pub fn work(&self) -> PathBuf {
        self.root.join("work")
    }
}

/// Makes a directory that only this user may enter, or makes it so.
///
/// # Errors
/// When it cannot be made, or something else has its name.
pub fn private_dir(path: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(0o700))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_for_the_user_alone_and_loses_wider_permissions() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/.ofc");
        let data = DataDir::create(&path).unwrap();
        assert!(data.root().is_absolute() && !data.exists());
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        DataDir::create(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_file_in_its_place_is_refused_with_a_hint() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "x").unwrap();
        let error = DataDir::create(&path).unwrap_err();
        assert!(error.to_string().contains("cannot be made"), "{error}");
        assert!(crate::report::render(&error).contains("--data DIR"));
    }

    #[test]
    fn one_directory_has_one_name() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("b")).unwrap();
        let straight = DataDir::at(&folder.path().join("b")).unwrap();
        assert_eq!(DataDir::at(&folder.path().join("b/../b/.")).unwrap(), straight);
    }
}
