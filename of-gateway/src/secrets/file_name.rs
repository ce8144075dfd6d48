//! The names under which functions see secrets, where those are not the secrets' own: a small file for each, in a
//! directory beside the values of its namespace. A release of before, which does not know them, passes that over.

use std::fs;
use std::io;
use std::path::Path;

use super::{MAX_NAME, SecretsError, put_file};

/// The dot keeps it out of the list of secrets.
const DIR: &str = ".files";

/// Refuses what is not a plain name within a directory. As a key in Kubernetes, it may begin with one dot.
pub(super) fn check(name: &str) -> Result<(), SecretsError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let plain = (1..=MAX_NAME).contains(&name.len()) && name != "." && !name.starts_with("..");
    if plain && name.bytes().all(allowed) { Ok(()) } else { Err(SecretsError::FileName(name.to_owned())) }
}

/// The name that a secret's file has for functions. `dir` is its namespace's directory.
pub(super) fn of(dir: &Path, secret: &str) -> Result<String, SecretsError> {
    let path = dir.join(DIR).join(secret);
    match fs::read_to_string(&path) {
        Ok(name) => check(&name).map(|()| name),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(secret.to_owned()),
        Err(source) => Err(SecretsError::Io { path, source }),
    }
}

/// Keeps the name. It is written before the value: what is not answered is asked again.
pub(super) fn put(dir: &Path, secret: &str, name: &str) -> Result<(), SecretsError> {
    put_file(&dir.join(DIR).join(secret), name.as_bytes())
}

/// Forgets the name.
pub(super) fn remove(dir: &Path, secret: &str) -> Result<(), SecretsError> {
    let path = dir.join(DIR).join(secret);
    match fs::remove_file(&path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(SecretsError::Io { path, source }),
        _ => {
            // Not empty, or never made. A namespace without secrets is an empty directory.
            let _ = fs::remove_dir(dir.join(DIR));
            Ok(())
        }
    }
}
