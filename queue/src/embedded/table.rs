//! The queue's statements. Only the writer thread comes here.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::file::File;
use super::space::Space;
use super::writer::Asked;
use crate::bodies::{Bodies, Body, BodyName};
use crate::call::{Call, Head, Lane, NewCall, Ticket};
use crate::error::QueueError;
use crate::letters::cut;
use crate::options::Limits;
use crate::statistics::{Counters, Counts};
use crate::store::{Cancelled, Claimed, Enqueued, Swept, Verdict, Want};
use crate::time::{millis, now_ms};

pub(super) struct Table {
    pub(super) connection: Connection,
    path: PathBuf,
    space: Space,
    pub(super) limits: Limits,
    bodies: Arc<Bodies>,
    /// Ids are never used twice within a process, so a late verdict cannot hit a newer call.
    next_id: i64,
    /// Calls that wait or run.
    pub(super) alive: usize,
    pub(super) dead: usize,
    /// Whether a transaction is open.
    open: bool,
    pub(super) effects: Effects,
}

/// What others learn once the transaction is committed.
#[derive(Default)]
pub(super) struct Effects {
    pub(super) enqueued: Vec<Lane>,
    pub(super) counts: Vec<(Lane, Counts)>,
}

/// What must be put back if a transaction fails.
#[derive(Clone, Copy)]
pub(super) struct Mark {
    next_id: i64,
    alive: usize,
    dead: usize,
}

impl Table {
    /// The lock is ours alone, so whatever runs according to the file was the former process's: it waits again, now.
    pub(super) fn over(file: File, bodies: Arc<Bodies>, counters: &Counters) -> Result<Self, QueueError> {
        let File { connection, path, limits, .. } = file;
        let opening = |source| QueueError::opening(&path, source);
        let all = recover(&connection).map_err(opening)?;
        let next_id = connection.query_row("SELECT coalesce(max(id), 0) + 1 FROM calls", [], |row| row.get(0));
        let sum = |of: fn(&Counts) -> i64| all.iter().map(|(_, counts)| usize::try_from(of(counts)).unwrap_or(0)).sum();
        let (alive, dead) = (sum(|counts| counts.waiting), sum(|counts| counts.dead));
        let next_id = next_id.map_err(opening)?;
        counters.add(all);
        let (space, effects) = (Space::of(&path), Effects::default());
        Ok(Self { connection, path, space, limits, bodies, next_id, alive, dead, open: false, effects })
    }

    pub(super) fn error(&self, source: rusqlite::Error) -> QueueError {
        QueueError::of(&self.path, source)
    }

    pub(super) fn mark(&self) -> Mark {
        Mark { next_id: self.next_id, alive: self.alive, dead: self.dead }
    }

    /// Begins a transaction, unless one is open.
    pub(super) fn begin(&mut self) -> rusqlite::Result<()> {
        if !self.open {
            self.connection.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
            self.open = true;
            self.space.forget();
        }
        Ok(())
    }

    pub(super) fn commit(&mut self) -> rusqlite::Result<()> {
        if self.open {
            self.connection.prepare_cached("COMMIT")?.execute([])?;
            self.open = false;
        }
        Ok(())
    }

    pub(super) fn roll_back(&mut self, to: Mark) {
        // A failed commit may have rolled back by itself; then this statement fails, which is as good.
        let _ = self.connection.execute_batch("ROLLBACK");
        self.open = false;
        self.next_id = to.next_id;
        self.alive = to.alive;
        self.dead = to.dead;
        self.effects = Effects::default();
    }

    pub(super) fn take_effects(&mut self) -> Effects {
        std::mem::take(&mut self.effects)
    }

    pub(super) fn count(&mut self, lane: Lane, change: Counts) {
        self.effects.counts.push((lane, change));
    }

