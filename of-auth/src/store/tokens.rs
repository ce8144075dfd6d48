//! API tokens, of which only the hash is kept.

use std::collections::BTreeSet;

use rusqlite::{OptionalExtension, Row, Transaction, params};
use session::protocol::Scope;

use super::{Store, StoreError, sessions};

/// A person may have this many.
pub(crate) const PER_PERSON: i64 = 50;
/// How often the time of the last use is written, in seconds.
const USE_NOTED: u64 = 60;
/// How long a router may believe an answer about a token, with room to spare, in seconds.
const REMEMBERED: u64 = 60;

/// An API token, without the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiToken {
    pub(crate) id: String,
    pub(crate) subject: String,
    pub(crate) name: String,
    pub(crate) scopes: BTreeSet<Scope>,
    pub(crate) created: u64,
    pub(crate) used: Option<u64>,
    pub(crate) expires: u64,
}

impl Store {
    /// Keeps a token, of which this is the hash. False if the person has too many.
    pub(crate) async fn keep_token(&self, hash: [u8; 32], token: ApiToken) -> Result<bool, StoreError> {
        self.run(move |file| keep(file, hash, &token)).await
    }

    /// The token of which this is the hash, if it has not expired; its use is noted.
    pub(crate) async fn use_token(&self, hash: [u8; 32], now: u64) -> Result<Option<ApiToken>, StoreError> {
        self.run(move |file| {
            let token = file.query_row("SELECT * FROM tokens WHERE token = ?1", [hash], read).optional()?;
            let Some(token) = token.filter(|token| now < token.expires) else { return Ok(None) };
            if token.used.is_none_or(|used| used.saturating_add(USE_NOTED) <= now) {
                file.execute("UPDATE tokens SET used = ?2 WHERE id = ?1", params![token.id, now])?;
            }
            Ok(Some(token))
        })
        .await
    }

    /// A person's tokens, the newest first.
    pub(crate) async fn tokens(&self, subject: &str, now: u64) -> Result<Vec<ApiToken>, StoreError> {
        let subject = subject.to_owned();
        self.run(move |file| {
            let sql = "SELECT * FROM tokens WHERE subject = ?1 AND expires > ?2 ORDER BY created DESC, rowid DESC";
            file.prepare(sql)?.query_map(params![subject, now], read)?.collect()
        })
        .await
    }

    /// Takes one of a person's tokens back: its name, and until when that has to be known.
    pub(crate) async fn revoke_token(
        &self,
        id: &str,
        subject: &str,
        now: u64,
    ) -> Result<Option<(String, u64)>, StoreError> {
        let (id, subject) = (id.to_owned(), subject.to_owned());
        self.run(move |file| {
            let sql = "DELETE FROM tokens WHERE id = ?1 AND subject = ?2 RETURNING name";
            let name: Option<String> = file.query_row(sql, params![id, subject], |row| row.get(0)).optional()?;
            let until = now.saturating_add(REMEMBERED);
            if name.is_some() {
                sessions::note(file, &id, until)?;
            }
            Ok(name.map(|name| (name, until)))
        })
        .await
    }

    /// Takes back all tokens of a person, or all there are, but `except`, and what command lines wait for with a yes.
    /// Returns them, with the time until which that has to be known.
    pub(crate) async fn revoke_tokens(
        &self,
        of: Option<String>,
        except: &str,
        now: u64,
    ) -> Result<Vec<(String, u64)>, StoreError> {
        let except = except.to_owned();
        self.run(move |file| {
            file.execute("DELETE FROM devices WHERE state = 1 AND (?1 IS NULL OR subject = ?1)", [&of])?;
            let sql = "DELETE FROM tokens WHERE (?1 IS NULL OR subject = ?1) AND id <> ?2 RETURNING id";
            let mut query = file.prepare(sql)?;
            let ids = query.query_map(params![of, except], |row| row.get(0))?;
            let ids: Vec<String> = ids.collect::<rusqlite::Result<_>>()?;
            let until = now.saturating_add(REMEMBERED);
            ids.iter().try_for_each(|id| sessions::note(file, id, until))?;
            Ok(ids.into_iter().map(|id| (id, until)).collect())
        })
        .await
    }
}

pub(super) fn keep(file: &Transaction<'_>, hash: [u8; 32], token: &ApiToken) -> rusqlite::Result<bool> {
    let sql = "SELECT count(*) FROM tokens WHERE subject = ?1 AND expires > ?2";
    let has: i64 = file.query_row(sql, params![token.subject, token.created], |row| row.get(0))?;
    if has >= PER_PERSON {
        return Ok(false);
    }
    file.execute(
        "INSERT INTO tokens (id, token, subject, name, scopes, created, expires) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![token.id, hash, token.subject, token.name, words(&token.scopes), token.created, token.expires],
    )?;
    Ok(true)
}

pub(super) fn sweep(file: &Transaction<'_>, now: u64) -> rusqlite::Result<()> {
    file.execute("DELETE FROM tokens WHERE expires <= ?1", [now]).map(drop)
}

/// Scopes as the words that they are written with.
pub(crate) fn words(scopes: &BTreeSet<Scope>) -> String {
    let word = |scope: &Scope| match scope {
        Scope::Invoke => "invoke",
        Scope::Read => "read",
        Scope::Write => "write",
    };
    scopes.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// The scopes that [`words`] wrote. A word that is not known gives nothing.
pub(super) fn scopes(words: &str) -> BTreeSet<Scope> {
    words.split(' ').filter_map(|word| word.parse().ok()).collect()
}

fn read(row: &Row<'_>) -> rusqlite::Result<ApiToken> {
    Ok(ApiToken {
        id: row.get("id")?,
        subject: row.get("subject")?,
        name: row.get("name")?,
        scopes: scopes(&row.get::<_, String>("scopes")?),
        created: row.get("created")?,
        used: row.get("used")?,
        expires: row.get("expires")?,
    })
}
