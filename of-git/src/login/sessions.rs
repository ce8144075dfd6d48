//! Who is signed in at the git host itself, by a cookie that is for this host alone.

use std::io;

use http::HeaderMap;
use sdk::id::Owner;
use secrecy::SecretString;
use session::cookie;

use super::spent::Spent;
use crate::atomic_file::blocking;
use crate::seal::Seal;

/// How long somebody stays signed in, in seconds.
pub(crate) const SESSION_SECONDS: u64 = 12 * 3600;
/// The cookie's name, for [`cookie::name`].
pub(crate) const COOKIE: &str = "git";

/// Somebody who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    pub(crate) owner: Owner,
    /// The owner's number, which a later owner of the same login does not have.
    pub(crate) number: u64,
    expires: u64,
    id: String,
}

/// Makes sessions, recognises them and ends them.
#[derive(Debug, Clone)]
pub(crate) struct Sessions {
    seal: Seal,
    /// Whether browsers reach this host over HTTPS.
    pub(crate) secure: bool,
    ended: Spent,
}

impl Sessions {
    /// With the marks of those that were ended.
    pub(crate) fn new(master: &SecretString, secure: bool, ended: Spent) -> Self {
        Self { seal: Seal::derive(master, "session"), secure, ended }
    }

    /// The `Set-Cookie` value of a new session.
    pub(crate) fn begin(&self, owner: &Owner, number: u64, now: u64) -> String {
        let id = uuid::Uuid::new_v4().simple();
        let expires = now.saturating_add(SESSION_SECONDS);
        let value = self.seal.close(&format!("{owner}.{number}.{expires}.{id}"));
        cookie::set(COOKIE, &value, SESSION_SECONDS, self.secure)
    }

    /// Whose cookie came with a request, if it counts.
    pub(crate) async fn of(&self, headers: &HeaderMap, now: u64) -> io::Result<Option<Session>> {
        let Some(session) = cookie::get(headers, COOKIE, self.secure).and_then(|value| self.read(value)) else {
            return Ok(None);
        };
        if session.expires <= now {
            return Ok(None);
        }
        let (ended, asked) = (self.ended.clone(), session.clone());
        let over = blocking(move || ended.is_marked(&asked.id, asked.expires)).await?;
        Ok((!over).then_some(session))
    }

    /// Ends a session, wherever its cookie is. Gives the `Set-Cookie` value that takes it out of the browser.
    pub(crate) async fn end(&self, session: Option<Session>, now: u64) -> io::Result<String> {
        if let Some(session) = session {
            let ended = self.ended.clone();
            blocking(move || ended.mark(&session.id, session.expires, now)).await?;
        }
        Ok(cookie::set(COOKIE, "", 0, self.secure))
    }

    fn read(&self, value: &str) -> Option<Session> {
        let mut parts = self.seal.open(value)?.split('.');
        let (owner, number, expires, id) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let (number, expires) = (number.parse().ok()?, expires.parse().ok()?);
        Some(Session { owner: owner.parse().ok()?, number, expires, id: id.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sessions(folder: &std::path::Path) -> Sessions {
        Sessions::new(&"master".into(), false, Spent::open(folder.to_owned()).unwrap())
    }

    fn sent(set: &str) -> HeaderMap {
        let pair = set.split(';').next().unwrap();
        HeaderMap::from_iter([(http::header::COOKIE, pair.parse().unwrap())])
    }

    #[tokio::test]
    async fn a_session_ends_by_time_and_by_logout() {
        let folder = tempfile::tempdir().unwrap();
        let sessions = sessions(folder.path());
        let cookie = sessions.begin(&"alice".parse().unwrap(), 7, 1000);
        assert!(cookie.starts_with("ofc_git=") && cookie.contains("HttpOnly; SameSite=Lax"), "{cookie}");
        let session = sessions.of(&sent(&cookie), 1001).await.unwrap().unwrap();
        assert_eq!((session.owner.as_str(), session.number), ("alice", 7));
        assert_eq!(sessions.of(&sent(&cookie), 1000 + SESSION_SECONDS).await.unwrap(), None);
        assert!(sessions.end(Some(session), 1001).await.unwrap().contains("Max-Age=0"));
        assert_eq!(sessions.of(&sent(&cookie), 1001).await.unwrap(), None);
        let again = self::sessions(folder.path());
        assert_eq!(again.of(&sent(&cookie), 1001).await.unwrap(), None, "after a restart too");
    }

    #[tokio::test]
    async fn forged_cookies_are_nobody_s() {
        let folder = tempfile::tempdir().unwrap();
        let sessions = sessions(folder.path());
        let cookie = sessions.begin(&"alice".parse().unwrap(), 7, 1000);
        let link = crate::login_link(&"master".into(), &"alice".parse().unwrap(), 1000);
        let link = secrecy::ExposeSecret::expose_secret(&link).rsplit('/').next().unwrap().to_owned();
        let other = Sessions::new(&"other".into(), false, sessions.ended.clone());
        let forged = [
            cookie.replacen("alice", "bob", 1),
            cookie.replacen(".7.", ".1.", 1),
            other.begin(&"alice".parse().unwrap(), 7, 1000),
            format!("ofc_git={link}"),
            "ofc_git=".into(),
            "ofc_git=alice.7.99999999999.00".into(),
            cookie.replacen("ofc_git", "__Host-ofc_git", 1),
        ];
        for cookie in forged {
            assert_eq!(sessions.of(&sent(&cookie), 1001).await.unwrap(), None, "{cookie}");
        }
    }
}
