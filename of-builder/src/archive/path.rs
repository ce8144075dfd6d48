//! An entry's name, and where it belongs.

use std::fmt;

use super::{ArchiveError, CONFIG, SECRETS};

const MAX_COMPONENT_BYTES: usize = 255;
const MAX_DEPTH: usize = 64;

/// Where an entry belongs.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// `com.openfaas.docker.config`.
    Config,
    /// `com.openfaas.secrets`.
    Secrets,
    /// `context` itself.
    Root,
    /// Below `context/`, by its path there.
    Context(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Config => f.write_str(CONFIG),
            Place::Secrets => f.write_str(SECRETS),
            Place::Root => f.write_str("context"),
            Place::Context(path) => write!(f, "context/{path}"),
        }
    }
}

/// Reads an entry's name, which is a stranger's text.
pub(super) fn place(name: &[u8], max_bytes: usize) -> Result<Place, ArchiveError> {
    let shown = || printable(name);
    let refuse = |why| Err(ArchiveError::Path(shown(), why));
    if name.len() > max_bytes {
        return refuse("which is too long");
    }
    let Ok(text) = std::str::from_utf8(name) else { return refuse("which is not UTF-8") };
    if text.chars().any(char::is_control) {
        return refuse("which holds a control character");
    }
    if text.starts_with('/') {
        return refuse("which is absolute");
    }
    let parts: Vec<&str> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.contains(&"..") {
        return refuse("which leads upwards");
    }
    if parts.len() > MAX_DEPTH || parts.iter().any(|part| part.len() > MAX_COMPONENT_BYTES) {
        return refuse("which is too deep or has too long a part");
    }
    match parts.as_slice() {
        ["context"] => Ok(Place::Root),
        ["context", below @ ..] => Ok(Place::Context(below.join("/"))),
        [CONFIG] => Ok(Place::Config),
        [SECRETS] => Ok(Place::Secrets),
        _ => Err(ArchiveError::Unexpected(shown())),
    }
}

/// A stranger's name, fit for a message.
pub(super) fn printable(name: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(name).chars().take(200).flat_map(char::escape_debug).collect();
    format!("'{text}'")
}
