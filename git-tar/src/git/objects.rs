//! A fetched commit as a tree of files.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use git2::{ObjectType, Odb, Oid};
use sdk::context::{Entry, FileEntry, ReadError, RelPath, Source};
use sdk::id::CommitSha;
use tempfile::TempDir;

use super::{About, GitError};

/// The longest target of a link in bytes; the kernel's own bound.
const MAX_LINK: usize = 4096;
/// The largest folder listing in bytes.
const MAX_TREE: usize = 16 * 1024 * 1024;

/// One line of a folder's listing.
#[derive(Debug, Clone)]
struct Item {
    name: String,
    mode: u32,
    id: Oid,
}

/// The files of one commit in an object database on disk. `keep` is dropped with it: the database's folder.
pub(crate) struct CommitTree<K> {
    odb: Mutex<Odb<'static>>,
    root: Oid,
    about: About,
    /// The folders of submodules whose objects are there, too.
    modules: HashMap<RelPath, Oid>,
    folders: Mutex<HashMap<RelPath, Arc<Vec<Item>>>>,
    keep: K,
}

impl<K> CommitTree<K> {
    /// Opens the commit in the object database at `folder`.
    pub(crate) fn open(folder: &Path, commit: &CommitSha, keep: K) -> Result<Self, GitError> {
        let broken = |error: git2::Error| GitError::Broken(error.message().to_owned());
        let path = folder.to_str().ok_or(GitError::Broken("its folder's name is not UTF-8".to_owned()))?;
        let odb = Odb::new().map_err(broken)?;
        odb.add_disk_alternate(path).map_err(broken)?;
        let (root, about) = read_commit(&odb, commit)?;
        Ok(Self { odb: Mutex::new(odb), root, about, modules: HashMap::new(), folders: Mutex::default(), keep })
    }

    /// What the commit says of itself.
    pub(crate) fn about(&self) -> &About {
        &self.about
    }

    /// The commit that a path is a submodule at.
    pub(crate) fn module_at(&self, path: &RelPath) -> Result<Option<CommitSha>, ReadError> {
        let item = if path.is_root() { None } else { self.item(path)? };
        item.filter(|item| item.mode == COMMIT).map(|item| Ok(item.id.to_string().parse()?)).transpose()
    }

    fn odb(&self) -> MutexGuard<'_, Odb<'static>> {
        self.odb.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A folder's listing; `None` if the path is no folder.
    fn listing(&self, folder: &RelPath) -> Result<Option<Arc<Vec<Item>>>, ReadError> {
        let known = self.folders.lock().unwrap_or_else(PoisonError::into_inner).get(folder).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let id = if folder.is_root() {
            self.root
        } else {
            match (self.item(folder)?, self.modules.get(folder)) {
                (Some(item), _) if item.mode == TREE => item.id,
                (Some(item), Some(root)) if item.mode == COMMIT => *root,
                _ => return Ok(None),
            }
        };
        let listing = Arc::new(parse_tree(&self.object(id, ObjectType::Tree, MAX_TREE)?)?);
        self.folders.lock().unwrap_or_else(PoisonError::into_inner).insert(folder.clone(), Arc::clone(&listing));
        Ok(Some(listing))
    }

    fn item(&self, path: &RelPath) -> Result<Option<Item>, ReadError> {
        let name = path.parts().next_back().unwrap_or_default();
        let listing = self.listing(&path.parent())?;
        Ok(listing.and_then(|items| items.iter().find(|item| item.name == name).cloned()))
    }

    fn object(&self, id: Oid, kind: ObjectType, max: usize) -> Result<Vec<u8>, ReadError> {
        let odb = self.odb();
        let (size, found) = odb.read_header(id)?;
        if found != kind || size > max {
            return Err(format!("the object {id} is not a {kind} of at most {max} bytes").into());
        }
        Ok(odb.read(id)?.data().to_vec())
    }

    /// What a line of `folder`'s listing is.
    fn describe(&self, folder: &RelPath, item: &Item) -> Result<Entry, ReadError> {
        Ok(match item.mode {
            TREE => Entry::Folder,
            LINK => {
                let target = self.object(item.id, ObjectType::Blob, MAX_LINK)?;
                Entry::Link(String::from_utf8(target).map_err(|_| format!("the link '{}' is not UTF-8", item.name))?)
            }
            COMMIT if folder.join(&item.name).is_ok_and(|path| self.modules.contains_key(&path)) => Entry::Folder,
            COMMIT => Entry::Submodule,
            UNREADABLE => Entry::Special("a file whose name is not UTF-8"),
            mode if mode & KIND == FILE => {
                let (size, _) = self.odb().read_header(item.id)?;
                Entry::File(FileEntry { id: item.id.to_string(), size: size as u64, executable: mode & 0o100 != 0 })
            }
            _ => Entry::Special("of no known kind"),
        })
    }
}

impl CommitTree<Vec<Arc<TempDir>>> {
    /// The same, with the files of a submodule's commit, whose object database is in `folder`, at `path`.
    pub(crate) fn with_module(
        mut self,
        path: RelPath,
        folder: Arc<TempDir>,
        commit: &CommitSha,
    ) -> Result<Self, GitError> {
        let broken = |error: git2::Error| GitError::Broken(error.message().to_owned());
        let name = folder.path().to_str().ok_or(GitError::Broken("its folder's name is not UTF-8".to_owned()))?;
        let odb = self.odb.get_mut().unwrap_or_else(PoisonError::into_inner);
        odb.add_disk_alternate(name).map_err(broken)?;
        let (root, _) = read_commit(odb, commit)?;
        self.modules.insert(path, root);
        self.keep.push(folder);
        Ok(self)
    }
}

impl<K: Send + Sync> Source for CommitTree<K> {
    fn entry(&self, path: &RelPath) -> Result<Option<Entry>, ReadError> {
        self.item(path)?.map(|item| self.describe(&path.parent(), &item)).transpose()
    }

