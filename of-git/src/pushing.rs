//! Notes about pushes in progress, so that one that git accepted is never forgotten.
//!
//! Git moves the references, then this process writes the webhooks down. Should it die in between, the note
//! still says what the references were before, and the next start finds out what changed.

use std::io;
use std::path::{Path, PathBuf};

use sdk::id::RepoPath;
use serde::{Deserialize, Serialize};

use crate::atomic_file::{self, blocking};
use crate::refs::Refs;

/// One push in progress.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) path: RepoPath,
    /// The references that the platform knows of.
    pub(crate) before: Refs,
    /// The git process that may be moving them, which can outlive this process for a moment.
    pub(crate) process: Option<u32>,
}

/// The folder of notes, one file for each repository.
#[derive(Debug, Clone)]
pub(crate) struct Notes(PathBuf);

impl Notes {
    /// Opens the folder.
    pub(crate) fn open(folder: PathBuf) -> io::Result<Self> {
        std::fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }

    /// Writes a note. It survives the death of this process when this returns.
    pub(crate) async fn write(&self, note: &Note) -> io::Result<()> {
        let (file, note) = (self.file(&note.path), note.clone());
        blocking(move || atomic_file::write(&file, &serde_json::to_vec(&note)?)).await
    }

    /// The note about a repository that an earlier push could not finish.
    pub(crate) async fn find(&self, path: &RepoPath) -> io::Result<Option<Note>> {
        let file = self.file(path);
        blocking(move || read(&file)).await
    }

    /// Removes a note whose push is dealt with.
    pub(crate) async fn remove(&self, path: &RepoPath) -> io::Result<()> {
        match tokio::fs::remove_file(self.file(path)).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            other => other,
        }
    }

    /// All notes that an earlier process left.
    pub(crate) fn left(&self) -> io::Result<Vec<Note>> {
        let mut notes = Vec::new();
        for entry in std::fs::read_dir(&self.0)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "json") {
                notes.extend(read(&path)?);
            } else {
                std::fs::remove_file(&path)?;
            }
        }
        Ok(notes)
    }

    /// No login contains a dot, so different repositories have different files.
    fn file(&self, path: &RepoPath) -> PathBuf {
        self.0.join(format!("{}.{}.json", path.owner, path.repo.as_str().to_ascii_lowercase()))
    }
}

fn read(file: &Path) -> io::Result<Option<Note>> {
    match std::fs::read(file) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|error| {
            let sentence = format!("the note of a push {} is damaged ({error}); move it away", file.display());
            io::Error::new(io::ErrorKind::InvalidData, sentence)
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// True while the noted git process still runs.
pub(crate) fn is_running(process: u32) -> bool {
    // The number may belong to another program by now; the command line tells.
    std::fs::read(format!("/proc/{process}/cmdline")).is_ok_and(|line| line.windows(12).any(|w| w == b"receive-pack"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_note_is_found_until_it_is_removed() {
        let folder = tempfile::tempdir().unwrap();
        let notes = Notes::open(folder.path().into()).unwrap();
        let path: RepoPath = "alice/Hello".parse().unwrap();
        let before = Refs::from([("refs/heads/main".to_owned(), "a".repeat(40).parse().unwrap())]);
        let note = Note { path: path.clone(), before, process: Some(1) };
        notes.write(&note).await.unwrap();
        assert_eq!(notes.left().unwrap(), std::slice::from_ref(&note));
        assert_eq!(notes.find(&"alice/hello".parse().unwrap()).await.unwrap(), Some(note));
        notes.remove(&path).await.unwrap();
        notes.remove(&path).await.unwrap();
        assert!(notes.left().unwrap().is_empty());
    }

    #[test]
    fn this_process_is_no_git() {
        assert!(!is_running(std::process::id()));
        assert!(!is_running(u32::MAX));
    }
}
