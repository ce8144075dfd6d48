//! The names of the objects that hold records of pushes. All that is needed to find some is in their names, the newest
//! first in the order of names, so that only those that are asked for are read.

use std::fmt;

use object_store::Key;
use sdk::history::{HistoryRequest, PushRecord};
use sdk::id::{CommitSha, OwnerId, RepoName};
use sha2::{Digest as _, Sha256};

/// The folder of all records. No owner has this name, so no log is in it.
const RECORDS: &str = "_records";
/// The longest host in bytes; each may become three characters.
const MAX_HOST: usize = 60;
/// Later times, in milliseconds since 1970, are a mistake: they have no 13 digits.
const MAX_TIME: u64 = 9_999_999_999_999;

/// `_records/<host>/<number>`: an owner's records, whatever the login is. `None` for one that is no owner.
pub(crate) fn folder_of(owner: &OwnerId) -> Option<Key> {
    if owner.id == 0 || !(1..=MAX_HOST).contains(&owner.host.len()) {
        return None;
    }
    Key::new(format!("{RECORDS}/{}/{}", component(&owner.host), owner.id)).ok()
}

/// A host as a component; different hosts are different components.
fn component(host: &str) -> String {
    let mut name = String::new();
    for (place, byte) in host.bytes().enumerate() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'-' => name.push(char::from(byte)),
            b'.' if place > 0 => name.push('.'),
            _ => name.push_str(&format!("_{byte:02x}")),
        }
    }
    name
}

/// `<time>.<sha>.<push>.<repo>`: the time counts down, so that the newest is the first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Name {
    /// When the push began, in milliseconds since 1970.
    pub(crate) began: u64,
    pub(crate) sha: CommitSha,
    /// 16 hexadecimal digits of a sum of the repository's number, the branch and the call.
    pub(crate) push: String,
    pub(crate) repo: RepoName,
}

impl Name {
    /// The name of a record; `None` if its time is none.
    pub(crate) fn of(record: &PushRecord) -> Option<Self> {
        let mut sum = Sha256::new();
        for part in [record.repo_id.to_string().as_str(), &record.branch, &record.call] {
            sum.update((part.len() as u64).to_le_bytes());
            sum.update(part);
        }
        let push = hex::encode(&sum.finalize()[..8]);
        let (sha, repo) = (record.sha.clone(), record.repo.clone());
        (record.began <= MAX_TIME).then_some(Self { began: record.began, sha, push, repo })
    }

    /// Reads a name back; anything else in the folder is not ours.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(4, '.');
        let (time, sha, push) = (parts.next()?, parts.next()?, parts.next()?);
        let time: u64 = time.parse().ok().filter(|_| time.len() == 13)?;
        let name = Self {
            began: MAX_TIME.checked_sub(time)?,
            sha: sha.parse().ok()?,
            push: push.to_owned(),
            repo: parts.next()?.parse().ok()?,
        };
        (name.to_string() == text).then_some(name)
    }

    /// True if both are of one push, whenever it was begun.
    pub(crate) fn is_same_push(&self, other: &Self) -> bool {
        (&self.sha, &self.push, &self.repo) == (&other.sha, &other.push, &other.repo)
    }

    /// True if the request asks for it.
    pub(crate) fn is_wanted(&self, request: &HistoryRequest) -> bool {
        request.repo.as_ref().is_none_or(|repo| *repo == self.repo)
            && request.sha.as_ref().is_none_or(|sha| *sha == self.sha)
            && request.before.is_none_or(|before| self.began < before)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:013}.{}.{}.{}", MAX_TIME.saturating_sub(self.began), self.sha, self.push, self.repo)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner(host: &str, id: u64) -> OwnerId {
        OwnerId { host: host.to_owned(), id }
    }

    #[test]
    fn an_owner_is_a_host_and_a_number() {
        let folder = |host: &str| folder_of(&owner(host, 7)).map(|key| key.as_str().to_owned());
        assert_eq!(folder("github.com").unwrap(), "_records/github.com/7");
        assert_eq!(folder("git.localhost:8080").unwrap(), "_records/git.localhost_3a8080/7");
        assert_eq!(folder("../../x").unwrap(), "_records/_2e._2f.._2fx/7");
        for [one, other] in [["a_b", "a_5fb"], ["A", "a"], [".a", "_2ea"], ["a/b", "a_2fb"], ["ä", "_c3_a4"]] {
            assert_ne!(folder(one).unwrap(), folder(other).unwrap());
        }
        assert!(folder_of(&owner("github.com", 0)).is_none());
        assert!(folder("").is_none() && folder(&"x".repeat(61)).is_none());
        assert!(folder(&"/".repeat(60)).is_some());
    }

    #[test]
    fn names_are_read_back_and_the_newest_is_the_first() {
        let name = |began| Name {
            began,
            sha: "a".repeat(64).parse().unwrap(),
            push: "0123456789abcdef".to_owned(),
            repo: "x.y-_".repeat(20).parse().unwrap(),
        };
        for began in [0, 1, 1_700_000_000_000, MAX_TIME] {
            let text = name(began).to_string();
            assert_eq!(Name::parse(&text), Some(name(began)));
            Key::new(text).unwrap();
        }
        assert!(name(2).to_string() < name(1).to_string());
        for text in ["", "1.2.3.4", "0000000000001.x.y.z", &name(1).to_string()[1..]] {
            assert_eq!(Name::parse(text), None, "{text}");
        }
    }
}
