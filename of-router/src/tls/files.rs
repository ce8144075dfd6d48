//! Certificates that somebody else puts into files, and changes at any time.

use std::collections::BTreeMap;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustls::crypto::CryptoProvider;
use sdk::failure::chain;

use super::certificate::{Certificate, CertificateError};
use super::host::Name;
use super::settings::Files;

/// A larger file is taken for a mistake.
const MAX_BYTES: u64 = 1 << 20;

/// Why a pair of files gives no certificate.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// A file cannot be read.
    #[error("{0} cannot be read")]
    Unreadable(PathBuf, #[source] std::io::Error),
    /// A file is too large to hold a certificate or a key.
    #[error("{0} is larger than 1 MiB")]
    TooLarge(PathBuf),
    /// What the files hold is of no use.
    #[error("{0} with its key is not usable")]
    Unusable(PathBuf, #[source] CertificateError),
    /// A file in the folder is named after a host that its certificate does not name.
    #[error("{file} has a certificate that is not for {name}")]
    Misnamed {
        /// The certificate's file.
        file: PathBuf,
        /// What its name says.
        name: Name,
    },
}

impl FileError {
    /// True if it is about what the configuration names itself, and not about one file in a folder.
    pub(super) fn is_about(&self, places: &Files) -> bool {
        let file = match self {
            Self::Unreadable(file, _) | Self::TooLarge(file) | Self::Unusable(file, _) => file,
            Self::Misnamed { file, .. } => file,
        };
        let pair = places.pair.as_ref().is_some_and(|(certificate, key)| certificate == file || key == file);
        pair || places.folder.as_ref() == Some(file)
    }
}

/// What tells a changed file from an unchanged one.
type Mark = (u64, i64, i64, u64);

/// A certificate's file and its key's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Pair {
    certificate: PathBuf,
    key: PathBuf,
    /// The name that the certificate has to be good for.
    name: Option<Name>,
}

#[derive(Debug, Default)]
struct Loaded {
    marks: Option<[Option<Mark>; 2]>,
    certificate: Option<Arc<Certificate>>,
}

/// All pairs of files, as they were when last looked at.
#[derive(Debug)]
pub(super) struct FileCertificates {
    places: Files,
    pairs: BTreeMap<Pair, Loaded>,
}

impl FileCertificates {
    pub(super) fn new(places: Files) -> Self {
        Self { places, pairs: BTreeMap::new() }
    }

    /// Reads what has changed. A pair that is wrong keeps its last certificate, and is an error in the answer once per change.
    pub(super) fn look(&mut self, provider: &CryptoProvider, now: SystemTime) -> (bool, Vec<FileError>) {
        let (pairs, mut errors) = self.listed();
        let before = self.pairs.len();
        // A pair that was taken out of the folder is not served any longer; one that was only named in the
        // configuration is kept, since its being gone is an error.
        self.pairs.retain(|pair, _| pairs.contains(pair) || !errors.is_empty());
        let mut changed = before != self.pairs.len();
        for pair in pairs {
            let loaded = self.pairs.entry(pair.clone()).or_default();
            let marks = Some([mark(&pair.certificate), mark(&pair.key)]);
            if loaded.marks == marks {
                continue;
            }
            loaded.marks = marks;
            match read_pair(&pair, provider, now) {
                Ok(certificate) => {
                    loaded.certificate = Some(Arc::new(certificate));
                    changed = true;
                }
                Err(error) => errors.push(error),
            }
        }
        (changed, errors)
    }

    /// The certificates that can be used.
    pub(super) fn certificates(&self) -> Vec<Arc<Certificate>> {
        self.pairs.values().filter_map(|loaded| loaded.certificate.clone()).collect()
    }

    fn listed(&self) -> (Vec<Pair>, Vec<FileError>) {
        let one = self.places.pair.iter().map(|(certificate, key)| Pair {
            certificate: certificate.clone(),
            key: key.clone(),
            name: None,
        });
        let mut pairs: Vec<_> = one.collect();
        let Some(folder) = &self.places.folder else { return (pairs, vec![]) };
        match in_folder(folder) {
            Ok(more) => {
                pairs.extend(more);
                (pairs, vec![])
            }
            Err(error) => (pairs, vec![FileError::Unreadable(folder.clone(), error)]),
        }
    }
}

/// The pairs `<host>.crt` and `<host>.key` in a folder.
fn in_folder(folder: &Path) -> std::io::Result<Vec<Pair>> {
    let mut pairs = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let certificate = entry?.path();
        let name = certificate.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if certificate.extension().is_some_and(|extension| extension == "crt") {
            if name.is_none() {
                tracing::debug!(file = %certificate.display(), "a file that is not named after a host is passed over");
                continue;
            }
            pairs.push(Pair { key: certificate.with_extension("key"), certificate, name });
        }
    }
    pairs.sort();
    Ok(pairs)
}

