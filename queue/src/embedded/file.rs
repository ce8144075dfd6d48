//! The file: taking its lock, checking it, making its tables, and bringing an older format up to date.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};

use crate::call::DEFAULT_QUEUE;
use crate::error::QueueError;
use crate::options::{Limits, Options};

pub(super) const NAME: &str = "queue.db";
/// Written to the file's header, so that another program's file is not taken for ours.
const APPLICATION_ID: i64 = 0x4f46_5155;
const FORMAT: i64 = 2;
/// A process that was just killed gives up its lock at once; one that closes needs a moment.
const LOCK_WAIT: Duration = Duration::from_secs(2);
/// The write-ahead log is cut back to this after a burst.
const JOURNAL_LIMIT: i64 = 64 << 20;
/// Negative: in KiB. The default of 2 MiB does not hold the indexes of a long queue.
const CACHE_KIB: i64 = -(16 << 10);

/// `state`: 0 waits, 1 runs, 2 is dead. `fingerprint` is unique among the living only, so that a dead letter does
/// not swallow a later call. Contents have a table of their own, because a change of state rewrites the whole row.
/// `body_file` names the file of a body that is too large for the table.
const TABLES: &str = "
CREATE TABLE calls (
    id INTEGER PRIMARY KEY,
    queue TEXT NOT NULL,
    function TEXT NOT NULL,
    call_id TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
    body_file TEXT,
    body_bytes INTEGER NOT NULL,
    state INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    available_at INTEGER NOT NULL,
    lease_until INTEGER NOT NULL,
    enqueued_at INTEGER NOT NULL,
    died_at INTEGER,
    status INTEGER,
    reason TEXT
) STRICT;
CREATE TABLE contents (
    id INTEGER PRIMARY KEY,
    head BLOB NOT NULL,
    body BLOB NOT NULL
) STRICT;
";
const INDEXES: &str = "
CREATE UNIQUE INDEX calls_once ON calls(function, fingerprint) WHERE state < 2;
CREATE INDEX calls_due ON calls(queue, function, available_at, id) WHERE state = 0;
CREATE INDEX calls_leased ON calls(lease_until) WHERE state = 1;
CREATE INDEX calls_dead ON calls(id) WHERE state = 2;
CREATE INDEX calls_by_call_id ON calls(call_id) WHERE state < 2;
";
/// Format 1 knew one queue, one namespace, and no bodies outside the table.
const FROM_1: &str = "
ALTER TABLE calls RENAME TO calls_1;
ALTER TABLE contents RENAME TO contents_1;
DROP INDEX calls_once;
DROP INDEX calls_due;
DROP INDEX calls_leased;
DROP INDEX calls_dead;
";

/// The write-ahead log beside a file.
pub(super) fn log_of(file: &Path) -> PathBuf {
    let mut log = file.as_os_str().to_owned();
    log.push("-wal");
    log.into()
}

/// An open queue file.
pub(crate) struct File {
    pub(super) connection: Connection,
    pub(super) path: PathBuf,
    pub(super) limits: Limits,
    lease: Duration,
}

impl File {
    pub(super) fn open(path: &Path, options: &Options) -> Result<Self, QueueError> {
        close_to_others(path);
        let mut connection = Connection::open(path).map_err(|source| QueueError::opening(path, source))?;
        prepare(&mut connection, path, &options.former_namespace)?;
        Ok(Self { connection, path: path.to_owned(), limits: options.limits, lease: options.lease })
    }

    pub(super) fn lease(&self) -> Duration {
        self.lease
    }
}

/// What callers sent is for nobody else on this machine to read. The log beside the file gets the rights of the file.
fn close_to_others(path: &Path) {
    // What cannot be made is explained when it is opened.
    let _ = fs::OpenOptions::new().create(true).append(true).mode(0o600).open(path);
    // Those of an earlier release were open to all; and mostly there is no log.
    for file in [path, &log_of(path)] {
        match fs::set_permissions(file, fs::Permissions::from_mode(0o600)) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            // A file system may know no rights: then the queue is as open as its directory, which has to be known.
            Err(error) => {
                tracing::warn!(file = %file.display(), %error, "What callers queued cannot be closed to other users.");
            }
        }
    }
}

/// Takes the lock for good, checks the file and makes or renews its tables.
fn prepare(connection: &mut Connection, path: &Path, former_namespace: &str) -> Result<(), QueueError> {
    let opening = |source| QueueError::opening(path, source);
    connection.busy_timeout(LOCK_WAIT).map_err(opening)?;
    // Exclusive before WAL: then the index of the log lives in memory and no second process can join.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE").map_err(opening)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(opening)?;
    // In WAL mode, NORMAL may lose the last commits with the power; a promised call must not.
    connection.pragma_update(None, "synchronous", "FULL").map_err(opening)?;
    connection.pragma_update(None, "journal_size_limit", JOURNAL_LIMIT).map_err(opening)?;
    connection.pragma_update(None, "cache_size", CACHE_KIB).map_err(opening)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(opening)?;
    let verdict: String = transaction.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(opening)?;
    if verdict != "ok" {
        return Err(QueueError::Damaged { path: path.to_owned(), detail: verdict });
    }
    match kind(&transaction).map_err(opening)? {
        Kind::New => {
            transaction.execute_batch(TABLES).map_err(opening)?;
            transaction.execute_batch(INDEXES).map_err(opening)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(opening)?;
        }
        Kind::Ours(1) => renew(&transaction, former_namespace).map_err(opening)?,
        Kind::Ours(FORMAT) => {}
        Kind::Ours(found) => return Err(QueueError::Format { path: path.to_owned(), found, expected: FORMAT }),
        Kind::Foreign => {
            let detail = "it is another program's database".to_owned();
            return Err(QueueError::Damaged { path: path.to_owned(), detail });
        }
    }
    transaction.pragma_update(None, "user_version", FORMAT).map_err(opening)?;
    transaction.commit().map_err(opening)
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

/// Into tables of their own, because the rows would otherwise keep the order and the leftovers of the old ones.
fn renew(transaction: &Transaction<'_>, former_namespace: &str) -> rusqlite::Result<()> {
    transaction.execute_batch(FROM_1)?;
    transaction.execute_batch(TABLES)?;
    transaction.execute(
        "INSERT INTO calls (id, queue, function, call_id, fingerprint, body_bytes, state, attempts, available_at, \
         lease_until, enqueued_at, died_at, status, reason) SELECT id, ?1, function || '.' || ?2, call_id, \
         fingerprint, coalesce((SELECT length(body) FROM contents_1 WHERE contents_1.id = calls_1.id), 0), state, \
         attempts, available_at, lease_until, enqueued_at, died_at, status, reason FROM calls_1",
        [DEFAULT_QUEUE, former_namespace],
    )?;
    transaction.execute("INSERT INTO contents (id, head, body) SELECT id, head, body FROM contents_1", [])?;
    transaction.execute_batch("DROP TABLE calls_1; DROP TABLE contents_1;")?;
    transaction.execute_batch(INDEXES)?;
    let calls: i64 = transaction.query_row("SELECT count(*) FROM calls", [], |row| row.get(0))?;
    tracing::info!(calls, "The queue file was brought to its present format.");
    Ok(())
}
