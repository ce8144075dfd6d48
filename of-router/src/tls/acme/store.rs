//! The account's key and the certificates, on disk.

use std::fs::{DirBuilder, File};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use url::Url;

use crate::tls::host::Name;

const ACCOUNT: &str = "account.json";

/// One folder per authority, so that a certificate for trying out is never taken for a real one. Only its owner can
/// read it.
#[derive(Debug)]
pub(super) struct Store {
    folder: PathBuf,
}

impl Store {
    /// Makes the folder if need be.
    pub(super) fn open(storage: &Path, directory: &Url) -> std::io::Result<Self> {
        let digest = Sha256::digest(directory.as_str());
        let short: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
        let folder = storage.join(format!("{}-{short}", directory.host_str().unwrap_or("authority")));
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        // Found out now and not with the first certificate in hand.
        tempfile::NamedTempFile::new_in(&folder)?;
        Ok(Self { folder })
    }

    pub(super) fn account(&self) -> std::io::Result<Option<String>> {
        read(&self.folder.join(ACCOUNT))
    }

    pub(super) fn keep_account(&self, text: &str) -> std::io::Result<()> {
        self.write(ACCOUNT, text)
    }

    pub(super) fn put_account_aside(&self) -> std::io::Result<()> {
        match std::fs::rename(self.folder.join(ACCOUNT), self.folder.join("account.old.json")) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// The key and the chain for `name`, in one text: what is replaced is replaced together.
    pub(super) fn certificate(&self, name: &Name) -> std::io::Result<Option<String>> {
        read(&self.folder.join(file_name(name)))
    }

    pub(super) fn keep_certificate(&self, name: &Name, text: &str) -> std::io::Result<()> {
        self.write(&file_name(name), text)
    }

    /// The names that there are certificates for.
    pub(super) fn names(&self) -> std::io::Result<Vec<Name>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let file = entry?.file_name();
            let stem = file.to_str().and_then(|file| file.strip_suffix(".pem"));
            names.extend(stem.and_then(|stem| stem.replacen("_.", "*.", 1).parse::<Name>().ok()));
        }
        Ok(names)
    }

    /// Whoever reads sees the old text or the new one, whatever happens in between. The file is made with mode 0600.
    fn write(&self, file: &str, text: &str) -> std::io::Result<()> {
        let mut new = tempfile::NamedTempFile::new_in(&self.folder)?;
        new.write_all(text.as_bytes())?;
        new.as_file().sync_all()?;
        new.persist(self.folder.join(file))?;
        File::open(&self.folder)?.sync_all()
    }
}

/// Names are checked when they are made, so none leaves the folder.
fn file_name(name: &Name) -> String {
    format!("{}.pem", name.to_string().replacen('*', "_", 1))
}

fn read(path: &Path) -> std::io::Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn what_is_kept_is_its_owner_s_alone_and_comes_back() {
        let storage = tempfile::tempdir().unwrap();
        let url = Url::parse("https://ca.example.com/directory").unwrap();
        let store = Store::open(storage.path(), &url).unwrap();
        assert_eq!(store.account().unwrap(), None);
        store.keep_account("{}").unwrap();
        let wildcard: Name = "*.example.com".parse().unwrap();
        store.keep_certificate(&wildcard, "old").unwrap();
        store.keep_certificate(&wildcard, "new").unwrap();
        let again = Store::open(storage.path(), &url).unwrap();
        assert_eq!(again.account().unwrap().as_deref(), Some("{}"));
        assert_eq!(again.certificate(&wildcard).unwrap().as_deref(), Some("new"));
        assert_eq!(again.names().unwrap(), [wildcard]);
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&store.folder), 0o700);
        for entry in std::fs::read_dir(&store.folder).unwrap() {
            assert_eq!(mode(&entry.unwrap().path()), 0o600);
        }
        let staging = Url::parse("https://ca.example.com/staging").unwrap();
        assert!(Store::open(storage.path(), &staging).unwrap().names().unwrap().is_empty());
        store.put_account_aside().unwrap();
        store.put_account_aside().unwrap();
        assert_eq!(store.account().unwrap(), None);
    }
}
