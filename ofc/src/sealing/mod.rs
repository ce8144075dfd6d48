//! The keys that open sealed secrets: a folder of files, each a private key and its certificate, named after the second in
//! which it was made. Secrets are sealed to the newest. None is ever removed, for each may still be needed.

mod schedule;

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use sealed_secrets::{Certificate, KeyPair, Keyring, KeyringError};
use secrecy::ExposeSecret;

use crate::data_dir::{DataDir, private_dir};
use crate::report::Trouble;
use crate::secrets::write;

pub(crate) use schedule::Schedule;

/// A key is used so long unless the user says otherwise, in days.
pub(crate) const USUAL_DAYS: u32 = 30;

/// The keys of one data directory.
#[derive(Debug, Clone)]
pub(crate) struct SealingKeys {
    folder: PathBuf,
}

impl SealingKeys {
    pub(crate) fn of(data: &DataDir) -> Self {
        Self { folder: data.sealing_keys() }
    }

    /// All keys; nothing where there has never been one.
    ///
    /// # Errors
    /// When one cannot be read or used: without it, secrets would silently not open.
    pub(crate) fn load(&self) -> anyhow::Result<Option<Keyring>> {
        match Keyring::from_dir(&self.folder) {
            Ok(ring) => Ok(Some(ring)),
            Err(KeyringError::Empty) => Ok(None),
            Err(KeyringError::Unreadable(path, cause)) if path == self.folder && is_missing(&cause) => Ok(None),
            Err(cause) => Err(Trouble::new("the sealing keys cannot be used")
                .hint("see `ofc doctor`; `ofc restore` has them from a backup")
                .because(cause)
                .into()),
        }
    }

    /// Makes a new key, which is the newest from then on. Takes some seconds of a processor.
    ///
    /// # Errors
    /// When it cannot be made or written.
    pub(crate) fn make(&self, now: DateTime<Utc>) -> anyhow::Result<Certificate> {
        let pair = KeyPair::generate(now, KeyPair::usual_end(now) - now)?;
        let file = self.free_file(now.timestamp());
        private_dir(&self.folder).and_then(|()| write(&file, pair.to_pem().expose_secret())).map_err(|cause| {
            Trouble::new(format!("the sealing key {} cannot be kept", file.display()))
                .hint("free some disk; the folder must be this user's")
                .because(cause)
        })?;
        let certificate = pair.certificate().clone();
        tracing::info!(fingerprint = certificate.fingerprint(), "A sealing key was made");
        Ok(certificate)
    }

    /// Closes the folder and its files to others, whoever put them there.
    ///
    /// # Errors
    /// When they are not this user's.
    pub(crate) fn close(&self) -> anyhow::Result<()> {
        let closed = private_dir(&self.folder).and_then(|()| {
            for file in self.files()? {
                fs::set_permissions(file, fs::Permissions::from_mode(0o600))?;
            }
            Ok(())
        });
        closed.map_err(|cause| {
            Trouble::new(format!("the sealing keys in {} cannot be closed to others", self.folder.display()))
                .hint("the folder and its files must be this user's")
                .because(cause)
                .into()
        })
    }

    /// The files that others than this user may read or write, and the folder if they may enter it.
    ///
    /// # Errors
    /// When they cannot be listed.
    pub(crate) fn open_to_others(&self) -> io::Result<Vec<PathBuf>> {
        let is_open = |path: &PathBuf| Ok::<_, io::Error>(fs::metadata(path)?.permissions().mode() & 0o077 != 0);
        let mut all = self.files()?;
        all.insert(0, self.folder.clone());
        all.into_iter().filter_map(|path| is_open(&path).map(|open| open.then_some(path)).transpose()).collect()
    }

    fn files(&self) -> io::Result<Vec<PathBuf>> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "pem") {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }

    /// Two keys of one second are both kept.
    fn free_file(&self, second: i64) -> PathBuf {
        let file = |second: i64| self.folder.join(format!("{second}.pem"));
        (second..).map(file).find(|file| !file.exists()).unwrap_or_else(|| file(second))
    }
}

/// Whether a newer key is to be made. One from the future, made while the clock was wrong, waits for its time.
pub(crate) fn is_due(newest: &Certificate, days: u32, now: DateTime<Utc>) -> bool {
    days > 0 && now.signed_duration_since(newest.not_before()) >= TimeDelta::days(days.into())
}

/// How old a key is, as people say it.
pub(crate) fn age(certificate: &Certificate, now: DateTime<Utc>) -> String {
    match now.signed_duration_since(certificate.not_before()).num_days() {
        ..0 => "not yet valid".to_owned(),
        0 => "today".to_owned(),
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

fn is_missing(cause: &io::Error) -> bool {
    cause.kind() == io::ErrorKind::NotFound
}

#[cfg(test)]
mod tests;
