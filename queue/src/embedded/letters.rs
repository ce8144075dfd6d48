//! The statements about dead letters.

use rusqlite::{OptionalExtension, Row, ToSql, params};

use super::table::{Table, body_names, lane};
use super::writer::Asked;
use crate::bodies::BodyName;
use crate::call::Lane;
use crate::error::QueueError;
use crate::letters::{DeadLetter, Letters};
use crate::statistics::Counts;
use crate::store::Swept;
use crate::time::{now_ms, rfc3339};

const COLUMNS: &str = "id, call_id, queue, function, attempts, status, reason, body_bytes, enqueued_at, died_at";

/// A dead letter as something is done with it.
struct Letter {
    lane: Lane,
    id: i64,
    file: Option<String>,
}

impl Table {
    pub(super) fn dead(&self, function: Option<&str>, limit: usize) -> rusqlite::Result<Vec<DeadLetter>> {
        let mut statement = self.connection.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM calls WHERE state = 2 AND (?1 IS NULL OR function = ?1) ORDER BY died_at DESC, \
             id DESC LIMIT ?2"
        ))?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        statement.query_map(params![function, limit], read)?.collect()
    }

    pub(super) fn letter(&self, id: u64) -> rusqlite::Result<Option<DeadLetter>> {
        let sql = format!("SELECT {COLUMNS} FROM calls WHERE state = 2 AND id = ?1");
        self.connection.prepare_cached(&sql)?.query_row([number(id)], read).optional()
    }

    pub(super) fn redrive(&mut self, letters: &Letters) -> Asked<Swept<Vec<Lane>>> {
        let chosen = self.chosen(letters)?;
        if self.alive + chosen.len() > self.limits.calls {
            return Ok(Err(QueueError::Full(self.alive)));
        }
        let mut swept = Swept::<Vec<Lane>>::default();
        for letter in chosen {
            let waits = self
                .connection
                .prepare_cached(
                    "UPDATE OR IGNORE calls SET state = 0, attempts = 0, available_at = ?2, died_at = NULL \
                     WHERE id = ?1",
                )?
                .execute(params![letter.id, now_ms()])?;
            self.alive += waits;
            self.dead = self.dead.saturating_sub(waits);
            let waiting = i64::try_from(waits).unwrap_or(0);
            self.count(letter.lane.clone(), Counts::dead(-1).and(Counts::waiting(waiting)));
            swept.value.push(letter.lane);
            if waits == 0 {
                // The same call came in again meanwhile and waits already.
                swept.bodies.extend(self.delete(letter.id, letter.file)?);
            }
        }
        Ok(Ok(swept))
    }

    pub(super) fn discard(&mut self, letters: &Letters) -> rusqlite::Result<Swept<usize>> {
        let chosen = self.chosen(letters)?;
        let mut swept = Swept { value: chosen.len(), bodies: Vec::new() };
        for letter in chosen {
            self.count(letter.lane, Counts::dead(-1));
            swept.bodies.extend(self.delete(letter.id, letter.file)?);
        }
        Ok(swept)
    }

    pub(super) fn forget_oldest_letters(&mut self) -> rusqlite::Result<Vec<BodyName>> {
        let kept = i64::try_from(self.limits.dead).unwrap_or(i64::MAX);
        let oldest = self.select("ORDER BY died_at DESC, id DESC LIMIT -1 OFFSET ?1", &[&kept])?;
        let mut bodies = Vec::new();
        for letter in oldest {
            self.count(letter.lane, Counts::dead(-1));
            bodies.extend(self.delete(letter.id, letter.file)?);
        }
        Ok(bodies)
    }

    fn chosen(&self, letters: &Letters) -> rusqlite::Result<Vec<Letter>> {
        match letters {
            Letters::One(id) => self.select("AND id = ?1", &[&number(*id)]),
            Letters::Of(function) => self.select("AND function = ?1", &[function]),
            Letters::All => self.select("", &[]),
        }
    }

    fn select(&self, which: &str, values: &[&dyn ToSql]) -> rusqlite::Result<Vec<Letter>> {
        let sql = format!("SELECT queue, function, id, body_file FROM calls WHERE state = 2 {which}");
        let mut statement = self.connection.prepare_cached(&sql)?;
        statement
            .query_map(values, |row| Ok(Letter { lane: lane(row)?, id: row.get(2)?, file: row.get(3)? }))?
            .collect()
    }

    fn delete(&mut self, id: i64, file: Option<String>) -> rusqlite::Result<Vec<BodyName>> {
        self.dead = self.dead.saturating_sub(1);
        self.connection.prepare_cached("DELETE FROM calls WHERE id = ?1")?.execute([id])?;
        self.connection.prepare_cached("DELETE FROM contents WHERE id = ?1")?.execute([id])?;
        Ok(body_names(file))
    }
}

fn number(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}

fn read(row: &Row<'_>) -> rusqlite::Result<DeadLetter> {
    Ok(DeadLetter {
        id: row.get::<_, i64>(0)?.unsigned_abs(),
        call_id: row.get(1)?,
        queue: row.get(2)?,
        function: row.get(3)?,
        attempts: row.get(4)?,
        status: row.get(5)?,
        reason: row.get(6)?,
        body_bytes: row.get::<_, i64>(7)?.unsigned_abs(),
        enqueued_at: rfc3339(row.get(8)?),
        died_at: rfc3339(row.get(9)?),
    })
}
