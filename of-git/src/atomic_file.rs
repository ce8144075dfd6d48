//! Files that are either as they were or as they should be, whenever the process dies.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Replaces a file's content. When this returns, the new content survives a power cut.
pub(crate) fn write(path: &Path, content: &[u8]) -> io::Result<()> {
    let parent = place(path, content, true)?;
    File::open(parent)?.sync_all()
}

/// Replaces a file's content; a power cut may bring the old content back.
pub(crate) fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    place(path, content, false).map(|_| ())
}

fn place<'a>(path: &'a Path, content: &[u8], sync: bool) -> io::Result<&'a Path> {
    let parent = path.parent().ok_or_else(|| io::Error::other("a file needs a directory"))?;
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(parent)?;
    file.write_all(content)?;
    if sync {
        file.as_file().sync_all()?;
    }
    file.persist(path)?;
    Ok(parent)
}

/// Runs file work off the threads that serve requests.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_new_content_takes_the_old_one_s_place_and_nothing_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("owners.json");
        write(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"two");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_folder_is_an_error() {
        assert!(write(Path::new("/nonexistent/folder/file"), b"x").is_err());
    }
}