    pub(super) fn enqueue(&mut self, call: &NewCall) -> Asked<Enqueued> {
        if self.alive >= self.limits.calls {
            return Ok(Err(QueueError::Full(self.alive)));
        }
        let NewCall { head, body, fingerprint } = call;
        let (encoded, inlined) = (head.encode(), body.inlined());
        if !self.space.take(&self.connection, encoded.len() + inlined.len())? {
            return Ok(Err(QueueError::DiskFull(self.path.clone())));
        }
        let Lane { queue, function } = &head.lane;
        let (file, length) = (body.name().map(BodyName::as_str), i64::try_from(body.length()).unwrap_or(i64::MAX));
        let inserted = self
            .connection
            .prepare_cached(
                "INSERT INTO calls (id, queue, function, call_id, fingerprint, body_file, body_bytes, state, attempts, \
                 available_at, lease_until, enqueued_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, 0, ?8, 0, ?8) \
                 ON CONFLICT DO NOTHING",
            )?
            .execute(params![self.next_id, queue, function, head.call_id, fingerprint.0, file, length, now_ms()])?;
        if inserted == 0 {
            return Ok(Ok(Enqueued::Known));
        }
        self.connection
            .prepare_cached("INSERT INTO contents (id, head, body) VALUES (?1, ?2, ?3)")?
            .execute(params![self.next_id, encoded, &inlined[..]])?;
        self.next_id += 1;
        self.alive += 1;
        self.count(head.lane.clone(), Counts::waiting(1));
        if self.effects.enqueued.last() != Some(&head.lane) {
            self.effects.enqueued.push(head.lane.clone());
        }
        Ok(Ok(Enqueued::New))
    }

    pub(super) fn claim(&mut self, wants: &[Want], lease: Duration) -> rusqlite::Result<Swept<Vec<Claimed>>> {
        let mut swept = Swept::<Vec<Claimed>>::default();
        for want in wants {
            let Swept { value, bodies } = self.claim_one(want, lease)?;
            swept.value.push(value);
            swept.bodies.extend(bodies);
        }
        Ok(swept)
    }

    fn claim_one(&mut self, want: &Want, lease: Duration) -> rusqlite::Result<Swept<Claimed>> {
        let now = now_ms();
        let Lane { queue, function } = &want.lane;
        let limit = i64::try_from(want.calls).unwrap_or(i64::MAX);
        let until = now.saturating_add(millis(lease));
        let taken: Vec<Taken> = self
            .connection
            .prepare_cached(
                "UPDATE calls SET state = 1, attempts = attempts + 1, lease_until = ?4 WHERE id IN (SELECT id FROM \
                 calls WHERE queue = ?1 AND function = ?2 AND state = 0 AND available_at <= ?3 \
                 ORDER BY available_at, id LIMIT ?5) RETURNING id, call_id, attempts, body_file, body_bytes",
            )?
            .query_map(params![queue, function, now, until, limit], Taken::read)?
            .collect::<rusqlite::Result<_>>()?;
        let moved = i64::try_from(taken.len()).unwrap_or(i64::MAX);
        if moved > 0 {
            self.count(want.lane.clone(), Counts::waiting(-moved).and(Counts::running(moved)));
        }
        let (mut calls, mut bodies) = (Vec::with_capacity(taken.len()), Vec::new());
        for taken in taken {
            let ticket = Ticket { id: taken.id.unsigned_abs(), attempt: taken.attempt };
            match self.content(&want.lane, taken)? {
                Some((head, body)) => calls.push(Call { ticket, head, body }),
                None => {
                    let reason = "the stored request cannot be read".to_owned();
                    bodies.extend(self.settle(ticket, &Verdict::Dead { status: 0, reason })?);
                }
            }
        }
        calls.sort_by_key(|call| call.ticket.id);
        let next = self
            .connection
            .prepare_cached("SELECT min(available_at) FROM calls WHERE queue = ?1 AND function = ?2 AND state = 0")?
            .query_row(params![queue, function], |row| row.get(0))?;
        Ok(Swept { value: Claimed { lane: want.lane.clone(), calls, next }, bodies })
    }

