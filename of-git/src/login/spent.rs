//! What counts no more before its time: links that were used, sessions that were ended.
//!
//! Each is an empty file, made exclusively, so that of two uses at once exactly one wins, and none comes back
//! with a restart.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

/// Marks stay this much longer than what they are about, in seconds: a clock may be set back.
const MARGIN: u64 = 24 * 3600;

/// The marks, in a folder of their own.
#[derive(Debug, Clone)]
pub(crate) struct Spent {
    folder: PathBuf,
}

impl Spent {
    /// Opens the folder.
    pub(crate) fn open(folder: PathBuf) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        Ok(Self { folder })
    }

    /// Marks an id that would have counted until `expires`. True for the first one to do so; the mark is on disk
    /// when this returns.
    pub(crate) fn mark(&self, id: &str, expires: u64, now: u64) -> io::Result<bool> {
        self.forget_old(now)?;
        match OpenOptions::new().write(true).create_new(true).open(self.file(id, expires)?) {
            Ok(file) => file.sync_all().and_then(|()| File::open(&self.folder)?.sync_all()).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// True if an id counts no more.
    pub(crate) fn is_marked(&self, id: &str, expires: u64) -> io::Result<bool> {
        self.file(id, expires)?.try_exists()
    }

    fn file(&self, id: &str, expires: u64) -> io::Result<PathBuf> {
        let plain = !id.is_empty() && id.bytes().all(|b| b.is_ascii_hexdigit());
        if !plain {
            return Err(io::Error::other("an id is made of hexadecimal digits"));
        }
        Ok(self.folder.join(format!("{expires}-{id}")))
    }

    fn forget_old(&self, now: u64) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let expires = name.to_str().and_then(|name| name.split_once('-')?.0.parse::<u64>().ok());
            if expires.is_some_and(|expires| expires.saturating_add(MARGIN) < now) {
                // Another one may have been faster.
                let _ = fs::remove_file(entry.path());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_of_many_wins_and_a_restart_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let spent = Spent::open(folder.path().join("spent")).unwrap();
        let won: usize = std::thread::scope(|scope| {
            let tries: Vec<_> = (0..16).map(|_| scope.spawn(|| spent.mark("ab12", 100, 50).unwrap())).collect();
            tries.into_iter().map(|thread| usize::from(thread.join().unwrap())).sum()
        });
        assert_eq!(won, 1);
        let again = Spent::open(folder.path().join("spent")).unwrap();
        assert!(again.is_marked("ab12", 100).unwrap() && !again.is_marked("ab13", 100).unwrap());
        assert!(!again.mark("ab12", 100, 50).unwrap());
    }

    #[test]
    fn old_marks_go_and_names_cannot_leave_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let spent = Spent::open(folder.path().to_owned()).unwrap();
        assert!(spent.mark("aa", 100, 50).unwrap());
        assert!(spent.mark("bb", 200_000, 100 + MARGIN).unwrap());
        assert!(spent.is_marked("aa", 100).unwrap());
        assert!(spent.mark("cc", 200_000, 101 + MARGIN).unwrap());
        assert!(!spent.is_marked("aa", 100).unwrap() && spent.is_marked("bb", 200_000).unwrap());
        for id in ["", "../x", "a/b", "x"] {
            assert!(spent.mark(id, 1, 1).is_err(), "{id}");
        }
    }
}
