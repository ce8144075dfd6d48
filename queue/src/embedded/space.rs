//! What the calls of one transaction may still take of the disk.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::file::log_of;
use crate::disk::Disk;

/// For the rows and indexes of a call, besides what it carries.
const ROWS: u64 = 4096;

pub(super) struct Space {
    disk: Disk,
    /// The write-ahead log beside the file.
    log: PathBuf,
    /// Measured when the transaction's first call comes.
    left: Option<u64>,
}

impl Space {
    pub(super) fn of(file: &Path) -> Self {
        let directory = file.parent().unwrap_or(Path::new("."));
        Self { disk: Disk::of(directory), log: log_of(file), left: None }
    }

    /// The next transaction measures anew.
    pub(super) fn forget(&mut self) {
        self.left = None;
    }

    /// Whether a call that carries so much may come in.
    pub(super) fn take(&mut self, connection: &Connection, bytes: usize) -> rusqlite::Result<bool> {
        let left = match self.left {
            Some(left) => left,
            None => self.measure(connection)?,
        };
        let rest = left.checked_sub(ROWS + bytes as u64);
        self.left = Some(rest.unwrap_or(left));
        Ok(rest.is_some())
    }

    fn measure(&self, connection: &Connection) -> rusqlite::Result<u64> {
        let pragma =
            |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0).map(i64::unsigned_abs));
        let unused = pragma("freelist_count")?.saturating_mul(pragma("page_size")?);
        let log = std::fs::metadata(&self.log).map_or(0, |about| about.len());
        Ok(self.disk.room_in_store(unused, log))
    }
}