    /// The stored request, if it can be read.
    fn content(&self, lane: &Lane, taken: Taken) -> rusqlite::Result<Option<(Head, Body)>> {
        let Taken { id, call_id, file, length, .. } = taken;
        let mut statement = self.connection.prepare_cached("SELECT head, body FROM contents WHERE id = ?1")?;
        let read = |row: &Row<'_>| {
            let head = Head::decode(lane.clone(), call_id, row.get_ref(0)?.as_blob()?);
            Ok((head, Bytes::from(row.get::<_, Vec<u8>>(1)?)))
        };
        let Some((Some(head), inline)) = statement.query_row([id], read).optional()? else { return Ok(None) };
        let body = match file {
            None => Some(Body::inline(inline)),
            Some(file) => BodyName::parse(&file).map(|name| self.bodies.body(&name, length)),
        };
        Ok(body.map(|body| (head, body)))
    }

    pub(super) fn settle(&mut self, ticket: Ticket, verdict: &Verdict) -> rusqlite::Result<Vec<BodyName>> {
        let id = i64::try_from(ticket.id).unwrap_or(i64::MAX);
        match verdict {
            Verdict::Done => self.end(id, ticket.attempt),
            Verdict::Retry { at, status, reason } => {
                let sets = "state = 0, available_at = ?3, status = ?4, reason = ?5";
                let values = params![id, ticket.attempt, at, status, cut(reason)];
                self.leave(sets, values, Counts::waiting(1))
            }
            Verdict::Released => {
                let sets = "state = 0, available_at = ?3, attempts = attempts - 1";
                self.leave(sets, params![id, ticket.attempt, now_ms()], Counts::waiting(1))
            }
            Verdict::Dead { status, reason } => {
                let sets = "state = 2, died_at = ?3, status = ?4, reason = ?5";
                let values = params![id, ticket.attempt, now_ms(), status, cut(reason)];
                self.leave(sets, values, Counts::dead(1))
            }
        }
    }

    fn end(&mut self, id: i64, attempt: u32) -> rusqlite::Result<Vec<BodyName>> {
        let gone = self
            .connection
            .prepare_cached(
                "DELETE FROM calls WHERE id = ?1 AND attempts = ?2 AND state = 1 RETURNING queue, function, body_file",
            )?
            .query_row(params![id, attempt], |row| Ok((lane(row)?, row.get::<_, Option<String>>(2)?)))
            .optional()?;
        let Some((lane, file)) = gone else { return Ok(Vec::new()) };
        self.connection.prepare_cached("DELETE FROM contents WHERE id = ?1")?.execute([id])?;
        self.alive = self.alive.saturating_sub(1);
        self.count(lane, Counts::running(-1));
        Ok(body_names(file))
    }

    /// Takes a call out of the running state, if this attempt is still the one that runs.
    fn leave(&mut self, sets: &str, values: &[&dyn rusqlite::ToSql], into: Counts) -> rusqlite::Result<Vec<BodyName>> {
        let sql =
            format!("UPDATE calls SET {sets} WHERE id = ?1 AND attempts = ?2 AND state = 1 RETURNING queue, function");
        let left = self.connection.prepare_cached(&sql)?.query_row(values, lane).optional()?;
        let Some(lane) = left else { return Ok(Vec::new()) };
        self.count(lane, Counts::running(-1).and(into));
        if into.dead == 0 {
            return Ok(Vec::new());
        }
        self.alive = self.alive.saturating_sub(1);
        self.dead += 1;
        if self.dead > self.limits.dead { self.forget_oldest_letters() } else { Ok(Vec::new()) }
    }

    pub(super) fn extend(&mut self, running: &[Ticket], lease: Duration) -> rusqlite::Result<Vec<Lane>> {
        let now = now_ms();
        let until = now.saturating_add(millis(lease));
        let mut extend = self
            .connection
            .prepare_cached("UPDATE calls SET lease_until = ?3 WHERE id = ?1 AND attempts = ?2 AND state = 1")?;
        for ticket in running {
            extend.execute(params![i64::try_from(ticket.id).unwrap_or(i64::MAX), ticket.attempt, until])?;
        }
        drop(extend);
        let released: Vec<Lane> = self
            .connection
            .prepare_cached(
                "UPDATE calls SET state = 0, available_at = ?1 WHERE state = 1 AND lease_until < ?1 \
                 RETURNING queue, function",
            )?
            .query_map([now], lane)?
            .collect::<rusqlite::Result<_>>()?;
        for lane in &released {
            self.count(lane.clone(), Counts::running(-1).and(Counts::waiting(1)));
        }
        let lanes: HashSet<Lane> = released.into_iter().collect();
        Ok(lanes.into_iter().collect())
    }

    pub(super) fn waiting(&self) -> rusqlite::Result<Vec<Lane>> {
        let mut statement =
            self.connection.prepare_cached("SELECT DISTINCT queue, function FROM calls WHERE state = 0")?;
        statement.query_map([], lane)?.collect()
    }

    pub(super) fn cancel(&mut self, call_id: &str) -> rusqlite::Result<Swept<Cancelled>> {
        let mut swept = Swept::<Cancelled>::default();
        let gone: Vec<(Lane, Option<String>, i64)> = self
            .connection
            .prepare_cached(
                "DELETE FROM calls WHERE call_id = ?1 AND state = 0 RETURNING queue, function, body_file, id",
            )?
            .query_map([call_id], |row| Ok((lane(row)?, row.get(2)?, row.get(3)?)))?
            .collect::<rusqlite::Result<_>>()?;
        for (lane, file, id) in gone {
            self.connection.prepare_cached("DELETE FROM contents WHERE id = ?1")?.execute([id])?;
            self.alive = self.alive.saturating_sub(1);
            self.count(lane, Counts::waiting(-1));
            swept.value.removed += 1;
            swept.bodies.extend(body_names(file));
        }
        let mut running =
            self.connection.prepare_cached("SELECT id, attempts FROM calls WHERE call_id = ?1 AND state = 1")?;
        swept.value.running = running
            .query_map([call_id], |row| Ok(Ticket { id: row.get::<_, i64>(0)?.unsigned_abs(), attempt: row.get(1)? }))?
            .collect::<rusqlite::Result<_>>()?;
        Ok(swept)
    }

    pub(super) fn keeps(&self, bodies: Vec<BodyName>) -> rusqlite::Result<HashSet<BodyName>> {
        let mut statement =
            self.connection.prepare_cached("SELECT body_file FROM calls WHERE body_file IS NOT NULL")?;
        let known: HashSet<String> = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        Ok(bodies.into_iter().filter(|name| known.contains(name.as_str())).collect())
    }
}

