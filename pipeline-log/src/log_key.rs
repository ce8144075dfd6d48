//! The names of the objects that hold a build's log.

use std::fmt;

use object_store::Key;
use sdk::pipeline_log::LogKey;

/// A build's own folder. Its four components are validated identifiers, so it is a safe path everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Folder(Key);

/// An object in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Name {
    /// `part-<number>`: a part of a log that is still being written.
    Part(u32),
    /// `build.log`: a whole log as it is, which earlier versions left.
    Whole,
    /// `build.log.gz`: a whole log; see [`packed`](crate::packed).
    Packed,
}

impl Folder {
    #[expect(clippy::expect_used, reason = "identifiers are shorter and stricter than a key's components")]
    pub(crate) fn of(key: &LogKey) -> Self {
        let path = format!("{}/{}/{}/{}", key.owner, key.repo, key.sha, key.function);
        Self(Key::new(path).expect("four identifiers make a key"))
    }

    /// `<owner>/<repo>/<sha>/<function>`.
    pub(crate) fn key(&self) -> &Key {
        &self.0
    }

    /// The whole name of an object in it.
    #[expect(clippy::expect_used, reason = "a name is one plain component")]
    pub(crate) fn object(&self, name: Name) -> Key {
        self.0.join(&name.to_string()).expect("a name in a folder makes a key")
    }
}

impl fmt::Display for Folder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Name {
    /// Reads a name back; anything else in the folder is not ours.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        match text {
            "build.log" => return Some(Self::Whole),
            "build.log.gz" => return Some(Self::Packed),
            _ => {}
        }
        let digits = text.strip_prefix("part-").filter(|digits| digits.len() == 10)?;
        digits.parse().ok().map(Self::Part)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            // Of one length, so that listings are in order.
            Self::Part(number) => write!(f, "part-{number:010}"),
            Self::Whole => f.write_str("build.log"),
            Self::Packed => f.write_str("build.log.gz"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for name in [Name::Whole, Name::Packed, Name::Part(0), Name::Part(u32::MAX)] {
            assert_eq!(Name::parse(&name.to_string()), Some(name));
        }
        for text in ["", "part-1", "part-00000000001", ".part-0000000001.new", "part-+000000001", "../build.log"] {
            assert_ne!(Name::parse(text).map(|name| name.to_string()).as_deref(), Some(text), "{text}");
        }
    }

    #[test]
    fn the_folder_is_made_of_the_four_identifiers() {
        let key = LogKey {
            owner: "Alice".parse().unwrap(),
            repo: "Shop.js".parse().unwrap(),
            sha: "0".repeat(40).parse().unwrap(),
            function: "cart".parse().unwrap(),
        };
        let expected = format!("alice/Shop.js/{}/cart/part-0000000007", "0".repeat(40));
        assert_eq!(Folder::of(&key).object(Name::Part(7)).as_str(), expected);
    }

    #[test]
    fn the_longest_identifiers_make_a_key() {
        let key = LogKey {
            owner: "o".repeat(39).parse().unwrap(),
            repo: "_".repeat(100).parse().unwrap(),
            sha: "0".repeat(64).parse().unwrap(),
            function: "f".repeat(63).parse().unwrap(),
        };
        assert_eq!(Folder::of(&key).object(Name::Part(u32::MAX)).as_str().len(), 39 + 100 + 64 + 63 + 15 + 4);
    }
}
