//! The stage's sealing keys: a folder that is read again when it changes, or a bundle that is there from the start.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use sdk::{Invalid, Reader};
use sealed_secrets::{Keyring, KeyringError};
use secrecy::ExposeSecret;

/// The keys as they are now. Cloning shares them.
#[derive(Clone)]
pub(crate) struct Keys(Arc<Source>);

enum Source {
    Bundle(Arc<Keyring>),
    Folder { path: PathBuf, known: Mutex<Known> },
}

struct Known {
    stamp: Stamp,
    ring: Arc<Keyring>,
}

/// What the files of a folder are told apart by.
type Stamp = Vec<(PathBuf, Option<SystemTime>, u64)>;

impl Keys {
    /// Reads `sealing_directory`, a folder of `*.pem`; without it the secret `sealing-keys`, which has them all.
    ///
    /// # Errors
    /// When there is no key, or one is not usable; the reader knows which.
    pub(crate) fn read(r: &Reader<'_>) -> Result<Self, Invalid> {
        if let Some(folder) = r.optional::<PathBuf>("sealing_directory")? {
            return Self::folder(folder).map_err(|error| r.invalid("sealing_directory", sdk::failure::chain(&error)));
        }
        let Some(bundle) = r.optional_secret("sealing-keys") else {
            return Err(r.invalid("sealing_directory", "is not set, and there is no secret sealing-keys instead"));
        };
        Keyring::from_pem(bundle.expose_secret())
            .map(|ring| Self(Arc::new(Source::Bundle(Arc::new(ring)))))
            .map_err(|error| r.invalid("sealing-keys", format!("is not usable: {}", sdk::failure::chain(&error))))
    }

    fn folder(path: PathBuf) -> Result<Self, KeyringError> {
        let stamp = stamp(&path);
        let known = Known { ring: Arc::new(Keyring::from_dir(&path)?), stamp };
        Ok(Self(Arc::new(Source::Folder { path, known: Mutex::new(known) })))
    }

    /// The keys. Reads files where something has changed, so it belongs on a thread that may block.
    pub(crate) fn ring(&self) -> Arc<Keyring> {
        match &*self.0 {
            Source::Bundle(ring) => Arc::clone(ring),
            Source::Folder { path, known } => {
                let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
                known.refresh(path);
                Arc::clone(&known.ring)
            }
        }
    }
}

impl Known {
    /// A folder that is not usable for a moment leaves the last good keys in force.
    fn refresh(&mut self, path: &Path) {
        let stamp = stamp(path);
        if stamp == self.stamp {
            return;
        }
        match Keyring::from_dir(path) {
            Ok(ring) => self.ring = Arc::new(ring),
            Err(error) => {
                let error = sdk::failure::chain(&error);
                tracing::error!(error, "The sealing keys changed and are not usable; the last good ones stay in force");
            }
        }
        // Also after a failure, which is said once and not at every import.
        self.stamp = stamp;
    }
}

fn stamp(path: &Path) -> Stamp {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let mut stamp: Stamp = entries
        .filter_map(|entry| {
            let about = entry.metadata().ok()?;
            Some((entry.path(), about.modified().ok(), about.len()))
        })
        .collect();
    stamp.sort();
    stamp
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{TimeDelta, Utc};
    use sealed_secrets::KeyPair;

    fn pair(hours_ago: i64) -> KeyPair {
        KeyPair::generate(Utc::now() - TimeDelta::hours(hours_ago), TimeDelta::days(3650)).unwrap()
    }

    #[test]
    fn a_new_key_is_seen_and_a_broken_one_leaves_the_last_good_ones() {
        let folder = tempfile::tempdir().unwrap();
        let (old, new) = (pair(2), pair(1));
        std::fs::write(folder.path().join("1.pem"), old.to_pem().expose_secret()).unwrap();
        let keys = Keys::folder(folder.path().to_owned()).unwrap();
        assert_eq!(keys.ring().newest(), old.certificate());
        std::fs::write(folder.path().join("2.pem"), new.to_pem().expose_secret()).unwrap();
        assert_eq!(keys.ring().newest(), new.certificate());
        assert_eq!(keys.ring().certificates().len(), 2);
        std::fs::write(folder.path().join("3.pem"), "no key").unwrap();
        assert_eq!(keys.ring().newest(), new.certificate());
        std::fs::remove_dir_all(folder.path()).unwrap();
        assert_eq!(keys.ring().certificates().len(), 2);
    }

    #[test]
    fn without_keys_nothing_starts() {
        let problem = |vars: &[(&str, &str)], secrets: &[(&str, &str)]| {
            let env = sdk::Env::from_map(vars.iter().copied(), secrets.iter().copied());
            let r = env.reader();
            assert!(Keys::read(&r).is_err());
            r.finish().unwrap_err().to_string()
        };
        assert!(
            problem(&[], &[]).contains("sealing_directory is not set, and there is no secret sealing-keys instead")
        );
        assert!(problem(&[("sealing_directory", "/nowhere")], &[]).contains("/nowhere cannot be read"));
        assert!(problem(&[], &[("sealing-keys", "hunter2")]).contains("sealing-keys is not usable"));
        assert!(!problem(&[], &[("sealing-keys", "hunter2")]).contains("hunter2"));
    }
}