fn mark(path: &Path) -> Option<Mark> {
    let of = |data: Metadata| (data.ino(), data.ctime(), data.ctime_nsec(), data.len());
    std::fs::metadata(path).ok().map(of)
}

fn read_pair(pair: &Pair, provider: &CryptoProvider, now: SystemTime) -> Result<Certificate, FileError> {
    let unusable = |error| FileError::Unusable(pair.certificate.clone(), error);
    let (certificate, key) = (read(&pair.certificate)?, read(&pair.key)?);
    let certificate = Certificate::from_pem(&certificate, &key, provider, now).map_err(unusable)?;
    match &pair.name {
        Some(name) if !certificate.names.contains(name) && !covers(&certificate, name) => {
            Err(FileError::Misnamed { file: pair.certificate.clone(), name: name.clone() })
        }
        _ => Ok(certificate),
    }
}

fn covers(certificate: &Certificate, name: &Name) -> bool {
    matches!(name, Name::Exactly(host) if certificate.covers(host))
}

fn read(path: &Path) -> Result<Vec<u8>, FileError> {
    let unreadable = |error| FileError::Unreadable(path.to_owned(), error);
    if std::fs::metadata(path).map_err(unreadable)?.len() > MAX_BYTES {
        return Err(FileError::TooLarge(path.to_owned()));
    }
    std::fs::read(path).map_err(unreadable)
}

/// Writes down what is wrong with files that worked before.
pub(super) fn complain(errors: &[FileError]) {
    for error in errors {
        tracing::error!(
            cause = chain(error),
            "a certificate's file is passed over, and the last good one stays in use"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tls::certificate::tests::pem;

    fn put(folder: &Path, name: &str, hosts: &[&str]) {
        let (chain, key) = pem(hosts);
        std::fs::write(folder.join(format!("{name}.crt")), chain).unwrap();
        std::fs::write(folder.join(format!("{name}.key")), key).unwrap();
    }

    fn look(files: &mut FileCertificates) -> (bool, Vec<String>) {
        let (changed, errors) = files.look(&rustls::crypto::aws_lc_rs::default_provider(), SystemTime::now());
        (changed, errors.iter().map(|error| chain(error).to_string()).collect())
    }

    fn names(files: &FileCertificates) -> Vec<String> {
        files.certificates().iter().map(|certificate| certificate.names[0].to_string()).collect()
    }

    #[test]
    fn a_folder_s_pairs_come_and_go_and_a_bad_one_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let mut files = FileCertificates::new(Files { pair: None, folder: Some(folder.path().to_owned()) });
        put(folder.path(), "a.example.com", &["a.example.com"]);
        put(folder.path(), "*.example.org", &["*.example.org"]);
        std::fs::write(folder.path().join("README.crt"), "passed over").unwrap();
        assert_eq!(look(&mut files), (true, vec![]));
        assert_eq!(names(&files), ["*.example.org", "a.example.com"]);
        assert_eq!(look(&mut files), (false, vec![]), "nothing has changed");

        std::fs::write(folder.path().join("a.example.com.crt"), "garbage").unwrap();
        let (changed, errors) = look(&mut files);
        assert!(!changed && errors[0].contains("a.example.com.crt") && errors[0].contains("no PEM"), "{errors:?}");
        assert_eq!(names(&files).len(), 2, "the last good one stays");
        assert_eq!(look(&mut files), (false, vec![]), "it is said once");

        put(folder.path(), "a.example.com", &["b.example.com"]);
        assert!(look(&mut files).1[0].contains("not for a.example.com"));
        put(folder.path(), "a.example.com", &["a.example.com", "b.example.com"]);
        assert_eq!(look(&mut files), (true, vec![]));

        std::fs::remove_file(folder.path().join("*.example.org.crt")).unwrap();
        assert_eq!(look(&mut files), (true, vec![]));
        assert_eq!(names(&files), ["a.example.com"]);
    }

    #[test]
    fn a_pair_or_a_folder_that_is_gone_is_kept_and_reported() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("certificates");
        std::fs::create_dir(&folder).unwrap();
        put(outer.path(), "one", &["one.example.com"]);
        put(&folder, "a.example.com", &["a.example.com"]);
        let pair = Some((outer.path().join("one.crt"), outer.path().join("one.key")));
        let mut files = FileCertificates::new(Files { pair, folder: Some(folder.clone()) });
        assert_eq!(look(&mut files), (true, vec![]));
        std::fs::remove_file(outer.path().join("one.key")).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        let (changed, errors) = look(&mut files);
        assert!(!changed && errors.len() == 2, "{errors:?}");
        assert_eq!(names(&files).len(), 2);
    }
}
