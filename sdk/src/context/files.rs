//! The files of a plan: a sorted set of paths, each with the place of its content.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ContextError;
use super::path::RelPath;
use super::tree::{FileEntry, Tree};

/// A file of a plan and the tree that has its content.
#[derive(Debug, Clone)]
pub(super) struct PlannedFile {
    pub(super) tree: Arc<Tree>,
    pub(super) file: FileEntry,
    /// Its path in the tree, perhaps through links.
    pub(super) origin: RelPath,
}

/// Files by their path; the order is that of the digest and of the tar.
#[derive(Debug, Clone, Default)]
pub(super) struct FileSet {
    files: BTreeMap<RelPath, FileEntry>,
}

impl FileSet {
    pub(super) fn insert(&mut self, path: RelPath, file: FileEntry) {
        self.files.insert(path, file);
    }

    pub(super) fn len(&self) -> usize {
        self.files.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&RelPath, &FileEntry)> {
        self.files.iter()
    }
}

/// Files of several trees laid over each other.
#[derive(Debug, Clone, Default)]
pub(super) struct Layers {
    pub(super) files: BTreeMap<RelPath, PlannedFile>,
}

impl Layers {
    /// Lays `files`, found at `from` in `tree`, at `at`, over what is there.
    pub(super) fn lay(&mut self, tree: &Arc<Tree>, from: &RelPath, at: &RelPath, files: &FileSet) {
        for (path, file) in files.iter() {
            let (tree, file, origin) = (Arc::clone(tree), file.clone(), from.below(path));
            self.files.insert(at.below(path), PlannedFile { tree, file, origin });
        }
    }

    /// Refuses a path that is a file and a folder at once.
    pub(super) fn check_shape(&self) -> Result<(), ContextError> {
        for path in self.files.keys() {
            let mut folder = path.parent();
            while !folder.is_root() {
                if self.files.contains_key(&folder) {
                    return Err(ContextError::Clash { path: folder.to_string() });
                }
                folder = folder.parent();
            }
        }
        Ok(())
    }
}
