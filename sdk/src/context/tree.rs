//! Where the files of a template or a repository are kept.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use super::files::FileSet;
use super::lfs::pointed_to;
use super::path::RelPath;

/// What a path of a tree names. Links are entries of their own and never followed here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A folder.
    Folder,
    /// A plain file.
    File(FileEntry),
    /// A link and its target as written.
    Link(String),
    /// Another repository's commit, which is not here.
    Submodule,
    /// Anything else, with its kind for a sentence ("a socket").
    Special(&'static str),
}

/// A plain file of a tree.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct FileEntry {
    /// What the source knows the content by.
    pub id: String,
    /// Its size in bytes.
    pub size: u64,
    /// Whether it may be run.
    pub executable: bool,
}

/// A tree that could not be read: nothing that whoever pushed can mend.
pub type ReadError = Box<dyn std::error::Error + Send + Sync>;

/// A keeper of files. There are two: [`super::Folder`] on disk, and the objects of a fetched commit.
pub trait Source: Send + Sync {
    /// What is at `path`, links not followed; `None` where nothing is. `path`'s parents are folders.
    ///
    /// # Errors
    /// If the tree cannot be read.
    fn entry(&self, path: &RelPath) -> Result<Option<Entry>, ReadError>;

    /// The names in a folder with what they are, in any order.
    ///
    /// # Errors
    /// If the folder cannot be read, or a name is not UTF-8.
    fn children(&self, folder: &RelPath) -> Result<Vec<(String, Entry)>, ReadError>;

    /// A file's content.
    ///
    /// # Errors
    /// If it cannot be read, or is longer than the size it was listed with.
    fn read(&self, file: &FileEntry) -> Result<Vec<u8>, ReadError>;
}

/// What is remembered of a file's content.
#[derive(Debug, Clone, Copy)]
struct Known {
    hash: [u8; 32],
    /// See [`pointed_to`].
    pointed_to: Option<u64>,
}

/// A [`Source`] that remembers what it has hashed and listed, so that a template used by fifty functions,
/// or by a thousand pushes, is read once.
pub struct Tree {
    source: Box<dyn Source>,
    known: Mutex<HashMap<String, Known>>,
    listed: Mutex<HashMap<RelPath, Arc<FileSet>>>,
}

impl Tree {
    /// Wraps a source whose content does not change.
    pub fn new(source: impl Source + 'static) -> Arc<Self> {
        Arc::new(Self { source: Box::new(source), known: Mutex::default(), listed: Mutex::default() })
    }

    /// See [`Source::entry`].
    pub(super) fn entry(&self, path: &RelPath) -> Result<Option<Entry>, ReadError> {
        if path.is_root() { Ok(Some(Entry::Folder)) } else { self.source.entry(path) }
    }

    /// See [`Source::children`].
    pub(super) fn children(&self, folder: &RelPath) -> Result<Vec<(String, Entry)>, ReadError> {
        self.source.children(folder)
    }

    /// What has been walked already, by folder.
    pub(super) fn listed(&self) -> MutexGuard<'_, HashMap<RelPath, Arc<FileSet>>> {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A file's content.
    ///
    /// # Errors
    /// If it cannot be read or does not have the size it was listed with.
    pub fn read(&self, file: &FileEntry) -> Result<Vec<u8>, ReadError> {
        let content = self.source.read(file)?;
        if content.len() as u64 != file.size {
            return Err(format!("has {} bytes instead of {}", content.len(), file.size).into());
        }
        Ok(content)
    }

    /// The SHA-256 of a file's content.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn hash(&self, file: &FileEntry) -> Result<[u8; 32], ReadError> {
        self.known(file).map(|known| known.hash)
    }

    /// The size of what a file stands for, where it is a Git LFS pointer.
    pub(super) fn pointed_to(&self, file: &FileEntry) -> Result<Option<u64>, ReadError> {
        self.known(file).map(|known| known.pointed_to)
    }

    fn known(&self, file: &FileEntry) -> Result<Known, ReadError> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&file.id).copied();
        if let Some(known) = known {
            return Ok(known);
        }
        let content = self.read(file)?;
        let known = Known { hash: Sha256::digest(&content).into(), pointed_to: pointed_to(&content) };
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(file.id.clone(), known);
        Ok(known)
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tree").finish_non_exhaustive()
    }
}
