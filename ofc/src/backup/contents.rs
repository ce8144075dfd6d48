//! What of a data directory belongs into a backup.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::data_dir::DataDir;
use crate::report::Trouble;

/// What cannot be made again, and may be read while a platform runs: every file of it is replaced as a whole.
pub(super) const ESSENTIAL: &[&str] = &[
    "secrets",
    "sealing-keys",
    "secret-records",
    "customers",
    "acme",
    "auth/tenants.json",
    "gateway/instance",
    "gateway/namespaces.json",
    "gateway/secrets",
    "git/organisations",
    "git/owners.json",
];

/// What every start makes anew, or is of the running process alone.
const TRANSIENT: &[&str] = &["ofc.lock", "running.json", "ofc.log", "ofc.out", "templates", "work"];

/// How much is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Everything but what each start makes anew; the platform must not run.
    Whole,
    /// What cannot be made again, of a platform that may run.
    Essential,
}

/// A file or folder that is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Item {
    /// Relative to the data directory.
    pub(super) path: PathBuf,
    pub(super) is_folder: bool,
}

/// What was taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// By its first part, in order.
    pub(crate) parts: Vec<String>,
    pub(crate) files: usize,
    pub(crate) bytes: u64,
}

/// All that is taken, folders before what is in them.
///
/// # Errors
/// When something cannot be read, or is neither a plain file nor a folder.
pub(super) fn list(data: &DataDir, scope: Scope) -> anyhow::Result<Vec<Item>> {
    let mut items = Vec::new();
    let roots: Vec<PathBuf> = match scope {
        Scope::Essential => ESSENTIAL.iter().map(PathBuf::from).collect(),
        Scope::Whole => names(data.root()).map_err(|cause| unreadable(data.root(), cause))?,
    };
    for root in roots {
        if scope == Scope::Essential || !is_transient(&root) {
            add(data.root(), root, &mut items)?;
        }
    }
    Ok(items)
}

/// Whether a name at the top of a data directory is made anew by each start.
pub(super) fn is_transient(name: &Path) -> bool {
    let name = name.to_string_lossy();
    let rotated = name.strip_prefix("ofc.log").is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    rotated || TRANSIENT.contains(&&*name) || name.starts_with(".writable")
}

fn add(top: &Path, path: PathBuf, items: &mut Vec<Item>) -> anyhow::Result<()> {
    let whole = top.join(&path);
    let about = match fs::symlink_metadata(&whole) {
        Ok(about) => about,
        // Essential things that this platform does not have, and files that were replaced this very moment.
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(cause) => return Err(unreadable(&whole, cause).into()),
    };
    if about.is_file() {
        // Halves of files that are about to be replaced.
        let is_half = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".new-"));
        if !is_half {
            items.push(Item { path, is_folder: false });
        }
        return Ok(());
    }
    if !about.is_dir() {
        let sentence = format!("{} is neither a file nor a folder", whole.display());
        return Err(Trouble::new(sentence).hint("the platform made no such thing: move it away").into());
    }
    items.push(Item { path: path.clone(), is_folder: true });
    let inside = match names(&whole) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => return Ok(()),
        inside => inside.map_err(|cause| unreadable(&whole, cause))?,
    };
    inside.into_iter().try_for_each(|name| add(top, path.join(name), items))
}

fn names(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder)? {
        names.push(PathBuf::from(entry?.file_name()));
    }
    names.sort();
    Ok(names)
}

pub(super) fn unreadable(path: &Path, cause: io::Error) -> Trouble {
    Trouble::new(format!("{} cannot be read", path.display())).hint("is this data directory yours?").because(cause)
}

impl Summary {
    /// Counts a file or folder.
    pub(super) fn count(&mut self, path: &Path, bytes: Option<u64>) {
        let first = path.iter().next().map(|part| part.to_string_lossy().into_owned()).unwrap_or_default();
        if !self.parts.contains(&first) {
            self.parts.push(first);
        }
        if let Some(bytes) = bytes {
            self.files += 1;
            self.bytes += bytes;
        }
    }
}
