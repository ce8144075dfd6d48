//! Small files of a tree as text.

use super::ContextError;
use super::path::RelPath;
use super::resolve::unreadable;
use super::tree::{Entry, Tree};
use super::walk::size;

impl Tree {
    /// A text file, links followed inside the tree; `None` where nothing is.
    ///
    /// # Errors
    /// If it is no file, bigger than `max_bytes`, or not UTF-8.
    pub fn read_text(&self, path: &RelPath, max_bytes: u64) -> Result<Option<String>, ContextError> {
        let Some(located) = self.locate(path)? else { return Ok(None) };
        let file = match located.entry {
            Entry::File(file) => file,
            Entry::Folder => {
                return Err(ContextError::Special { path: path.to_string(), kind: "a folder, not a file" });
            }
            Entry::Submodule => return Err(ContextError::Submodule { path: path.to_string() }),
            Entry::Special(kind) => return Err(ContextError::Special { path: path.to_string(), kind }),
            Entry::Link(_) => return Ok(None),
        };
        if file.size > max_bytes {
            let problem = format!("{} and may have {}", size(file.size), size(max_bytes));
            return Err(ContextError::FileTooBig { path: path.to_string(), problem });
        }
        let content = self.read(&file).map_err(|cause| unreadable(path, cause))?;
        let text = String::from_utf8(content).map_err(|_| ContextError::NotText { path: path.to_string() })?;
        Ok(Some(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text)))
    }

    /// The names of the folders in a folder, in their order; none where the folder is missing.
    ///
    /// # Errors
    /// If the folder cannot be read.
    pub fn folders_in(&self, folder: &RelPath) -> Result<Vec<String>, ContextError> {
        let Some(located) = self.locate(folder)?.filter(|located| located.entry == Entry::Folder) else {
            return Ok(Vec::new());
        };
        let children = self.children(&located.path).map_err(|cause| unreadable(folder, cause))?;
        let mut names: Vec<String> =
            children.into_iter().filter(|(_, entry)| *entry == Entry::Folder).map(|(name, _)| name).collect();
        names.sort();
        Ok(names)
    }
}