    fn children(&self, folder: &RelPath) -> Result<Vec<(String, Entry)>, ReadError> {
        let listing = self.listing(folder)?.ok_or("it is not a folder")?;
        listing.iter().map(|item| Ok((item.name.clone(), self.describe(folder, item)?))).collect()
    }

    fn read(&self, file: &FileEntry) -> Result<Vec<u8>, ReadError> {
        self.object(Oid::from_str(&file.id)?, ObjectType::Blob, usize::try_from(file.size)?)
    }
}

const KIND: u32 = 0o170_000;
const TREE: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;
const COMMIT: u32 = 0o160_000;
/// A mode of ours for what has a name that is not UTF-8.
const UNREADABLE: u32 = 0;

/// The root folder of a commit, and what else it says.
fn read_commit(odb: &Odb<'_>, commit: &CommitSha) -> Result<(Oid, About), GitError> {
    let broken = |error: git2::Error| GitError::Broken(error.message().to_owned());
    let id = Oid::from_str(commit.as_str()).map_err(broken)?;
    let object = odb.read(id).map_err(|_| GitError::UnknownCommit)?;
    if object.kind() != ObjectType::Commit {
        return Err(GitError::UnknownCommit);
    }
    let root = root_of(object.data()).ok_or(GitError::Broken("the commit names no tree".to_owned()))?;
    Ok((root, About::parse(object.data())))
}

/// The tree in a commit's first line.
fn root_of(commit: &[u8]) -> Option<Oid> {
    let line = commit.split(|byte| *byte == b'\n').next()?;
    let id = std::str::from_utf8(line.strip_prefix(b"tree ")?).ok()?;
    Oid::from_str(id).ok()
}

/// `<mode> <name>\0<20 bytes of id>`, again and again.
fn parse_tree(mut data: &[u8]) -> Result<Vec<Item>, ReadError> {
    let mut items = Vec::new();
    while !data.is_empty() {
        let space = data.iter().position(|byte| *byte == b' ').ok_or("a folder's listing is broken")?;
        let end =
            data.iter().position(|byte| *byte == 0).filter(|end| *end > space).ok_or("a folder's listing is broken")?;
        let id = data.get(end + 1..end + 21).ok_or("a folder's listing is broken")?;
        let mode = u32::from_str_radix(std::str::from_utf8(&data[..space])?, 8)?;
        let name = &data[space + 1..end];
        // Only a function that has such a name in its folder is refused for it.
        let mode = if std::str::from_utf8(name).is_ok() { mode } else { UNREADABLE };
        items.push(Item { name: String::from_utf8_lossy(name).into_owned(), mode, id: Oid::from_bytes(id)? });
        data = &data[end + 21..];
    }
    Ok(items)
}
