//! Files that are either as they were or as they should be, whenever the process dies.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Replaces a file's content. When this returns, the new content survives a power cut.
pub(super) async fn write(path: PathBuf, content: Vec<u8>) -> io::Result<()> {
    tokio::task::spawn_blocking(move || replace(&path, &content)).await.map_err(io::Error::other)?
}

fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or_else(|| io::Error::other("a file needs a folder"))?;
    let mut file = tempfile::Builder::new().prefix(".new-").tempfile_in(folder)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(folder)?.sync_all()
}
