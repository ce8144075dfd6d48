//! Signing keys: one that signs, and retired ones whose tokens are not over.

use rusqlite::{Row, Transaction, params};
use secrecy::{ExposeSecret, SecretString};

use super::{Store, StoreError};

/// A key.
#[derive(Debug, Clone)]
pub(crate) struct StoredKey {
    pub(crate) kid: String,
    /// The private half, unless it is an operator's secret.
    pub(crate) pem: Option<SecretString>,
    /// The public half, as JSON.
    pub(crate) public: String,
    pub(crate) created: u64,
    pub(crate) retired: Option<u64>,
}

impl Store {
    /// All keys, the newest first.
    pub(crate) async fn keys(&self) -> Result<Vec<StoredKey>, StoreError> {
        self.run(all).await
    }

    /// Lets `key` sign from `now` on. The ones before it are retired, or gone if they are not to be believed.
    pub(crate) async fn change_key(
        &self,
        key: StoredKey,
        now: u64,
        forget_others: bool,
    ) -> Result<Vec<StoredKey>, StoreError> {
        self.run(move |file| {
            if forget_others {
                file.execute("DELETE FROM keys", [])?;
            }
            file.execute("UPDATE keys SET retired = ?1, pem = NULL WHERE retired IS NULL", [now])?;
            file.execute(
                "INSERT INTO keys (kid, pem, public, created) VALUES (?1, ?2, ?3, ?4) \
                 ON CONFLICT (kid) DO UPDATE SET retired = NULL, pem = excluded.pem, created = excluded.created",
                params![key.kid, key.pem.as_ref().map(|pem| pem.expose_secret()), key.public, key.created],
            )?;
            all(file)
        })
        .await
    }

    /// Forgets keys that were retired before a time. True if there were any.
    pub(crate) async fn forget_keys(&self, before: u64) -> Result<bool, StoreError> {
        self.run(move |file| file.execute("DELETE FROM keys WHERE retired < ?1", [before])).await.map(|gone| gone > 0)
    }
}

fn all(file: &Transaction<'_>) -> rusqlite::Result<Vec<StoredKey>> {
    let sql = "SELECT * FROM keys ORDER BY retired IS NOT NULL, created DESC";
    file.prepare(sql)?.query_map([], read)?.collect()
}

fn read(row: &Row<'_>) -> rusqlite::Result<StoredKey> {
    Ok(StoredKey {
        kid: row.get("kid")?,
        pem: row.get::<_, Option<String>>("pem")?.map(SecretString::from),
        public: row.get("public")?,
        created: row.get("created")?,
        retired: row.get("retired")?,
    })
}
