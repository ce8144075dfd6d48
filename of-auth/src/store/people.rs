//! People, as their provider said at their last login.

use rusqlite::{OptionalExtension, Transaction, params};

use super::{Store, StoreError};
use crate::provider::Person;

/// Somebody who has signed in before.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    pub(crate) person: Person,
    /// When the provider said so.
    pub(crate) said: u64,
}

impl Store {
    /// Somebody who has signed in before.
    pub(crate) async fn person(&self, subject: &str) -> Result<Option<Known>, StoreError> {
        let subject = subject.to_owned();
        self.run(move |file| person(file, &subject)).await
    }
}

/// A person's name here: `<host>/<number>`.
pub(crate) fn subject(person: &Person) -> String {
    format!("{}/{}", person.host, person.id)
}

/// Keeps what a provider has just said, for all of the person's sessions and tokens.
pub(crate) fn keep_person(file: &Transaction<'_>, person: &Person, now: u64) -> rusqlite::Result<()> {
    let json = serde_json::to_string(person).map_err(|cause| rusqlite::Error::ToSqlConversionFailure(cause.into()))?;
    file.execute(
        "INSERT INTO people (subject, person, seen) VALUES (?1, ?2, ?3) \
         ON CONFLICT (subject) DO UPDATE SET person = excluded.person, seen = excluded.seen",
        params![subject(person), json, now],
    )
    .map(drop)
}

/// Forgets who has neither a session nor a token.
pub(crate) fn forget_people(file: &Transaction<'_>) -> rusqlite::Result<()> {
    let gone = "DELETE FROM people WHERE subject NOT IN (SELECT subject FROM sessions) \
                AND subject NOT IN (SELECT subject FROM tokens) \
                AND subject NOT IN (SELECT subject FROM devices WHERE subject IS NOT NULL)";
    file.execute(gone, []).map(drop)
}

fn person(file: &Transaction<'_>, subject: &str) -> rusqlite::Result<Option<Known>> {
    let sql = "SELECT person, seen FROM people WHERE subject = ?1";
    let row: Option<(String, u64)> = file.query_row(sql, [subject], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((json, said)) = row else { return Ok(None) };
    let unreadable = |cause: serde_json::Error| {
        rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, cause.into())
    };
    serde_json::from_str(&json).map(|person| Some(Known { person, said })).map_err(unreadable)
}
