//! Logins under way at a provider. Each ends once.

use rusqlite::{OptionalExtension, Transaction, params};

use super::{Store, StoreError, bound};

/// How long somebody may take at the provider, in seconds.
const LIFETIME: u64 = 600;
/// More logins at once push out the oldest.
const MOST: usize = 10_000;

/// A login under way.
#[derive(Debug, Clone)]
pub(crate) struct PendingLogin {
    /// The hash of the browser's `state` cookie.
    pub(crate) browser: [u8; 32],
    /// The provider's name.
    pub(crate) provider: String,
    /// What the provider needs to end it, as JSON.
    pub(crate) pending: String,
    /// Where it is to lead.
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) bind: String,
    pub(crate) created: u64,
}

impl Store {
    /// Keeps a login until its `state`, of which this is the hash, comes back.
    pub(crate) async fn keep_login(&self, state: [u8; 32], login: PendingLogin) -> Result<(), StoreError> {
        self.run(move |file| {
            file.execute(
                "INSERT INTO logins (state, browser, provider, pending, host, path, bind, created) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                params![
                    state,
                    login.browser,
                    login.provider,
                    login.pending,
                    login.host,
                    login.path,
                    login.bind,
                    login.created
                ],
            )?;
            bound(file, "logins", MOST).map(drop)
        })
        .await
    }

    /// Takes a login out, so that the same `state` counts once.
    pub(crate) async fn take_login(&self, state: [u8; 32], now: u64) -> Result<Option<PendingLogin>, StoreError> {
        let taken = self
            .run(move |file| {
                file.query_row("DELETE FROM logins WHERE state = ?1 RETURNING *", [state], |row| {
                    Ok(PendingLogin {
                        browser: row.get("browser")?,
                        provider: row.get("provider")?,
                        pending: row.get("pending")?,
                        host: row.get("host")?,
                        path: row.get("path")?,
                        bind: row.get("bind")?,
                        created: row.get("created")?,
                    })
                })
                .optional()
            })
            .await?;
        Ok(taken.filter(|login| now < login.created.saturating_add(LIFETIME)))
    }
}

pub(super) fn sweep(file: &Transaction<'_>, now: u64) -> rusqlite::Result<()> {
    file.execute("DELETE FROM logins WHERE created <= ?1", [now.saturating_sub(LIFETIME)]).map(drop)
}
