//! Secrets as files that functions get to see, read-only, under `/var/openfaas/secrets`.
//!
//! They are kept in the data directory, closed to everybody else, and copied into memory for containers to see (see
//! [`mount`]). A running container keeps the value it was started with. A secret may have another name as a file than at
//! the gateway (see [`file_name`]): two secrets of one owner are told apart here, and a function's files by its author.

mod file_name;
mod mount;

use std::collections::BTreeMap;
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

use self::mount::Mount;
pub(crate) use self::mount::{MountError, clear};

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
    #[error(
        "\"{0}\" cannot name a secret's file: letters, digits, -, _ and ., at most 253, not beginning with two dots"
    )]
    FileName(String),
    #[error("the secrets {first} and {second} would both be the file {file}: mount one of them only")]
    SameFile { first: String, second: String, file: String },
    #[error("a secret may have at most 1 MiB")]
    TooLarge,
    #[error("rawValue is not base64")]
    Encoding,
    #[error("cannot access the secret file {}", .path.display())]
    Io { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Mount(#[from] MountError),
}

pub(crate) struct Secrets {
    /// Holds a directory for each namespace.
    root: PathBuf,
    /// `None` where containers see the files themselves: the engine runs in a virtual machine.
    mount: Option<Mount>,
    /// Looking and writing belong together.
    writing: Mutex<()>,
}

impl Secrets {
    /// Opens the directory, and makes the copies in memory that functions of before need.
    pub(crate) fn open(data_dir: &Path, mount_dir: Option<&Path>, instance: &str) -> Result<Self, SecretsError> {
        let root = data_dir.join("secrets");
        let at = |source| SecretsError::Io { path: root.clone(), source };
        make(&root)?;
        // The engine needs an absolute path for its mounts.
        let root = root.canonicalize().map_err(at)?;
        fs::set_permissions(&root, Permissions::from_mode(0o700))
            .map_err(|source| SecretsError::Io { path: root.clone(), source })?;
        let mount = if cfg!(target_os = "linux") { Some(Mount::open(mount_dir, instance)?) } else { None };
        let secrets = Self { root, mount, writing: Mutex::default() };
        secrets.restore()?;
        Ok(secrets)
    }

    /// Makes the copies in memory agree with what is kept: they may be lost, and containers cannot be started without.
    pub(crate) fn restore(&self) -> Result<(), SecretsError> {
        let Some(mount) = &self.mount else { return Ok(()) };
        let _writing = self.writing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let at = |source| SecretsError::Io { path: self.root.clone(), source };
        for namespace in mount::names(&self.root).map_err(at)? {
            for name in self.names(&namespace)? {
                let kept = self.path(&namespace, &name)?;
                mount.copy(&kept, &namespace, &name).map_err(|source| SecretsError::Io { path: kept, source })?;
            }
        }
        mount.weed(|namespace, name| self.path(namespace, name).is_ok_and(|kept| kept.exists())).map_err(at)
    }

    pub(crate) fn create(&self, namespace: &str, secret: &Secret) -> Result<(), SecretsError> {
        let _writing = self.writing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let path = self.path(namespace, &secret.name)?;
        if path.exists() {
            return Err(SecretsError::Exists(secret.name.clone()));
        }
        self.write(&path, namespace, secret, false)
    }

    /// Clients of OpenFaaS do not know of file names: without one, the secret keeps the one it has.
    pub(crate) fn update(&self, namespace: &str, secret: &Secret) -> Result<(), SecretsError> {
        let _writing = self.writing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let path = self.path(namespace, &secret.name)?;
        if !path.exists() {
            return Err(SecretsError::Missing(secret.name.clone()));
        }
        self.write(&path, namespace, secret, true)
    }

    fn write(&self, path: &Path, namespace: &str, secret: &Secret, keep_name: bool) -> Result<(), SecretsError> {
        let value = value(secret)?;
        let (dir, given) = (self.root.join(namespace), secret.file_name.as_str());
        match given {
            "" if keep_name => {}
            "" => file_name::remove(&dir, &secret.name)?,
            given => {
                file_name::check(given)?;
                file_name::put(&dir, &secret.name, given)?;
            }
        }
        put_file(path, value.expose_secret())?;
        self.show(path, namespace, &secret.name).map(drop)
    }

    /// The file that containers are to see.
    fn show(&self, kept: &Path, namespace: &str, name: &str) -> Result<PathBuf, SecretsError> {
        let Some(mount) = &self.mount else { return Ok(kept.to_owned()) };
        let path = mount.path(namespace, name);
        match mount.copy(kept, namespace, name) {
            Ok(()) => Ok(path),
            Err(source) => Err(SecretsError::Io { path, source }),
        }
    }

    pub(crate) fn delete(&self, namespace: &str, name: &str) -> Result<(), SecretsError> {
        let _writing = self.writing.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let path = self.path(namespace, name)?;
        let removed = match fs::remove_file(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(SecretsError::Missing(name.to_owned()));
            }
            Err(source) => Err(source),
            Ok(()) => self.mount.as_ref().map_or(Ok(()), |mount| mount.remove(namespace, name)),
        };
        removed.map_err(|source| SecretsError::Io { path, source })?;
        file_name::remove(&self.root.join(namespace), name)
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

    /// The files of these secrets, by the names that functions see, and a stamp that changes when one of them is written
    /// anew.
    pub(crate) fn files(
        &self,
        namespace: &str,
        names: &[String],
    ) -> Result<(Vec<(String, PathBuf)>, String), SecretsError> {
        let (dir, mut shown) = (self.root.join(namespace), BTreeMap::new());
        let mut files = Vec::new();
        let mut stamp = String::new();
        for name in names {
            let path = self.path(namespace, name)?;
            let meta = fs::metadata(&path).map_err(|_| SecretsError::Missing(name.clone()))?;
            let written =
                meta.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
            // The clock of file times is coarse; but a file never takes the inode of the one it replaces.
            stamp.push_str(&format!("{name}@{}.{};", written.as_nanos(), meta.ino()));
            let file = file_name::of(&dir, name)?;
            if let Some(first) = shown.insert(file.clone(), name.clone()) {
                return Err(SecretsError::SameFile { first, second: name.clone(), file });
            }
            files.push((file, self.show(&path, namespace, name)?));
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

/// Replaces a file, or makes it. Whole or not at all, whatever happens.
fn put_file(path: &Path, content: &[u8]) -> Result<(), SecretsError> {
    let dir = path.parent().unwrap_or(Path::new("."));
    make(dir)?;
    let put = || {
        // The dot keeps a file that a crash left behind out of the list.
        let mut file = tempfile::Builder::new().prefix(".").tempfile_in(dir)?;
        file.write_all(content)?;
        // Containers of earlier releases see these files themselves, and run as any user.
        file.as_file().set_permissions(Permissions::from_mode(0o444))?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        fs::File::open(dir)?.sync_all()
    };
    put().map_err(|source| SecretsError::Io { path: path.to_owned(), source })
}

fn value(secret: &Secret) -> Result<SecretSlice<u8>, SecretsError> {
    let value: SecretSlice<u8> = match secret.raw_value.as_str() {
        "" => secret.value.clone().into_bytes().into(),
        raw => STANDARD.decode(raw).map_err(|_| SecretsError::Encoding)?.into(),
    };
    if value.expose_secret().len() > MAX_VALUE { Err(SecretsError::TooLarge) } else { Ok(value) }
}

fn valid(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    !name.is_empty() && name.len() <= MAX_NAME && !name.starts_with('.') && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With its copies in a directory of the test's own, which has to be in memory.
    fn open(dir: &Path) -> (Secrets, tempfile::TempDir) {
        let memory = tempfile::tempdir_in("/dev/shm").unwrap();
        (Secrets::open(dir, Some(memory.path()), "0123abcd").unwrap(), memory)
    }

    const NS: &str = "openfaas-fn";

    fn secret(name: &str, value: &str) -> Secret {
        Secret { name: name.to_owned(), value: value.to_owned(), ..Secret::default() }
    }

    #[test]
    fn a_secret_is_created_updated_and_deleted() {
        let dir = tempfile::tempdir().unwrap();
        let (secrets, memory) = open(dir.path());
        secrets.create(NS, &secret("key", "one")).unwrap();
        assert!(matches!(secrets.create(NS, &secret("key", "x")), Err(SecretsError::Exists(_))));
        let (files, stamp) = secrets.files(NS, &["key".to_owned()]).unwrap();
        assert_eq!(fs::read_to_string(&files[0].1).unwrap(), "one");
        assert!(files[0].1.starts_with(memory.path()), "what containers see is in memory");
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
    fn functions_see_a_secret_under_the_name_of_its_file() {
        let dir = tempfile::tempdir().unwrap();
        let (secrets, memory) = open(dir.path());
        let named = |name: &str, file: &str| Secret { file_name: file.to_owned(), ..secret(name, file) };
        let seen = |secrets: &Secrets, names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            let files = secrets.files(NS, &names).map(|(files, _)| files);
            files.map(|files| files.into_iter().map(|(name, _)| name).collect::<Vec<_>>())
        };
        secrets.create(NS, &named("alice-db.password", "password")).unwrap();
        secrets.create(NS, &secret("plain", "x")).unwrap();
        let both = ["alice-db.password", "plain"];
        assert_eq!(seen(&secrets, &both).unwrap(), ["password", "plain"]);
        assert_eq!(secrets.names(NS).unwrap(), both);
        drop(secrets);
        let secrets = Secrets::open(dir.path(), Some(memory.path()), "0123abcd").unwrap();
        assert_eq!(seen(&secrets, &both).unwrap(), ["password", "plain"], "it is kept");
        let stamp = |secrets: &Secrets| secrets.files(NS, &["alice-db.password".to_owned()]).unwrap().1;
        let before = stamp(&secrets);
        secrets.update(NS, &secret("alice-db.password", "by a client that knows no file names")).unwrap();
        assert_eq!(seen(&secrets, &both).unwrap(), ["password", "plain"]);
        secrets.update(NS, &named("alice-db.password", ".pgpass")).unwrap();
        assert_eq!(seen(&secrets, &both).unwrap(), [".pgpass", "plain"]);
        assert_ne!(stamp(&secrets), before, "a function that is deployed again gets it");
        secrets.update(NS, &named("alice-db.password", "plain")).unwrap();
        let clash = seen(&secrets, &both).unwrap_err().to_string();
        assert_eq!(
            clash,
            "the secrets alice-db.password and plain would both be the file plain: mount one of them only"
        );
        for name in both {
            secrets.delete(NS, name).unwrap();
        }
        secrets.forget(NS);
        assert!(!dir.path().join("secrets").join(NS).exists(), "nothing is left of a namespace");
        secrets.create(NS, &secret("alice-db.password", "x")).unwrap();
        assert_eq!(seen(&secrets, &["alice-db.password"]).unwrap(), ["alice-db.password"], "a new one is itself");
    }

    #[test]
    fn a_files_name_cannot_leave_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let (secrets, _memory) = open(dir.path());
        secrets.create(NS, &Secret { file_name: "good".to_owned(), ..secret("key", "v") }).unwrap();
        for file in [".", "..", "...", "..data", "../x", "a/b", "/etc/passwd", "a b", "a\0", "\u{e4}", &"x".repeat(254)]
        {
            let bad = Secret { file_name: file.to_owned(), ..secret("key", "changed") };
            assert!(matches!(secrets.update(NS, &bad), Err(SecretsError::FileName(_))), "{file}");
            let bad = Secret { name: "other".to_owned(), ..bad };
            assert!(matches!(secrets.create(NS, &bad), Err(SecretsError::FileName(_))), "{file}");
        }
        let (files, _) = secrets.files(NS, &["key".to_owned()]).unwrap();
        assert_eq!((files[0].0.as_str(), fs::read(&files[0].1).unwrap()), ("good", b"v".to_vec()), "nothing changed");
        assert_eq!(secrets.names(NS).unwrap(), ["key"]);
        // Whoever can write there may as well write values; but what is damaged is not mounted somewhere else.
        let kept = dir.path().join("secrets").join(NS).join(".files/key");
        fs::remove_file(&kept).unwrap();
        fs::write(&kept, "../../etc/passwd").unwrap();
        assert!(matches!(secrets.files(NS, &["key".to_owned()]), Err(SecretsError::FileName(_))));
    }

    #[test]
    fn copies_that_are_lost_come_back_and_those_of_nothing_go() {
        let dir = tempfile::tempdir().unwrap();
        let (secrets, memory) = open(dir.path());
        secrets.create(NS, &secret("key", "one")).unwrap();
        secrets.create(NS, &secret("other", "two")).unwrap();
        let shown = |name: &str| memory.path().join("of-gateway-0123abcd").join(NS).join(name);
        fs::remove_dir_all(memory.path().join("of-gateway-0123abcd")).unwrap();
        secrets.files(NS, &["key".to_owned()]).unwrap();
        assert!(shown("key").exists() && !shown("other").exists(), "a deployment needs its own");
        secrets.restore().unwrap();
        assert_eq!(fs::read(shown("other")).unwrap(), b"two");
        fs::remove_file(dir.path().join("secrets").join(NS).join("other")).unwrap();
        drop(secrets);
        Secrets::open(dir.path(), Some(memory.path()), "0123abcd").unwrap();
        assert!(shown("key").exists() && !shown("other").exists());
    }

    #[test]
    fn names_cannot_leave_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let (secrets, _memory) = open(dir.path());
        for name in ["", ".", "..", "../x", "a/b", ".hidden", "a b", &"x".repeat(254)] {
            assert!(matches!(secrets.create(NS, &secret(name, "v")), Err(SecretsError::Name(_))), "{name}");
        }
        assert!(matches!(secrets.create(NS, &secret("a", &"x".repeat(MAX_VALUE + 1))), Err(SecretsError::TooLarge)));
        assert!(secrets.names(NS).unwrap().is_empty());
    }
}
