//! Secrets as files that functions get to see, read-only, under `/var/openfaas/secrets`.
//!
//! The directory is closed to everybody else (0700); the files in it are readable (0444), because a function's
//! process runs as any user. A running container keeps the value it was started with.

use std::fs::{self, DirBuilder, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::UNIX_EPOCH;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sdk::gateway::Secret;
use secrecy::{ExposeSecret as _, SecretSlice};

const MAX_NAME: usize = 253;
/// As in Kubernetes.
const MAX_VALUE: usize = 1 << 20;

/// Why a secret cannot be kept or found.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretsError {
    #[error("the secret {0} does not exist")]
    Missing(String),
    #[error("the secret {0} exists already; update it with PUT")]
    Exists(String),
    #[error("\"{0}\" cannot name a secret: letters, digits, -, _ and ., at most 253, not beginning with a dot")]
    Name(String),
    #[error("a secret may have at most 1 MiB")]
    TooLarge,
    #[error("rawValue is not base64")]
    Encoding,
    #[error("cannot access the secret file {}", .path.display())]
    Io { path: PathBuf, source: std::io::Error },
}

pub(crate) struct Secrets {
    /// Holds a directory for each namespace.
    root: PathBuf,
    /// Looking and writing belong together.
    writing: Mutex<()>,
}

impl Secrets {
    pub(crate) fn open(data_dir: &Path) -> Result<Self, SecretsError> {
        let root = data_dir.join("secrets");
        let at = |source| SecretsError::Io { path: root.clone(), source };
        make(&root)?;
        // The engine needs an absolute path for its mounts.
        let root = root.canonicalize().map_err(at)?;
        fs::set_permissions(&root, Permissions::from_mode(0o700))
            .map_err(|source| SecretsError::Io { path: root.clone(), source })?;
        Ok(Self { root, writing: Mutex::default() })
    }

    pub(crate) fn create(&self, namespace: &str, secret: &Secret) -> Result<(), SecretsError> {
        let _writing = self.writing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let path = self.path(namespace, &secret.name)?;
        if path.exists() {
            return Err(SecretsError::Exists(secret.name.clone()));
        }
        write(&path, secret)
    }

    pub(crate) fn update(&self, namespace: &str, secret: &Secret) -> Result<(), SecretsError> {
        let _writing = self.writing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let path = self.path(namespace, &secret.name)?;
        if !path.exists() {
            return Err(SecretsError::Missing(secret.name.clone()));
        }
        write(&path, secret)
    }

    pub(crate) fn delete(&self, namespace: &str, name: &str) -> Result<(), SecretsError> {
        let path = self.path(namespace, name)?;
        match fs::remove_file(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(SecretsError::Missing(name.to_owned())),
            other => other.map_err(|source| SecretsError::Io { path, source }),
        }
    }

    /// All names in a namespace, sorted.
    pub(crate) fn names(&self, namespace: &str) -> Result<Vec<String>, SecretsError> {
        let dir = self.root.join(namespace);
        let entries = match fs::read_dir(&dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(SecretsError::Io { path: dir, source }),
        };
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()).filter(|name| valid(name)).collect();
        names.sort();
        Ok(names)
    }

    /// The files of these secrets, and a stamp that changes when one of them is written anew.
    pub(crate) fn files(
        &self,
        namespace: &str,
        names: &[String],
    ) -> Result<(Vec<(String, PathBuf)>, String), SecretsError> {
        let mut files = Vec::new();
        let mut stamp = String::new();
        for name in names {
            let path = self.path(namespace, name)?;
            let meta = fs::metadata(&path).map_err(|_| SecretsError::Missing(name.clone()))?;
            let written =
                meta.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
            // The clock of file times is coarse; but a file never takes the inode of the one it replaces.
            stamp.push_str(&format!("{name}@{}.{};", written.as_nanos(), meta.ino()));
            files.push((name.clone(), path));
        }
        Ok((files, stamp))
    }

    /// Forgets a namespace that has no secrets; one that has some is left as it is.
    pub(crate) fn forget(&self, namespace: &str) {
        // Not empty, or never made: either way nothing is lost.
        let _ = fs::remove_dir(self.root.join(namespace));
    }

    /// The namespace is one that exists, so it is a name and no path.
    fn path(&self, namespace: &str, name: &str) -> Result<PathBuf, SecretsError> {
        if valid(name) { Ok(self.root.join(namespace).join(name)) } else { Err(SecretsError::Name(name.to_owned())) }
    }
}

