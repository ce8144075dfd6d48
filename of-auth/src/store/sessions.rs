//! Sessions. A session is there as long as its row is; one that ends early leaves a line in `revoked`.

use rusqlite::{OptionalExtension, Row, Transaction, params};

use super::people::{keep_person, subject};
use super::{Store, StoreError};
use crate::provider::Person;

/// More sessions of one person end the ones that were idle longest.
const PER_PERSON: i64 = 50;

/// How long sessions last, in seconds.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SessionRules {
    /// Without being used.
    pub(crate) idle: u64,
    /// At all.
    pub(crate) lifetime: u64,
    /// How long after its end a session's last token may be shown.
    pub(crate) token: u64,
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) sid: String,
    pub(crate) subject: String,
    /// The browser, as it calls itself.
    pub(crate) agent: String,
    pub(crate) created: u64,
    pub(crate) seen: u64,
}

impl Session {
    /// When it ends, unless it is used again.
    pub(crate) fn ends(&self, rules: SessionRules) -> u64 {
        self.seen.saturating_add(rules.idle).min(self.last(rules))
    }

    /// When it ends at the latest.
    pub(crate) fn last(&self, rules: SessionRules) -> u64 {
        self.created.saturating_add(rules.lifetime)
    }
}

impl Store {
    /// Begins a session. Returns the ones that had to end for it, with the time until which that has to be known.
    pub(crate) async fn begin(
        &self,
        session: Session,
        person: Person,
        rules: SessionRules,
    ) -> Result<Vec<(String, u64)>, StoreError> {
        self.run(move |file| {
            let now = session.created;
            debug_assert_eq!(session.subject, subject(&person));
            keep_person(file, &person, now)?;
            file.execute(
                "INSERT INTO sessions (sid, subject, agent, created, seen) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![session.sid, session.subject, session.agent, session.created, session.seen],
            )?;
            let crowded =
                "SELECT sid FROM sessions WHERE subject = ?1 ORDER BY seen DESC, rowid DESC LIMIT -1 OFFSET ?2";
            let sids = names(file, crowded, params![session.subject, PER_PERSON])?;
            end(file, sids, now, rules)
        })
        .await
    }

    /// Keeps what a provider has said anew about a person, whose session goes on.
    pub(crate) async fn go_on(&self, sid: &str, person: Person, now: u64) -> Result<(), StoreError> {
        let sid = sid.to_owned();
        self.run(move |file| {
            keep_person(file, &person, now)?;
            file.execute("UPDATE sessions SET seen = max(seen, ?2) WHERE sid = ?1", params![sid, now]).map(drop)
        })
        .await
    }

    /// A session that has not ended.
    pub(crate) async fn session(
        &self,
        sid: &str,
        now: u64,
        rules: SessionRules,
    ) -> Result<Option<Session>, StoreError> {
        let sid = sid.to_owned();
        let found = self
            .run(move |file| file.query_row("SELECT * FROM sessions WHERE sid = ?1", [sid], read).optional())
            .await?;
        Ok(found.filter(|session| now < session.ends(rules)))
    }

    /// Notes that a session was used.
    pub(crate) async fn touch(&self, sid: &str, now: u64) -> Result<(), StoreError> {
        let sid = sid.to_owned();
        self.run(move |file| file.execute("UPDATE sessions SET seen = max(seen, ?2) WHERE sid = ?1", params![sid, now]))
            .await
            .map(drop)
    }

    /// All sessions of a person that have not ended, the last used first.
    pub(crate) async fn sessions(
        &self,
        subject: &str,
        now: u64,
        rules: SessionRules,
    ) -> Result<Vec<Session>, StoreError> {
        let subject = subject.to_owned();
        let all = self
            .run(move |file| {
                let mut query = file.prepare("SELECT * FROM sessions WHERE subject = ?1 ORDER BY seen DESC")?;
                query.query_map([subject], read)?.collect::<rusqlite::Result<Vec<_>>>()
            })
            .await?;
        Ok(all.into_iter().filter(|session| now < session.ends(rules)).collect())
    }

    /// Ends sessions: one, all of a person's, or all there are. Returns them, with the time until which that has to
    /// be known.
    pub(crate) async fn revoke(
        &self,
        which: Which,
        now: u64,
        rules: SessionRules,
    ) -> Result<Vec<(String, u64)>, StoreError> {
        self.run(move |file| {
            let sids = match which {
                Which::One { sid, of: None } => names(file, "SELECT sid FROM sessions WHERE sid = ?1", [sid])?,
                Which::One { sid, of: Some(subject) } => {
                    names(file, "SELECT sid FROM sessions WHERE sid = ?1 AND subject = ?2", [sid, subject])?
                }
                Which::Of(subject) => names(file, "SELECT sid FROM sessions WHERE subject = ?1", [subject])?,
                Which::All => names(file, "SELECT sid FROM sessions", [])?,
            };
            end(file, sids, now, rules)
        })
        .await
    }

    /// What was revoked and may still be shown, with the time until which that is so.
    pub(crate) async fn revoked(&self, now: u64) -> Result<Vec<(String, u64)>, StoreError> {
        self.run(move |file| {
            let mut query = file.prepare("SELECT sid, until FROM revoked WHERE until > ?1 ORDER BY until")?;
            query.query_map([now], |row| Ok((row.get(0)?, row.get(1)?)))?.collect()
        })
        .await
    }
}

/// Which sessions to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Which {
    /// This one, perhaps only if it is this person's.
    One { sid: String, of: Option<String> },
    /// All of a person's.
    Of(String),
    /// All.
    All,
}

pub(super) fn sweep(file: &Transaction<'_>, now: u64, rules: SessionRules) -> rusqlite::Result<()> {
    file.execute(
        "DELETE FROM sessions WHERE seen <= ?1 OR created <= ?2",
        params![now.saturating_sub(rules.idle), now.saturating_sub(rules.lifetime)],
    )?;
    file.execute("DELETE FROM revoked WHERE until <= ?1", [now]).map(drop)
}

fn end(
    file: &Transaction<'_>,
    sids: Vec<String>,
    now: u64,
    rules: SessionRules,
) -> rusqlite::Result<Vec<(String, u64)>> {
    let until = now.saturating_add(rules.token);
    for sid in &sids {
        file.execute("DELETE FROM sessions WHERE sid = ?1", [sid])?;
        file.execute("DELETE FROM tickets WHERE sid = ?1", [sid])?;
        note(file, sid, until)?;
    }
    Ok(sids.into_iter().map(|sid| (sid, until)).collect())
}

/// Notes that a session or an API token counts no more.
pub(super) fn note(file: &Transaction<'_>, sid: &str, until: u64) -> rusqlite::Result<()> {
    file.execute("INSERT OR REPLACE INTO revoked (sid, until) VALUES (?1, ?2)", params![sid, until]).map(drop)
}

fn names(file: &Transaction<'_>, sql: &str, values: impl rusqlite::Params) -> rusqlite::Result<Vec<String>> {
    file.prepare(sql)?.query_map(values, |row| row.get(0))?.collect()
}

fn read(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        sid: row.get("sid")?,
        subject: row.get("subject")?,
        agent: row.get("agent")?,
        created: row.get("created")?,
        seen: row.get("seen")?,
    })
}
