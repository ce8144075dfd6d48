//! The queue's table and statements. Only the writer thread comes here.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, SecondsFormat};
use http::{HeaderMap, Method};
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use super::call::{Call, NewCall, parse_head};
use super::error::QueueError;
use super::{Claimed, DeadLetter, Enqueued, Limits, Verdict, Want, millis, now_ms};

/// Written to the file's header, so that another program's file is not taken for ours.
const APPLICATION_ID: i64 = 0x4f46_5155;
const FORMAT: i64 = 1;
/// A process that was just killed gives up its lock at once; one that closes needs a moment.
const LOCK_WAIT: Duration = Duration::from_secs(2);
/// The write-ahead log is cut back to this after a burst.
const JOURNAL_LIMIT: i64 = 64 << 20;
/// Reasons are for people; a function's whole error page is not.
const REASON_LIMIT: usize = 2000;

/// `state`: 0 waits, 1 runs, 2 is dead. `fingerprint` is unique among the living only, so that a dead letter does
/// not swallow a later call. Contents have a table of their own, because a change of state rewrites the whole row.
const SCHEMA: &str = "
CREATE TABLE calls (
    id INTEGER PRIMARY KEY,
    function TEXT NOT NULL,
    call_id TEXT NOT NULL,
    fingerprint BLOB NOT NULL,
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
CREATE UNIQUE INDEX calls_once ON calls(function, fingerprint) WHERE state < 2;
CREATE INDEX calls_due ON calls(function, available_at, id) WHERE state = 0;
CREATE INDEX calls_leased ON calls(lease_until) WHERE state = 1;
CREATE INDEX calls_dead ON calls(id) WHERE state = 2;
";

pub(super) struct Store {
    connection: Connection,
    path: PathBuf,
    limits: Limits,
    /// Ids are never used twice within a process, so a late verdict cannot hit a newer call.
    next_id: i64,
    /// Calls that wait or run.
    alive: usize,
}

/// What must be put back if a transaction fails.
#[derive(Clone, Copy)]
pub(super) struct Counters {
    next_id: i64,
    alive: usize,
}

impl Store {
    pub(super) fn open(path: &Path, limits: Limits) -> Result<Self, QueueError> {
        let mut connection = Connection::open(path).map_err(|source| QueueError::opening(path, source))?;
        prepare(&mut connection, path)?;
        let (next_id, alive) = recover(&connection).map_err(|source| QueueError::opening(path, source))?;
        Ok(Self { connection, path: path.to_owned(), limits, next_id, alive })
    }

    pub(super) fn error(&self, source: rusqlite::Error) -> QueueError {
        QueueError::of(&self.path, source)
    }

    pub(super) fn counters(&self) -> Counters {
        Counters { next_id: self.next_id, alive: self.alive }
    }

    pub(super) fn begin(&self) -> rusqlite::Result<()> {
        self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([]).map(drop)
    }

    pub(super) fn commit(&self) -> rusqlite::Result<()> {
        self.connection.prepare_cached("COMMIT")?.execute([]).map(drop)
    }

    pub(super) fn roll_back(&mut self, to: Counters) {
        // A failed commit may have rolled back by itself; then this statement fails, which is as good.
        let _ = self.connection.execute_batch("ROLLBACK");
        self.next_id = to.next_id;
        self.alive = to.alive;
    }

    /// `Ok(Err(_))` refuses this call alone; an outer error fails the whole transaction.
    pub(super) fn enqueue(&mut self, call: &NewCall) -> rusqlite::Result<Result<Enqueued, QueueError>> {
        if self.alive >= self.limits.calls {
            return Ok(Err(QueueError::Full(self.alive)));
        }
        let now = now_ms();
        let inserted = self
            .connection
            .prepare_cached(
                "INSERT INTO calls (id, function, call_id, fingerprint, state, attempts, available_at, lease_until, \
                 enqueued_at) VALUES (?1, ?2, ?3, ?4, 0, 0, ?5, 0, ?5) ON CONFLICT DO NOTHING",
            )?
            .execute(params![self.next_id, call.function, call.call_id, call.fingerprint(), now])?;
        if inserted == 1 {
            self.connection
                .prepare_cached("INSERT INTO contents (id, head, body) VALUES (?1, ?2, ?3)")?
                .execute(params![self.next_id, call.head(), &call.body[..]])?;
        }
        self.next_id += 1;
        self.alive += inserted;
        Ok(Ok(if inserted == 1 { Enqueued::New } else { Enqueued::Known }))
    }

    pub(super) fn claim(&mut self, wants: &[Want], lease: Duration) -> rusqlite::Result<Vec<Claimed>> {
        wants.iter().map(|want| self.claim_one(want, lease)).collect()
    }

    fn claim_one(&mut self, want: &Want, lease: Duration) -> rusqlite::Result<Claimed> {
        let now = now_ms();
        let limit = i64::try_from(want.calls).unwrap_or(i64::MAX);
        let until = now.saturating_add(millis(lease));
        let taken: Vec<(i64, String, u32)> = self
            .connection
            .prepare_cached(
                "UPDATE calls SET state = 1, attempts = attempts + 1, lease_until = ?3 WHERE id IN (SELECT id FROM \
                 calls WHERE function = ?1 AND state = 0 AND available_at <= ?2 ORDER BY available_at, id LIMIT ?4) \
                 RETURNING id, call_id, attempts",
            )?
            .query_map(params![want.function, now, until, limit], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
            .collect::<rusqlite::Result<_>>()?;
        let mut claimed = Vec::with_capacity(taken.len());
        for (id, call_id, attempt) in taken {
            if let Some((method, path, headers, body)) = self.content(id)? {
                let function = want.function.clone();
                claimed.push(Call { id, function, call_id, attempt, method, path, headers, body });
            } else {
                let reason = "the stored request cannot be read".to_owned();
                self.settle(id, attempt, &Verdict::Dead { status: 0, reason })?;
            }
        }
        claimed.sort_by_key(|call| call.id);
        let next = self
            .connection
            .prepare_cached("SELECT min(available_at) FROM calls WHERE function = ?1 AND state = 0")?
            .query_row([&want.function], |row| row.get(0))?;
        Ok(Claimed { function: want.function.clone(), calls: claimed, next })
    }

    /// The stored request, if it can be read.
    fn content(&self, id: i64) -> rusqlite::Result<Option<(Method, String, HeaderMap, Bytes)>> {
        let mut statement = self.connection.prepare_cached("SELECT head, body FROM contents WHERE id = ?1")?;
        let row = statement
            .query_row([id], |row| Ok((parse_head(row.get_ref(0)?.as_blob()?), row.get::<_, Vec<u8>>(1)?)))
            .optional()?;
        Ok(row.and_then(|(head, body)| head.map(|(method, path, headers)| (method, path, headers, body.into()))))
    }

    pub(super) fn settle(&mut self, id: i64, attempt: u32, verdict: &Verdict) -> rusqlite::Result<()> {
        match verdict {
            Verdict::Done => {
                let gone = self
                    .connection
                    .prepare_cached("DELETE FROM calls WHERE id = ?1 AND attempts = ?2 AND state = 1")?
                    .execute(params![id, attempt])?;
                if gone == 1 {
                    self.connection.prepare_cached("DELETE FROM contents WHERE id = ?1")?.execute([id])?;
                }
                self.alive = self.alive.saturating_sub(gone);
            }
            Verdict::Retry { at, status, reason } => {
                self.connection
                    .prepare_cached(
                        "UPDATE calls SET state = 0, available_at = ?3, status = ?4, reason = ?5 \
                         WHERE id = ?1 AND attempts = ?2 AND state = 1",
                    )?
                    .execute(params![id, attempt, at, status, cut(reason)])?;
            }
            Verdict::Released => {
                self.connection
                    .prepare_cached(
                        "UPDATE calls SET state = 0, available_at = ?3, attempts = attempts - 1 \
                         WHERE id = ?1 AND attempts = ?2 AND state = 1",
                    )?
                    .execute(params![id, attempt, now_ms()])?;
            }
            Verdict::Dead { status, reason } => self.bury(id, attempt, *status, reason)?,
        }
        Ok(())
    }

    fn bury(&mut self, id: i64, attempt: u32, status: u16, reason: &str) -> rusqlite::Result<()> {
        let buried = self
            .connection
            .prepare_cached(
                "UPDATE calls SET state = 2, died_at = ?3, status = ?4, reason = ?5 \
                 WHERE id = ?1 AND attempts = ?2 AND state = 1",
            )?
            .execute(params![id, attempt, now_ms(), status, cut(reason)])?;
        self.alive = self.alive.saturating_sub(buried);
        self.forget_oldest_dead()
    }

    fn forget_oldest_dead(&self) -> rusqlite::Result<()> {
        let kept = i64::try_from(self.limits.dead).unwrap_or(i64::MAX);
        let gone: Vec<i64> = self
            .connection
            .prepare_cached("SELECT id FROM calls WHERE state = 2 ORDER BY id DESC LIMIT -1 OFFSET ?1")?
            .query_map([kept], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        for id in gone {
            self.connection.prepare_cached("DELETE FROM calls WHERE id = ?1")?.execute([id])?;
            self.connection.prepare_cached("DELETE FROM contents WHERE id = ?1")?.execute([id])?;
        }
        Ok(())
    }

    pub(super) fn extend(&mut self, running: &[i64], lease: Duration) -> rusqlite::Result<Vec<String>> {
        let now = now_ms();
        let until = now.saturating_add(millis(lease));
        let mut extend =
            self.connection.prepare_cached("UPDATE calls SET lease_until = ?2 WHERE id = ?1 AND state = 1")?;
        for id in running {
            extend.execute(params![id, until])?;
        }
        let mut release = self.connection.prepare_cached(
            "UPDATE calls SET state = 0, available_at = ?1 WHERE state = 1 AND lease_until < ?1 RETURNING function",
        )?;
        release.query_map([now], |row| row.get(0))?.collect()
    }

    pub(super) fn waiting(&self) -> rusqlite::Result<Vec<String>> {
        let mut statement = self.connection.prepare_cached("SELECT DISTINCT function FROM calls WHERE state = 0")?;
        statement.query_map([], |row| row.get(0))?.collect()
    }

    pub(super) fn dead(&self, function: Option<&str>, limit: usize) -> rusqlite::Result<Vec<DeadLetter>> {
        let mut statement = self.connection.prepare_cached(
            "SELECT call_id, function, attempts, status, reason, enqueued_at, died_at FROM calls \
             WHERE state = 2 AND (?1 IS NULL OR function = ?1) ORDER BY id DESC LIMIT ?2",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        statement
            .query_map(params![function, limit], |row| {
                Ok(DeadLetter {
                    call_id: row.get(0)?,
                    function: row.get(1)?,
                    attempts: row.get(2)?,
                    status: row.get(3)?,
                    reason: row.get(4)?,
                    enqueued_at: rfc3339(row.get(5)?),
                    died_at: rfc3339(row.get(6)?),
                })
            })?
            .collect()
    }
}

/// Takes the lock for good, checks the file and makes the table in a new one.
fn prepare(connection: &mut Connection, path: &Path) -> Result<(), QueueError> {
    let opening = |source| QueueError::opening(path, source);
    connection.busy_timeout(LOCK_WAIT).map_err(opening)?;
    // Exclusive before WAL: then the index of the log lives in memory and no second process can join.
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE").map_err(opening)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(opening)?;
    // In WAL mode, NORMAL may lose the last commits with the power; a promised call must not.
    connection.pragma_update(None, "synchronous", "FULL").map_err(opening)?;
    connection.pragma_update(None, "journal_size_limit", JOURNAL_LIMIT).map_err(opening)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(opening)?;
    let verdict: String = transaction.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(opening)?;
    if verdict != "ok" {
        return Err(QueueError::Damaged { path: path.to_owned(), detail: verdict });
    }
    let number = |name: &str| transaction.query_row(&format!("PRAGMA {name}"), [], |row| row.get::<_, i64>(0));
    let (id, format) = (number("application_id").map_err(opening)?, number("user_version").map_err(opening)?);
    let any: Option<i64> = transaction
        .query_row("SELECT 1 FROM sqlite_schema LIMIT 1", [], |row| row.get(0))
        .optional()
        .map_err(opening)?;
    match (any, id, format) {
        (None, 0, 0) => {
            transaction.execute_batch(SCHEMA).map_err(opening)?;
            transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(opening)?;
            transaction.pragma_update(None, "user_version", FORMAT).map_err(opening)?;
        }
        (_, APPLICATION_ID, FORMAT) => {}
        (_, APPLICATION_ID, found) => {
            return Err(QueueError::Format { path: path.to_owned(), found, expected: FORMAT });
        }
        _ => {
            let detail = "it is another program's database".to_owned();
            return Err(QueueError::Damaged { path: path.to_owned(), detail });
        }
    }
    transaction.commit().map_err(opening)
}

/// The lock is ours alone, so whatever runs according to the file was the former process's: it waits again, now.
fn recover(connection: &Connection) -> rusqlite::Result<(i64, usize)> {
    connection.execute("UPDATE calls SET state = 0, available_at = ?1 WHERE state = 1", [now_ms()])?;
    let next_id: i64 = connection.query_row("SELECT coalesce(max(id), 0) + 1 FROM calls", [], |row| row.get(0))?;
    let alive: i64 = connection.query_row("SELECT count(*) FROM calls WHERE state < 2", [], |row| row.get(0))?;
    Ok((next_id, usize::try_from(alive).unwrap_or(0)))
}

fn cut(reason: &str) -> &str {
    let mut end = reason.len().min(REASON_LIMIT);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    &reason[..end]
}

fn rfc3339(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).unwrap_or_default().to_rfc3339_opts(SecondsFormat::Millis, true)
}
