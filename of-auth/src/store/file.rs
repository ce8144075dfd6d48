//! The file: making it for its owner alone, taking its lock, checking it, making its tables.

use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

use super::StoreError;

/// The file's name in the data directory.
pub(super) const NAME: &str = "auth.db";
/// Written to the file's header, so that another program's file is not taken for ours.
const APPLICATION_ID: i64 = 0x4f46_4155;
const FORMAT: i64 = 1;
/// A process that was just killed gives up its lock at once; one that ends needs a moment.
const LOCK_WAIT: Duration = Duration::from_secs(5);
const TABLES: &str = include_str!("tables.sql");

pub(super) fn open(folder: &Path) -> Result<Connection, StoreError> {
    let path = folder.join(NAME);
    make_private(folder, &path).map_err(|cause| StoreError::Folder { path: folder.to_owned(), cause })?;
    let failed = |cause: rusqlite::Error| match cause.sqlite_error_code() {
        Some(rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt) => {
            StoreError::Damaged { path: path.clone(), detail: cause.to_string() }
        }
        _ => StoreError::Open { path: path.clone(), cause },
    };
    let mut connection = Connection::open(&path).map_err(failed)?;
    settings(&connection).map_err(failed)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed)?;
    let verdict: String = transaction.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0)).map_err(failed)?;
    if verdict != "ok" {
        return Err(StoreError::Damaged { path, detail: verdict });
    }
    match kind(&transaction).map_err(failed)? {
        Kind::New => make(&transaction).map_err(failed)?,
        Kind::Ours(FORMAT) => {}
        Kind::Ours(found) => return Err(StoreError::Format { path, found, known: FORMAT }),
        Kind::Foreign => {
            return Err(StoreError::Damaged { path, detail: "it is another program's database".to_owned() });
        }
    }
    transaction.commit().map_err(failed)?;
    Ok(connection)
}

/// SQLite gives the files beside it the same permissions.
fn make_private(folder: &Path, path: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))
}

fn settings(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(LOCK_WAIT)?;
    // Exclusive before WAL: then the index of the log lives in memory and no second process can join.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // A revocation must not be lost with the power.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // What was deleted is overwritten: a login's secrets do not stay in free pages.
    connection.pragma_update(None, "secure_delete", true)
}

enum Kind {
    New,
    Ours(i64),
    Foreign,
}

fn kind(transaction: &Transaction<'_>) -> rusqlite::Result<Kind> {
    let number = |name: &str| transaction.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
    let any: Option<i64> =
        transaction.query_row("SELECT 1 FROM sqlite_schema LIMIT 1", [], |row| row.get(0)).optional()?;
    Ok(match (any, number("application_id")?, number("user_version")?) {
        (None, 0, 0) => Kind::New,
        (_, APPLICATION_ID, format) => Kind::Ours(format),
        _ => Kind::Foreign,
    })
}

fn make(transaction: &Transaction<'_>) -> rusqlite::Result<()> {
    transaction.execute_batch(TABLES)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", FORMAT)
}
