//! Names of functions as they come in paths and bodies.

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

    /// Whether it is in this namespace, or names none.
    pub(crate) fn is_in(&self, namespace: &str) -> bool {
        self.namespace.is_none_or(|named| named == namespace)
    }
}
