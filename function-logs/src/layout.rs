//! How objects are named.
//!
//! ```text
//! function_logs/<host>/<owner's number>/<function>/<number>-open.ndjson.gz
//! function_logs/<host>/<owner's number>/<function>/<number>-<first>-<last>.ndjson.gz
//! ```
//!
//! The numbers of one function's objects ascend. At most one is open: it is written anew with each few lines, until it is
//! full, and then it gets its last name, with the times in nanoseconds since 1970 between which its lines are. So a question
//! about a time opens only objects that can have something of it. The host is named as in the function's label. No login has
//! a `_`, so that build logs may be in the same bucket.

use object_store::{InvalidKey, Key};
use sdk::gateway::FunctionStatus;
use sdk::id::{OwnerId, ServiceName};
use sdk::labels;

const END: &str = ".ndjson.gz";

/// One function of one owner. Under the same name, another owner's function is another one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Source {
    /// The host as in labels.
    host: String,
    owner: u64,
    pub(crate) name: String,
}

impl Source {
    /// What the labels of a function prove; `None` where they prove no owner.
    pub(crate) fn of(function: &FunctionStatus) -> Option<Self> {
        let label = |name: &str| function.labels.get(name).map(String::as_str);
        let host = label(labels::GIT_SCM).filter(|host| !host.is_empty())?;
        let owner = label(labels::GIT_OWNER_ID)?.parse::<u64>().ok().filter(|id| *id != 0)?;
        // So that 07 and 7 are not two owners with one number.
        let plain = label(labels::GIT_OWNER_ID) == Some(owner.to_string().as_str());
        let name: ServiceName = function.name.parse().ok()?;
        let ours = label(labels::GIT_CLOUD) == Some("1") && plain;
        ours.then(|| Self { host: labels::value(host).into_owned(), owner, name: name.into() })
    }

    /// Whether it is this owner's.
    pub(crate) fn is_of(&self, owner: &OwnerId) -> bool {
        self.owner == owner.id && self.host == labels::value(&owner.host)
    }

    /// The folder of all objects of its owner.
    pub(crate) fn owner_folder(&self) -> Result<Key, InvalidKey> {
        Key::new(format!("function_logs/{}/{}", self.host, self.owner))
    }

    /// The folder of its objects.
    pub(crate) fn folder(&self) -> Result<Key, InvalidKey> {
        self.owner_folder()?.join(&self.name)
    }

    /// Another function of the same owner.
    pub(crate) fn sibling(&self, name: &str) -> Self {
        Self { name: name.to_owned(), ..self.clone() }
    }
}

/// The last part of an object's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Piece {
    pub(crate) number: u64,
    /// When its first and last lines were written; `None` while it is open.
    pub(crate) span: Option<(u64, u64)>,
}

impl Piece {
    pub(crate) fn parse(name: &str) -> Option<Self> {
        let (number, rest) = name.strip_suffix(END)?.split_once('-')?;
        let number = number.parse().ok()?;
        let span = match rest.split_once('-') {
            None if rest == "open" => None,
            None => return None,
            Some((first, last)) => Some((first.parse().ok()?, last.parse().ok()?)),
        };
        Some(Self { number, span })
    }

    pub(crate) fn key(&self, folder: &Key) -> Result<Key, InvalidKey> {
        let number = self.number;
        folder.join(&match self.span {
            None => format!("{number:010}-open{END}"),
            Some((first, last)) => format!("{number:010}-{first:020}-{last:020}{END}"),
        })
    }

    /// The time of its last line, as far as its name tells it.
    pub(crate) fn last(&self) -> u64 {
        self.span.map_or(u64::MAX, |(_, last)| last)
    }

    /// Whether a line between these times may be in it.
    pub(crate) fn may_have(&self, since: u64, until: u64) -> bool {
        self.span.is_none_or(|(first, last)| last >= since && first < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str, host: &str, id: &str, cloud: &str) -> FunctionStatus {
        let labels = [(labels::GIT_CLOUD, cloud), (labels::GIT_SCM, host), (labels::GIT_OWNER_ID, id)];
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        FunctionStatus { name: name.to_owned(), labels, ..FunctionStatus::default() }
    }

    #[test]
    fn labels_decide_whose_it_is() {
        let source = Source::of(&function("alice-a", "git.localhost", "7", "1")).unwrap();
        assert_eq!(source.folder().unwrap().as_str(), "function_logs/git.localhost/7/alice-a");
        let owner = |host: &str, id| OwnerId { host: host.to_owned(), id };
        assert!(source.is_of(&owner("git.localhost", 7)));
        assert!(!source.is_of(&owner("git.localhost", 8)) && !source.is_of(&owner("github.com", 7)));
        for (name, host, id, cloud) in [
            ("alice-a", "git.localhost", "7", "0"),
            ("alice-a", "git.localhost", "0", "1"),
            ("alice-a", "git.localhost", "07", "1"),
            ("alice-a", "git.localhost", "+7", "1"),
            ("alice-a", "git.localhost", "", "1"),
            ("alice-a", "", "7", "1"),
            ("../b", "git.localhost", "7", "1"),
        ] {
            assert_eq!(Source::of(&function(name, host, id, cloud)), None, "{name} {host} {id} {cloud}");
        }
        assert_eq!(Source::of(&FunctionStatus { name: "alice-a".to_owned(), ..FunctionStatus::default() }), None);
    }

    #[test]
    fn no_host_leads_elsewhere() {
        for host in ["..", "../..", "a/b", ".", "\0", "ä", "localhost:8000"] {
            let source = Source::of(&function("alice-a", host, "7", "1")).unwrap();
            let folder = source.folder().unwrap();
            assert_eq!(folder.as_str().split('/').count(), 4, "{host}: {folder}");
            assert!(source.is_of(&OwnerId { host: host.to_owned(), id: 7 }));
        }
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        let folder: Key = "a/b".parse().unwrap();
        for piece in [Piece { number: 3, span: None }, Piece { number: 4, span: Some((5, u64::MAX)) }] {
            let key = piece.key(&folder).unwrap();
            assert_eq!(Piece::parse(key.below(&folder).unwrap()), Some(piece));
        }
        for name in ["", "1-open", "x-open.ndjson.gz", "1-shut.ndjson.gz", "1-2.ndjson.gz", "1-2-3-4.ndjson.gz"] {
            assert_eq!(Piece::parse(name), None, "{name}");
        }
        let piece = Piece { number: 1, span: Some((10, 20)) };
        assert!(piece.may_have(20, 21) && piece.may_have(0, 11) && !piece.may_have(21, 30) && !piece.may_have(0, 10));
    }
}
