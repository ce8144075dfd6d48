//! The installation's own random id, so that several on one machine leave each other's containers alone.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use uuid::Uuid;

const FILE: &str = "instance";
const LENGTH: usize = 8;

/// The data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// It cannot be read or written.
    #[error("cannot read or write {}", .path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file holds something else.
    #[error("{} does not hold an installation id (8 hexadecimal digits); put the right one back, or delete the file to start anew without the containers of before", .0.display())]
    Damaged(PathBuf),
}

/// The id kept in this data directory, if there is one.
pub(crate) fn read(data_dir: &Path) -> Result<Option<String>, InstanceError> {
    let path = data_dir.join(FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(InstanceError::Io { path, source }),
    };
    let id = text.trim();
    if is_id(id) { Ok(Some(id.to_owned())) } else { Err(InstanceError::Damaged(path)) }
}

pub(crate) fn is_id(text: &str) -> bool {
    text.len() == LENGTH && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// The id kept in this data directory; made, and kept, at the first time.
pub(crate) fn read_or_make(data_dir: &Path) -> Result<String, InstanceError> {
    std::fs::create_dir_all(data_dir).map_err(|source| InstanceError::Io { path: data_dir.to_owned(), source })?;
    if let Some(id) = read(data_dir)? {
        return Ok(id);
    }
    let id = Uuid::new_v4().simple().to_string()[..LENGTH].to_owned();
    write(data_dir, &id).map_err(|source| InstanceError::Io { path: data_dir.join(FILE), source })?;
    Ok(id)
}

fn write(data_dir: &Path, id: &str) -> std::io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(data_dir)?;
    writeln!(file, "{id}")?;
    file.as_file().sync_all()?;
    file.persist(data_dir.join(FILE))?;
    std::fs::File::open(data_dir)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_id_is_made_once_and_checked() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read(dir.path()).unwrap().is_none());
        let id = read_or_make(dir.path()).unwrap();
        assert_eq!(read_or_make(dir.path()).unwrap(), id);
        std::fs::write(dir.path().join(FILE), "../evil").unwrap();
        assert!(matches!(read_or_make(dir.path()), Err(InstanceError::Damaged(_))));
    }
}
