//! The name an image is built under.

use std::fmt;
use std::str::FromStr;

const MAX_BYTES: usize = 255;
const MAX_TAG_BYTES: usize = 128;

/// `[registry[:port]/]path[:tag]`, lower case; the tag is `latest` where none is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageName {
    repository: String,
    tag: String,
}

/// The rule that a text broke by not being an image's name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "'{0}' is not an image name: expected [registry[:port]/]path[:tag] in lower case, without a digest, \
     at most {MAX_BYTES} characters"
)]
pub struct InvalidImageName(String);

impl ImageName {
    /// The name without its tag.
    pub fn repository(&self) -> &str {
        &self.repository
    }

    /// The tag.
    pub fn tag(&self) -> &str {
        &self.tag
    }

    /// The registry's host and port, if the name begins with one.
    pub fn host(&self) -> Option<&str> {
        host_and_path(&self.repository).0
    }
}

impl FromStr for ImageName {
    type Err = InvalidImageName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidImageName(text.chars().filter(|c| !c.is_control()).take(MAX_BYTES).collect());
        let after_slash = text.rfind('/').map_or(0, |slash| slash + 1);
        let (repository, tag) = match text[after_slash..].split_once(':') {
            Some((name, tag)) => (&text[..after_slash + name.len()], tag),
            None => (text, "latest"),
        };
        let (host, path) = host_and_path(repository);
        let valid =
            text.len() <= MAX_BYTES && host.is_none_or(is_host) && path.split('/').all(is_component) && is_tag(tag);
        if !valid {
            return Err(invalid());
        }
        Ok(Self { repository: repository.to_owned(), tag: tag.to_owned() })
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.repository, self.tag)
    }
}

/// A first part with a dot or a port, or `localhost`, is a registry; else the whole is a path.
fn host_and_path(repository: &str) -> (Option<&str>, &str) {
    match repository.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (Some(host), path),
        _ => (None, repository),
    }
}

/// Whether the text is a registry's host name with an optional port.
pub(crate) fn is_host(host: &str) -> bool {
    let (name, port) = host.split_once(':').unwrap_or((host, "1"));
    port.parse::<u16>().is_ok()
        && name.split('.').all(|label| {
            !label.is_empty()
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        })
}

/// Letters and digits, with single `.`, one or two `_`, or any number of `-` between them.
pub(crate) fn is_component(part: &str) -> bool {
    let word = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = part.as_bytes();
    let ends = bytes.first().copied().is_some_and(word) && bytes.last().copied().is_some_and(word);
    ends && part
        .split(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        .all(|between| matches!(between, "" | "." | "_" | "__") || between.bytes().all(|b| b == b'-'))
}

fn is_tag(tag: &str) -> bool {
    (1..=MAX_TAG_BYTES).contains(&tag.len())
        && !tag.starts_with(['.', '-'])
        && tag.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_apart() {
        let name: ImageName = "registry.local:5000/alice/shop-cart:0123456789ab".parse().unwrap();
        assert_eq!(name.repository(), "registry.local:5000/alice/shop-cart");
        assert_eq!(name.tag(), "0123456789ab");
        assert_eq!(name.host(), Some("registry.local:5000"));
        let name: ImageName = "alice/shop__cart".parse().unwrap();
        assert_eq!((name.tag(), name.host()), ("latest", None));
        assert_eq!(name.to_string(), "alice/shop__cart:latest");
        assert_eq!("localhost/a".parse::<ImageName>().unwrap().host(), Some("localhost"));
    }

    #[test]
    fn what_is_no_name_is_refused() {
        let long = "a".repeat(256);
        for text in [
            "",
            ":",
            "Alice/x",
            "a//b",
            "/a",
            "a/",
            "a:",
            "a:b:c",
            "a b",
            "a@sha256:0",
            "-a",
            "a-",
            "a___b",
            "a..b",
            "../a",
            "a:-x",
            "a/$(id)",
            "host.:1/a",
            "host.x:99999/a",
            &long,
            "a\n",
        ] {
            assert!(text.parse::<ImageName>().is_err(), "{text:?}");
        }
    }
}
