//! The trail on disk: lines of JSON that are there once they are acknowledged.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The file is put aside when it has so many bytes.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// So many older files are kept.
const KEPT: u32 = 8;

#[derive(Debug, thiserror::Error)]
#[error("the audit file {path} cannot be {operation}")]
pub(crate) struct TrailError {
    operation: &'static str,
    path: PathBuf,
    #[source]
    cause: io::Error,
}

/// An open trail. Cloning shares it.
#[derive(Clone)]
pub(crate) struct Trail(Arc<Inner>);

struct Inner {
    path: PathBuf,
    max_bytes: u64,
    file: Mutex<File>,
}

impl Trail {
    pub(crate) fn open(path: PathBuf) -> Result<Self, TrailError> {
        Self::open_with(path, MAX_BYTES)
    }

    fn open_with(path: PathBuf, max_bytes: u64) -> Result<Self, TrailError> {
        let file = open(&path).map_err(|cause| TrailError { operation: "opened", path: path.clone(), cause })?;
        Ok(Self(Arc::new(Inner { path, max_bytes, file: Mutex::new(file) })))
    }

    /// Appends a line, which has no line feed in it, and waits until it is on the disk.
    pub(crate) async fn append(&self, mut line: Vec<u8>) -> Result<(), TrailError> {
        line.push(b'\n');
        let inner = Arc::clone(&self.0);
        let written = tokio::task::spawn_blocking(move || inner.write(&line)).await;
        let result = written.unwrap_or_else(|lost| Err(io::Error::other(lost)));
        result.map_err(|cause| TrailError { operation: "written", path: self.0.path.clone(), cause })
    }
}

impl Inner {
    fn write(&self, line: &[u8]) -> io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let length = file.metadata()?.len();
        if length > 0 && length + line.len() as u64 > self.max_bytes {
            rotate(&self.path)?;
            *file = open(&self.path)?;
        }
        let start = file.metadata()?.len();
        let written = file.write_all(line).and_then(|()| file.sync_data());
        if written.is_err() {
            // Half a line would spoil the next one; the whole event comes again.
            let _ = file.set_len(start);
        }
        written
    }
}

/// Opens the file to append. A line that a crash cut is ended, so that the next one stands by itself.
fn open(path: &Path) -> io::Result<File> {
    let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
    let mut last = [b'\n'];
    if file.seek(SeekFrom::End(0))? > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    if last != [b'\n'] {
        file.write_all(b"\n")?;
    }
    Ok(file)
}

/// Makes room: the file becomes `.1`, `.1` becomes `.2`, and so on; the oldest goes.
fn rotate(path: &Path) -> io::Result<()> {
    let numbered = |n: u32| {
        let mut name = path.as_os_str().to_owned();
        name.push(format!(".{n}"));
        PathBuf::from(name)
    };
    for n in (1..KEPT).rev() {
        match std::fs::rename(numbered(n), numbered(n + 1)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    std::fs::rename(path, numbered(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_appended_and_a_cut_line_is_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        std::fs::write(&path, "{\"cut").unwrap();
        let trail = Trail::open(path.clone()).unwrap();
        trail.append(b"{}".to_vec()).await.unwrap();
        drop(trail);
        Trail::open(path.clone()).unwrap().append(b"[]".to_vec()).await.unwrap();
        assert_eq!(std::fs::read_to_string(path).unwrap(), "{\"cut\n{}\n[]\n");
    }

    #[tokio::test]
    async fn a_full_file_is_put_aside_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        let trail = Trail::open_with(path.clone(), 8).unwrap();
        for n in 0..12 {
            trail.append(format!("line {n:02}").into_bytes()).await.unwrap();
        }
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(read("audit.jsonl"), "line 11\n");
        assert_eq!(read("audit.jsonl.1"), "line 10\n");
        assert_eq!(read("audit.jsonl.8"), "line 03\n");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 9);
    }

    #[tokio::test]
    async fn only_the_platform_reads_the_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("audit.jsonl");
        Trail::open(path.clone()).unwrap();
        assert_eq!(std::fs::metadata(path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
