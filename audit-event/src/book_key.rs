//! How objects are named: all that is needed to find some is in their names, the newest first in the order of names.

use std::cmp::Reverse;
use std::fmt;

use object_store::Key;
use sdk::audit::{AuditEvent, AuditMark, AuditRequest};
use sdk::id::{OwnerId, RepoName};
use sdk::labels;
use sha2::{Digest as _, Sha256};

/// No login has a `_`, so that logs of builds may be in the same bucket.
const FOLDER: &str = "_audit";
/// The longest host in bytes, as in DNS, and a port.
const MAX_HOST: usize = 260;
/// Later times, in milliseconds since 1970, are a mistake: they have no 13 digits.
const MAX_TIME: u64 = 9_999_999_999_999;

/// `_audit/<host>/<number>`: an owner's events, whatever the login is; the host as in labels. `None` for one that is no owner.
pub(crate) fn folder_of(owner: &OwnerId) -> Option<Key> {
    if owner.id == 0 || owner.host.len() > MAX_HOST {
        return None;
    }
    Key::new(format!("{FOLDER}/{}/{}", labels::value(&owner.host), owner.id)).ok()
}

/// `<time>.<sum>.<repo>`: the time counts down, so that the newest is the first. Of no repository, the last part is empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) mark: AuditMark,
    repo: Option<RepoName>,
}

impl Name {
    /// The name of an event whose bytes these are; the same event has the same name. `None` if it does not say when it happened.
    pub(crate) fn of(event: &AuditEvent, bytes: &[u8]) -> Option<Self> {
        let at = event.at.filter(|at| *at <= MAX_TIME)?;
        let sum = Sha256::digest(bytes).iter().take(8).fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        Some(Self { mark: AuditMark { at, sum }, repo: event.repo.parse().ok() })
    }

    /// Reads a name back; anything else in the folder is not ours.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '.');
        let (time, sum, repo) = (parts.next()?, parts.next()?, parts.next()?);
        let at = MAX_TIME.checked_sub(time.parse().ok()?)?;
        let sum = u64::from_str_radix(sum, 16).ok()?;
        let repo = if repo.is_empty() { None } else { Some(repo.parse().ok()?) };
        let name = Self { mark: AuditMark { at, sum }, repo };
        (name.to_string() == text).then_some(name)
    }

    /// True if the request asks for it.
    pub(crate) fn is_wanted(&self, request: &AuditRequest) -> bool {
        request.repo.as_ref().is_none_or(|repo| self.repo.as_ref() == Some(repo))
            && request.before.is_none_or(|before| order(self.mark) > order(before))
    }
}

/// As names are ordered.
fn order(mark: AuditMark) -> (Reverse<u64>, u64) {
    (Reverse(mark.at), mark.sum)
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let AuditMark { at, sum } = self.mark;
        write!(f, "{:013}.{sum:016x}.", MAX_TIME.saturating_sub(at))?;
        self.repo.iter().try_for_each(|repo| f.write_str(repo.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(at: u64, repo: &str) -> AuditEvent {
        AuditEvent { at: Some(at), repo: repo.to_owned(), ..AuditEvent::default() }
    }

    #[test]
    fn an_owner_is_a_host_and_a_number() {
        let folder = |host: &str, id| folder_of(&OwnerId { host: host.to_owned(), id }).map(|key| key.to_string());
        assert_eq!(folder("github.com", 7).unwrap(), "_audit/github.com/7");
        for host in ["git.localhost:8080", "../../x", "ä", "_a", &"x".repeat(260)] {
            let folder = folder(host, 7).unwrap();
            assert_eq!(folder.split('/').count(), 3, "{folder}");
        }
        assert_ne!(folder("git.localhost:8080", 7), folder("git.localhost-8080", 7));
        assert_eq!((folder("github.com", 0), folder("", 7), folder(&"x".repeat(261), 7)), (None, None, None));
    }

    #[test]
    fn names_are_read_back_and_the_newest_is_the_first() {
        let long = "x.y-_".repeat(20);
        for (at, repo) in [(0, ""), (1, "shop"), (1_790_000_000_000, "a.b"), (MAX_TIME, &long)] {
            let name = Name::of(&event(at, repo), b"x").unwrap();
            assert_eq!(Name::parse(&name.to_string()), Some(name.clone()));
            Key::new(name.to_string()).unwrap();
        }
        let name = |at: u64, bytes: &[u8]| Name::of(&event(at, "shop"), bytes).unwrap();
        assert!(name(2, b"x").to_string() < name(1, b"x").to_string());
        assert_eq!(name(1, b"x"), name(1, b"x"));
        assert_ne!(name(1, b"x"), name(1, b"y"));
        let plain = name(1, b"x").to_string();
        for text in ["", "1.2.3", "0000000000001.x.y", &plain[1..], &plain.to_uppercase(), &format!("+{}", &plain[1..])]
        {
            assert_eq!(Name::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_no_repository_or_no_time_gets_into_no_name() {
        for repo in ["*", "../x", "a/b", "a\0", ".git"] {
            assert!(Name::of(&event(1, repo), b"x").unwrap().to_string().ends_with('.'), "{repo}");
        }
        assert_eq!(Name::of(&event(MAX_TIME + 1, "shop"), b"x"), None);
        assert_eq!(Name::of(&AuditEvent::default(), b"x"), None);
    }
}
