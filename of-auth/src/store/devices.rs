//! Logins of command lines (RFC 8628): asked for on one machine, confirmed in a browser, fetched once.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension, Row, Transaction, params};
use session::protocol::Scope;

use super::tokens::{self, ApiToken, words};
use super::{Store, StoreError, bound};

/// How long somebody may take to confirm, in seconds.
pub(crate) const LIFETIME: u64 = 600;
/// The pause between two questions of a command line, in seconds. It grows by as much for who does not keep it.
pub(crate) const PAUSE: u64 = 5;
/// More at once push out the oldest.
const MOST: usize = 1000;

/// A command line that wants an API token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Device {
    /// What its user types into the browser.
    pub(crate) code: String,
    /// What the token is to be called.
    pub(crate) name: String,
    pub(crate) scopes: BTreeSet<Scope>,
    /// The address that asked.
    pub(crate) client: String,
    pub(crate) expires: u64,
}

/// How far one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DeviceState {
    Waiting,
    Granted,
    Denied,
}

/// What a command line is told that asks for its token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Polled {
    /// No such login, or its time is over.
    Expired,
    /// It asks too often: from now on, this many seconds between two questions.
    SlowDown(u64),
    /// Nobody has confirmed yet.
    Pending,
    /// Somebody has said no.
    Denied,
    /// The person has too many tokens.
    TooMany,
    /// The token counts from now on.
    Token(ApiToken),
}

impl Store {
    /// Keeps a device's wish, of whose device code this is the hash. False if its user code is taken.
    pub(crate) async fn keep_device(&self, hash: [u8; 32], device: Device) -> Result<bool, StoreError> {
        self.run(move |file| {
            let sql = "INSERT INTO devices (device, code, name, scopes, client, expires, pause, polled, state) \
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, 0) ON CONFLICT DO NOTHING";
            let scopes = words(&device.scopes);
            let kept = file
                .execute(sql, params![hash, device.code, device.name, scopes, device.client, device.expires, PAUSE])?;
            bound(file, "devices", MOST)?;
            Ok(kept == 1)
        })
        .await
    }

    /// The device that waits under a user code.
    pub(crate) async fn device(&self, code: &str, now: u64) -> Result<Option<Device>, StoreError> {
        let code = code.to_owned();
        self.run(move |file| {
            let sql = "SELECT * FROM devices WHERE code = ?1 AND state = 0 AND expires > ?2";
            file.query_row(sql, params![code, now], read).optional()
        })
        .await
    }

    /// Says yes or no to the device that waits under a user code; `None` if there is none any more.
    pub(crate) async fn decide_device(
        &self,
        code: &str,
        subject: &str,
        granted: bool,
        now: u64,
    ) -> Result<Option<Device>, StoreError> {
        let (code, subject) = (code.to_owned(), subject.to_owned());
        self.run(move |file| {
            let state = if granted { 1 } else { 2 };
            let sql = "UPDATE devices SET state = ?3, subject = ?4 \
                       WHERE code = ?1 AND state = 0 AND expires > ?2 RETURNING *";
            file.query_row(sql, params![code, now, state, subject], read).optional()
        })
        .await
    }

    /// Answers a device that asks; `token` (of whose text `token_hash` is the hash) is kept if it is given out.
    pub(crate) async fn poll_device(
        &self,
        hash: [u8; 32],
        now: u64,
        token_hash: [u8; 32],
        token: ApiToken,
    ) -> Result<Polled, StoreError> {
        self.run(move |file| poll(file, hash, now, token_hash, token)).await
    }
}

fn poll(
    file: &Transaction<'_>,
    hash: [u8; 32],
    now: u64,
    token_hash: [u8; 32],
    token: ApiToken,
) -> rusqlite::Result<Polled> {
    let sql = "SELECT * FROM devices WHERE device = ?1";
    let found = file.query_row(sql, [hash], |row| {
        let state = match row.get::<_, i64>("state")? {
            0 => DeviceState::Waiting,
            1 => DeviceState::Granted,
            _ => DeviceState::Denied,
        };
        let subject: Option<String> = row.get("subject")?;
        Ok((read(row)?, row.get::<_, u64>("pause")?, row.get::<_, u64>("polled")?, state, subject))
    });
    let Some((device, pause, polled, state, subject)) = found.optional()? else { return Ok(Polled::Expired) };
    if device.expires <= now {
        return Ok(Polled::Expired);
    }
    if now < polled.saturating_add(pause) {
        let pause = pause + PAUSE;
        file.execute("UPDATE devices SET pause = ?2, polled = ?3 WHERE device = ?1", params![hash, pause, now])?;
        return Ok(Polled::SlowDown(pause));
    }
    file.execute("UPDATE devices SET polled = ?2 WHERE device = ?1", params![hash, now])?;
    match (state, subject) {
        (DeviceState::Waiting, _) => return Ok(Polled::Pending),
        (DeviceState::Granted, Some(subject)) => {
            file.execute("DELETE FROM devices WHERE device = ?1", [hash])?;
            let token = ApiToken { subject, name: device.name, scopes: device.scopes, ..token };
            let kept = tokens::keep(file, token_hash, &token)?;
            return Ok(if kept { Polled::Token(token) } else { Polled::TooMany });
        }
        (DeviceState::Granted | DeviceState::Denied, _) => {}
    }
    file.execute("DELETE FROM devices WHERE device = ?1", [hash])?;
    Ok(Polled::Denied)
}

pub(super) fn sweep(file: &Transaction<'_>, now: u64) -> rusqlite::Result<()> {
    file.execute("DELETE FROM devices WHERE expires <= ?1", [now]).map(drop)
}

fn read(row: &Row<'_>) -> rusqlite::Result<Device> {
    Ok(Device {
        code: row.get("code")?,
        name: row.get("name")?,
        scopes: tokens::scopes(&row.get::<_, String>("scopes")?),
        client: row.get("client")?,
        expires: row.get("expires")?,
    })
}
