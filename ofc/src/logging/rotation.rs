//! A log file that never fills the disk.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A file is put aside before it grows larger, in bytes.
const MAX_BYTES: u64 = 16 * 1024 * 1024;
/// How many are kept beside the one that is written.
const KEPT: u32 = 3;

/// A file whose predecessors are kept as `NAME.1` (the newest) to `NAME.3`.
#[derive(Debug)]
pub(super) struct RotatingFile {
    path: PathBuf,
    file: File,
    written: u64,
    max_bytes: u64,
}

impl RotatingFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        Self::with_limit(path, MAX_BYTES)
    }

    fn with_limit(path: &Path, max_bytes: u64) -> io::Result<Self> {
        let file = open(path)?;
        let written = file.metadata()?.len();
        Ok(Self { path: path.to_owned(), file, written, max_bytes })
    }

    fn rotate(&mut self) -> io::Result<()> {
        for number in (1..KEPT).rev() {
            let _ = std::fs::rename(numbered(&self.path, number), numbered(&self.path, number + 1));
        }
        std::fs::rename(&self.path, numbered(&self.path, 1))?;
        self.file = open(&self.path)?;
        self.written = 0;
        Ok(())
    }
}

impl Write for RotatingFile {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.written > 0 && self.written + line.len() as u64 > self.max_bytes {
            // A log that cannot be put aside is still better written on than lost.
            let _ = self.rotate();
        }
        let count = self.file.write(line)?;
        self.written += count as u64;
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).mode(0o600).open(path)
}

fn numbered(path: &Path, number: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{number}"));
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_files_are_put_aside_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ofc.log");
        let mut log = RotatingFile::with_limit(&path, 10).unwrap();
        for number in 0..6 {
            log.write_all(format!("line {number}\n").as_bytes()).unwrap();
        }
        let read = |path: &Path| std::fs::read_to_string(path).unwrap_or_default();
        assert_eq!(read(&path), "line 5\n");
        assert_eq!([1, 2, 3, 4].map(|n| read(&numbered(&path, n))), ["line 4\n", "line 3\n", "line 2\n", ""]);
    }

    #[test]
    fn a_restart_writes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ofc.log");
        for _ in 0..2 {
            RotatingFile::with_limit(&path, 100).unwrap().write_all(b"x\n").unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "x\nx\n");
    }
}
