//! The names of objects: relative paths whose every component is harmless, in a folder as well as in a bucket.

use std::fmt;
use std::str::FromStr;

/// The longest component in bytes: a file's name may have 255, and ours needs a few beside it.
const MAX_COMPONENT: usize = 200;
/// The longest key in bytes: S3 takes 1,024.
const MAX_KEY: usize = 900;
/// More components than this are a mistake.
const MAX_COMPONENTS: usize = 16;

/// The name of an object, or of a folder of them: one to 16 components, joined by `/`.
///
/// A component is 1 to 200 ASCII letters, digits, `-`, `_` and `.`, and does not begin with `.`. The whole has at most 900
/// bytes. In a directory an object and a folder cannot have the same name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(String);

/// A text that is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{}' is not the key of an object: components of letters, digits, '-', '_' and inner '.', joined by '/'", .0.escape_debug())]
pub struct InvalidKey(String);

impl Key {
    /// Takes a text for a key.
    ///
    /// # Errors
    /// When it is none.
    pub fn new(text: impl Into<String>) -> Result<Self, InvalidKey> {
        let text = text.into();
        let few = text.split('/').count() <= MAX_COMPONENTS;
        if text.len() <= MAX_KEY && few && text.split('/').all(is_component) {
            Ok(Self(text))
        } else {
            Err(InvalidKey(text.chars().take(MAX_COMPONENT).collect()))
        }
    }

    /// A key below this one.
    ///
    /// # Errors
    /// When `rest` is no key, or the two together are too long.
    pub fn join(&self, rest: &str) -> Result<Self, InvalidKey> {
        Self::new(format!("{}/{rest}", self.0))
    }

    /// The key as it is.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What follows `folder/`, if this key is below that folder.
    pub fn below(&self, folder: &Key) -> Option<&str> {
        self.0.strip_prefix(folder.as_str())?.strip_prefix('/')
    }
}

fn is_component(text: &str) -> bool {
    let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    plain && (1..=MAX_COMPONENT).contains(&text.len()) && !text.starts_with('.')
}

impl FromStr for Key {
    type Err = InvalidKey;

    fn from_str(text: &str) -> Result<Self, InvalidKey> {
        Self::new(text)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_relative_paths() {
        for text in ["a", "a/b", "alice/Shop.js/0/build.log", "records/github.com/7.json", "-a/_.", "A_b-c.d"] {
            assert_eq!(Key::new(text).unwrap().as_str(), text);
        }
        assert!(Key::new("a".repeat(200)).is_ok());
        assert!(Key::new(vec!["a"; 16].join("/")).is_ok());
    }

    #[test]
    fn whatever_leads_elsewhere_is_refused() {
        for text in [
            "", "/", "/a", "a/", "a//b", ".", "..", "a/...", ".a.new", "a/../b", "./a", "a\\b", "a\0", "a b", "ä",
            "a\n", "~a", "a:b",
        ] {
            assert!(Key::new(text).is_err(), "{text:?}");
        }
        assert!(Key::new("a".repeat(201)).is_err());
        assert!(Key::new(vec!["a"; 17].join("/")).is_err());
        assert!(Key::new(vec!["a".repeat(100); 9].join("/")).is_err());
    }

    #[test]
    fn a_refusal_is_short_and_shows_no_control_characters() {
        let text = Key::new(format!("\u{1b}[2J{}", "x".repeat(10_000))).unwrap_err().to_string();
        assert!(text.len() < 400 && !text.contains('\u{1b}'), "{text}");
    }

    #[test]
    fn below_means_below() {
        let (folder, key) = (Key::new("a/b").unwrap(), Key::new("a/b/c/d").unwrap());
        assert_eq!(key.below(&folder), Some("c/d"));
        assert_eq!(folder.join("c/d").unwrap(), key);
        assert_eq!(Key::new("a/bc").unwrap().below(&folder), None);
        assert_eq!(folder.below(&folder), None);
        assert!(folder.join("../x").is_err());
    }
}