fn make(dir: &Path) -> Result<(), SecretsError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|source| SecretsError::Io { path: dir.to_owned(), source })
}

fn write(path: &Path, secret: &Secret) -> Result<(), SecretsError> {
    let value = value(secret)?;
    if value.expose_secret().len() > MAX_VALUE {
        return Err(SecretsError::TooLarge);
    }
    let dir = path.parent().unwrap_or(Path::new("."));
    make(dir)?;
    let put = || {
        // The dot keeps a file that a crash left behind out of the list.
        let mut file = tempfile::Builder::new().prefix(".").tempfile_in(dir)?;
        file.write_all(value.expose_secret())?;
        file.as_file().set_permissions(Permissions::from_mode(0o444))?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        fs::File::open(dir)?.sync_all()
    };
    put().map_err(|source| SecretsError::Io { path: path.to_owned(), source })
}

fn value(secret: &Secret) -> Result<SecretSlice<u8>, SecretsError> {
    if secret.raw_value.is_empty() {
        return Ok(secret.value.clone().into_bytes().into());
    }
    STANDARD.decode(&secret.raw_value).map(Into::into).map_err(|_| SecretsError::Encoding)
}

fn valid(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !name.is_empty() && name.len() <= MAX_NAME && !name.starts_with('.') && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NS: &str = "openfaas-fn";

    fn secret(name: &str, value: &str) -> Secret {
        Secret { name: name.to_owned(), value: value.to_owned(), ..Secret::default() }
    }

    #[test]
    fn a_secret_is_created_updated_and_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let secrets = Secrets::open(dir.path()).unwrap();
        secrets.create(NS, &secret("key", "one")).unwrap();
        assert!(matches!(secrets.create(NS, &secret("key", "x")), Err(SecretsError::Exists(_))));
        let (files, stamp) = secrets.files(NS, &["key".to_owned()]).unwrap();
        assert_eq!(fs::read_to_string(&files[0].1).unwrap(), "one");
        assert_eq!(fs::metadata(&files[0].1).unwrap().permissions().mode() & 0o777, 0o444);
        let raw = Secret { raw_value: STANDARD.encode([0, 255]), ..secret("key", "ignored") };
        secrets.update(NS, &raw).unwrap();
        assert_eq!(fs::read(&files[0].1).unwrap(), [0, 255]);
        assert_ne!(secrets.files(NS, &["key".to_owned()]).unwrap().1, stamp);
        assert_eq!(secrets.names(NS).unwrap(), ["key"]);
        assert!(secrets.names("other").unwrap().is_empty());
        assert!(matches!(secrets.delete("other", "key"), Err(SecretsError::Missing(_))));
        secrets.delete(NS, "key").unwrap();
        assert!(matches!(secrets.delete(NS, "key"), Err(SecretsError::Missing(_))));
        assert!(matches!(secrets.update(NS, &secret("key", "x")), Err(SecretsError::Missing(_))));
    }

    #[test]
    fn names_cannot_leave_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let secrets = Secrets::open(dir.path()).unwrap();
        for name in ["", ".", "..", "../x", "a/b", ".hidden", "a b", &"x".repeat(254)] {
            assert!(matches!(secrets.create(NS, &secret(name, "v")), Err(SecretsError::Name(_))), "{name}");
        }
        assert!(matches!(secrets.create(NS, &secret("a", &"x".repeat(MAX_VALUE + 1))), Err(SecretsError::TooLarge)));
        assert!(secrets.names(NS).unwrap().is_empty());
    }
}
