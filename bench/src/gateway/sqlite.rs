//! The peer of the embedded store: messages in `SQLite` and out again, without HTTP, worker or function.

use std::ops::Range;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use rusqlite::{Connection, params};

use super::load::{CONNECTIONS, message};
use super::messages::Seconds;

/// As durable as the queue: every transaction is on the disk when it ends.
const SCHEMA: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS messages (number INTEGER PRIMARY KEY, body BLOB NOT NULL);";

/// Stores these messages, then removes them. As many share a transaction as are under way in the gateway.
pub(super) fn measure(directory: &Path, numbers: Range<u64>) -> Result<Seconds> {
    let mut file = Connection::open(directory.join("peer.db"))?;
    file.execute_batch(SCHEMA)?;
    let numbers: Vec<u64> = numbers.collect();
    let began = Instant::now();
    for some in numbers.chunks(CONNECTIONS) {
        let transaction = file.transaction()?;
        for number in some {
            let mut insert = transaction.prepare_cached("INSERT INTO messages (number, body) VALUES (?1, ?2)")?;
            insert.execute(params![i64::try_from(*number)?, &message(*number)[..]])?;
        }
        transaction.commit()?;
    }
    let taken = began.elapsed().as_secs_f64();
    for some in numbers.chunks(CONNECTIONS) {
        let transaction = file.transaction()?;
        for number in some {
            let mut delete = transaction.prepare_cached("DELETE FROM messages WHERE number = ?1")?;
            delete.execute([i64::try_from(*number)?])?;
        }
        transaction.commit()?;
    }
    Ok(Seconds { taken, done: began.elapsed().as_secs_f64() })
}