/// A row that was just claimed.
struct Taken {
    id: i64,
    call_id: String,
    attempt: u32,
    file: Option<String>,
    length: u64,
}

impl Taken {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        let length = row.get::<_, i64>(4)?.unsigned_abs();
        Ok(Self { id: row.get(0)?, call_id: row.get(1)?, attempt: row.get(2)?, file: row.get(3)?, length })
    }
}

/// From a row that begins with queue and function.
pub(super) fn lane(row: &Row<'_>) -> rusqlite::Result<Lane> {
    Ok(Lane { queue: row.get(0)?, function: row.get(1)? })
}

pub(super) fn body_names(file: Option<String>) -> Vec<BodyName> {
    file.as_deref().and_then(BodyName::parse).into_iter().collect()
}

fn recover(connection: &Connection) -> rusqlite::Result<Vec<(Lane, Counts)>> {
    connection.execute("UPDATE calls SET state = 0, available_at = ?1 WHERE state = 1", [now_ms()])?;
    let mut statement =
        connection.prepare("SELECT queue, function, sum(state = 0), sum(state = 2) FROM calls GROUP BY 1, 2")?;
    statement
        .query_map([], |row| Ok((lane(row)?, Counts::waiting(row.get(2)?).and(Counts::dead(row.get(3)?)))))?
        .collect()
}
