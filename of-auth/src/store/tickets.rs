//! Tickets, by which a browser that has signed in gets a session at another host. Each counts once.

use rusqlite::{OptionalExtension, Transaction, params};

use super::{Store, StoreError, bound};

/// How long a browser may take from one host to the other, in seconds.
const LIFETIME: u64 = 60;
/// More tickets at once push out the oldest.
const MOST: usize = 10_000;

/// What a ticket is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) sid: String,
    pub(crate) host: String,
    pub(crate) path: String,
    /// The SHA-256, in hexadecimal digits, of the nonce in the browser's `login` cookie.
    pub(crate) bind: String,
    pub(crate) created: u64,
}

impl Store {
    /// Keeps a ticket, of which this is the hash.
    pub(crate) async fn keep_ticket(&self, hash: [u8; 32], ticket: Ticket) -> Result<(), StoreError> {
        self.run(move |file| {
            file.execute(
                "INSERT INTO tickets (ticket, sid, host, path, bind, created) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![hash, ticket.sid, ticket.host, ticket.path, ticket.bind, ticket.created],
            )?;
            bound(file, "tickets", MOST).map(drop)
        })
        .await
    }

    /// Takes a ticket out, so that it counts once.
    pub(crate) async fn take_ticket(&self, hash: [u8; 32], now: u64) -> Result<Option<Ticket>, StoreError> {
        let taken = self
            .run(move |file| {
                file.query_row("DELETE FROM tickets WHERE ticket = ?1 RETURNING *", [hash], |row| {
                    Ok(Ticket {
                        sid: row.get("sid")?,
                        host: row.get("host")?,
                        path: row.get("path")?,
                        bind: row.get("bind")?,
                        created: row.get("created")?,
                    })
                })
                .optional()
            })
            .await?;
        Ok(taken.filter(|ticket| now < ticket.created.saturating_add(LIFETIME)))
    }
}

pub(super) fn sweep(file: &Transaction<'_>, now: u64) -> rusqlite::Result<()> {
    file.execute("DELETE FROM tickets WHERE created <= ?1", [now.saturating_sub(LIFETIME)]).map(drop)
}
