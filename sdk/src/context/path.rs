//! Paths inside a repository.

use std::fmt;
use std::str::FromStr;

/// The longest path in bytes; longer ones do not fit a tar header's usual fields or a file system's limits.
const MAX_PATH: usize = 1024;

/// A path relative to the root of a tree: no `.`, no `..`, no `.git`, no empty parts. The root itself is "".
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelPath(String);

/// Text that is no [`RelPath`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{shown}' {problem}")]
pub struct InvalidPath {
    shown: String,
    problem: &'static str,
}

impl RelPath {
    /// The root of the tree.
    pub fn root() -> Self {
        Self::default()
    }

    /// True for the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The text, without a slash at either end.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The parts from the root on.
    pub fn parts(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0.split('/').filter(|part| !part.is_empty())
    }

    /// The folder that holds this; the root's is the root.
    #[must_use]
    pub fn parent(&self) -> Self {
        Self(self.0.rsplit_once('/').map(|(parent, _)| parent.to_owned()).unwrap_or_default())
    }

    /// A name in this folder.
    ///
    /// # Errors
    /// For a name that is not one plain part.
    pub fn join(&self, name: &str) -> Result<Self, InvalidPath> {
        plain_part(name)?;
        Ok(if self.is_root() { Self(name.to_owned()) } else { Self(format!("{}/{name}", self.0)) })
    }

    /// A path below this folder.
    #[must_use]
    pub fn below(&self, inner: &Self) -> Self {
        match (self.is_root(), inner.is_root()) {
            (true, _) => inner.clone(),
            (_, true) => self.clone(),
            _ => Self(format!("{}/{}", self.0, inner.0)),
        }
    }
}

/// One part of a path, as a folder lists it.
fn plain_part(name: &str) -> Result<(), InvalidPath> {
    let refuse = |problem| Err(InvalidPath::new(name, problem));
    match name {
        "" | "." | ".." => refuse("is not a file's name"),
        _ if name.contains(['/', '\0']) => refuse("is not a file's name"),
        _ if name.eq_ignore_ascii_case(".git") => refuse("is git's own folder and never part of a function"),
        _ if name.len() > 255 => refuse("is longer than a file's name may be"),
        _ => Ok(()),
    }
}

impl InvalidPath {
    fn new(text: &str, problem: &'static str) -> Self {
        Self { shown: text.chars().filter(|c| !c.is_control()).take(120).collect(), problem }
    }
}

impl FromStr for RelPath {
    type Err = InvalidPath;

    /// Takes a path as people write it: `./a/`, `a//b`, `a/../b`.
    fn from_str(text: &str) -> Result<Self, InvalidPath> {
        if text.starts_with('/') {
            return Err(InvalidPath::new(text, "is an absolute path: name one inside the repository"));
        }
        if text.len() > MAX_PATH {
            return Err(InvalidPath::new(text, "is too long for a path"));
        }
        let mut path = Self::root();
        for part in text.split('/') {
            match part {
                "" | "." => {}
                ".." if path.is_root() => {
                    return Err(InvalidPath::new(text, "leaves the repository: name a path inside it"));
                }
                ".." => path = path.parent(),
                part => path = path.join(part).map_err(|inner| InvalidPath::new(text, inner.problem))?,
            }
        }
        Ok(path)
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_root() { "." } else { &self.0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_brought_to_one_form() {
        for (text, normal) in [
            ("./", ""),
            ("", ""),
            (".", ""),
            ("a", "a"),
            ("./a/", "a"),
            ("a//b/./c", "a/b/c"),
            ("a/../b", "b"),
            ("a/b/../..", ""),
        ] {
            assert_eq!(text.parse::<RelPath>().unwrap().as_str(), normal, "{text:?}");
        }
    }

    #[test]
    fn paths_that_leave_are_refused() {
        for text in
            ["..", "../x", "a/../../x", "/etc", "../../../var/openfaas/secrets", "a\0b", ".git", "a/.GIT/config"]
        {
            assert!(text.parse::<RelPath>().is_err(), "{text:?}");
        }
        let error = "../x".parse::<RelPath>().unwrap_err().to_string();
        assert_eq!(error, "'../x' leaves the repository: name a path inside it");
    }

    #[test]
    fn names_are_single_parts() {
        let folder: RelPath = "a/b".parse().unwrap();
        assert_eq!(folder.join("c").unwrap().as_str(), "a/b/c");
        assert_eq!(folder.parent().as_str(), "a");
        for bad in ["", ".", "..", "x/y", ".git", ".Git"] {
            assert!(folder.join(bad).is_err(), "{bad:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_leaves_the_root(text in "[./a\\-g\\\\itGIT]{0,30}") {
            if let Ok(path) = text.parse::<RelPath>() {
                assert!(path.parts().all(|part| part != ".." && part != "." && !part.eq_ignore_ascii_case(".git")));
                assert!(!path.as_str().starts_with('/'));
            }
        }
    }
}
