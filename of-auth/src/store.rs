//! What has to survive a restart, in one SQLite file that only its owner may read.
//!
//! Sessions, logins under way, tickets, API tokens, logins of command lines and signing keys. All that somebody could
//! use is kept as a hash only, but for the signing keys and what a login needs to end. Each piece of work is one
//! transaction, on a thread that may wait for the disk.

mod devices;
mod file;
mod keys;
mod logins;
mod people;
mod sessions;
mod tickets;
mod tokens;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};

pub(crate) use devices::{Device, LIFETIME as DEVICE_LIFETIME, PAUSE as DEVICE_PAUSE, Polled};
pub(crate) use keys::StoredKey;
pub(crate) use logins::PendingLogin;
use people::forget_people;
pub(crate) use people::subject;
pub(crate) use sessions::{Session, SessionRules, Which};
pub(crate) use tickets::Ticket;
pub(crate) use tokens::{ApiToken, PER_PERSON as TOKENS_PER_PERSON, words};

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// Not even its folder.
    #[error("the folder {path} cannot be used")]
    Folder {
        path: PathBuf,
        #[source]
        cause: std::io::Error,
    },
    /// It cannot be opened, or another process has it.
    #[error("the file of sessions {path} cannot be opened; does another of-auth use it?")]
    Open {
        path: PathBuf,
        #[source]
        cause: rusqlite::Error,
    },
    /// It is not what was written.
    #[error(
        "the file of sessions {path} is damaged or not of-auth's ({detail}): bring a copy back, or remove it, \
         whereupon everybody has to sign in again and all API tokens are gone"
    )]
    Damaged { path: PathBuf, detail: String },
    /// It is from a newer of-auth.
    #[error("the file of sessions {path} is of format {found}, and this of-auth knows formats up to {known}")]
    Format { path: PathBuf, found: i64, known: i64 },
    /// A piece of work failed.
    #[error("the file of sessions does not work")]
    Work(#[from] rusqlite::Error),
    /// The thread that worked is gone.
    #[error("the work on the file of sessions broke off")]
    Broken,
}

/// The open file. Cloning gives the same one.
#[derive(Clone)]
pub(crate) struct Store {
    connection: Arc<Mutex<Connection>>,
}

impl Store {
    /// Opens or makes the file in `folder`, and checks it.
    pub(crate) fn open(folder: &Path) -> Result<Self, StoreError> {
        Ok(Self { connection: Arc::new(Mutex::new(file::open(folder)?)) })
    }

    /// Does a piece of work, wholly or not at all.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let connection = Arc::clone(&self.connection);
        let work = tokio::task::spawn_blocking(move || {
            // A panic within a transaction has rolled it back.
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = work(&transaction)?;
            transaction.commit()?;
            Ok(result)
        });
        work.await.map_err(|_| StoreError::Broken)?
    }

    /// Forgets what is over.
    pub(crate) async fn sweep(&self, now: u64, rules: SessionRules) -> Result<(), StoreError> {
        self.run(move |file| {
            sessions::sweep(file, now, rules)?;
            logins::sweep(file, now)?;
            tickets::sweep(file, now)?;
            tokens::sweep(file, now)?;
            devices::sweep(file, now)?;
            forget_people(file)
        })
        .await
    }
}

/// Leaves the newest `most` rows of a table.
fn bound(file: &Transaction<'_>, table: &str, most: usize) -> rusqlite::Result<usize> {
    let oldest = format!(
        "DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} ORDER BY rowid DESC LIMIT -1 OFFSET ?1)"
    );
    file.execute(&oldest, [i64::try_from(most).unwrap_or(i64::MAX)])
}

#[cfg(test)]
mod tests;
