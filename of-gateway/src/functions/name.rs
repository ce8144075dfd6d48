//! Names of functions as they come in paths and bodies.

use std::fmt;

/// The longest RFC 1123 label.
const MAX_NAME: usize = 63;

/// Whether a name is an RFC 1123 label: lower-case letters, digits and inner hyphens, at most 63 characters.
pub(crate) fn valid_name(name: &str) -> bool {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !name.is_empty()
        && name.len() <= MAX_NAME
        && name.bytes().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// What tells one function from all others: its name and its namespace. Written `name.namespace`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct FunctionId {
    pub(crate) namespace: String,
    pub(crate) name: String,
}

impl FunctionId {
    pub(crate) fn new(name: impl Into<String>, namespace: impl Into<String>) -> Self {
        Self { name: name.into(), namespace: namespace.into() }
    }

    /// Reads what `Display` writes.
    pub(crate) fn parse(full: &str) -> Option<Self> {
        full.rsplit_once('.').map(|(name, namespace)| Self::new(name, namespace))
    }
}

impl fmt::Display for FunctionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.name, self.namespace)
    }
}

/// A function as named in a path: `name` or `name.namespace`, and what follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FunctionRef<'a> {
    pub(crate) name: &'a str,
    pub(crate) namespace: Option<&'a str>,
    /// What the function itself is asked for; empty or beginning with a slash.
    pub(crate) rest: &'a str,
}

impl<'a> FunctionRef<'a> {
    /// Splits `<name>[.<namespace>][/rest]`, the part of a path behind its prefix.
    pub(crate) fn parse(path: &'a str) -> Self {
        let (segment, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
        match segment.rsplit_once('.') {
            Some((name, namespace)) => Self { name, namespace: Some(namespace), rest },
            None => Self { name: segment, namespace: None, rest },
        }
    }

    /// The function itself; in the `default` namespace if the path names none.
    pub(crate) fn id(&self, default: &str) -> FunctionId {
        FunctionId::new(self.name, self.namespace.unwrap_or(default))
    }
}
