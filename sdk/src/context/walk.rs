//! All files below a folder, links followed where they stay inside.

use std::sync::Arc;

use super::files::FileSet;
use super::path::RelPath;
use super::resolve::{link, unreadable};
use super::tree::{Entry, FileEntry, Tree};
use super::{ContextError, Limits};

/// Top-level names of a handler that faas-cli leaves out: its own output and input.
const LEFT_OUT: [&str; 2] = ["build", "template"];

impl Tree {
    /// The files below `folder`, a path without links, by their path inside it. Remembered per folder.
    pub(super) fn files_below(
        self: &Arc<Self>,
        folder: &RelPath,
        handler: bool,
        limits: &Limits,
    ) -> Result<Arc<FileSet>, ContextError> {
        let mut walk = Walk { tree: self, limits, files: FileSet::default(), bytes: 0, ancestors: Vec::new() };
        walk.folder(folder, &RelPath::root(), handler)?;
        Ok(Arc::new(walk.files))
    }

    /// [`Tree::files_below`] for a template's folder, which every function that uses it asks for.
    pub(super) fn template_files(
        self: &Arc<Self>,
        folder: &RelPath,
        limits: &Limits,
    ) -> Result<Arc<FileSet>, ContextError> {
        let known = self.listed().get(folder).cloned();
        if let Some(files) = known {
            return Ok(files);
        }
        let files = self.files_below(folder, false, limits)?;
        self.listed().insert(folder.clone(), Arc::clone(&files));
        Ok(files)
    }

    /// A single file or all files below a folder, at their own path.
    pub(super) fn extra(self: &Arc<Self>, path: &RelPath, limits: &Limits) -> Result<Arc<FileSet>, ContextError> {
        let missing = || ContextError::Missing { what: "configuration.copy".to_owned(), path: path.to_string() };
        let located = self.locate(path)?.ok_or_else(missing)?;
        if located.entry == Entry::Folder {
            return self.files_below(&located.path, false, limits);
        }
        let mut walk = Walk { tree: self, limits, files: FileSet::default(), bytes: 0, ancestors: Vec::new() };
        walk.add(located.entry, &located.path, RelPath::root(), false)?;
        Ok(Arc::new(walk.files))
    }
}

struct Walk<'a> {
    tree: &'a Arc<Tree>,
    limits: &'a Limits,
    files: FileSet,
    bytes: u64,
    /// The folders that are being walked, without links: meeting one again is a circle.
    ancestors: Vec<RelPath>,
}

impl Walk<'_> {
    fn folder(&mut self, folder: &RelPath, shown: &RelPath, handler: bool) -> Result<(), ContextError> {
        if self.ancestors.contains(folder) {
            return Err(link(shown, "leads back to a folder around it"));
        }
        if self.ancestors.len() >= self.limits.max_depth {
            return Err(self.too_big(folder, format!("more than {} folders inside each other", self.limits.max_depth)));
        }
        self.ancestors.push(folder.clone());
        let children = self.tree.children(folder).map_err(|cause| unreadable(folder, cause))?;
        for (name, entry) in children {
            if name.eq_ignore_ascii_case(".git") || (handler && LEFT_OUT.contains(&name.as_str())) {
                continue;
            }
            let join = |base: &RelPath| {
                base.join(&name).map_err(|problem| ContextError::Path { what: folder.to_string(), problem })
            };
            self.add(entry, &join(folder)?, join(shown)?, true)?;
        }
        self.ancestors.pop();
        Ok(())
    }

    /// Adds what is at `real` under the name `shown`.
    fn add(&mut self, entry: Entry, real: &RelPath, shown: RelPath, follow: bool) -> Result<(), ContextError> {
        match entry {
            Entry::Folder => self.folder(real, &shown, false),
            Entry::File(file) => self.file(file, real, shown),
            Entry::Submodule => Err(ContextError::Submodule { path: real.to_string() }),
            Entry::Special(kind) => Err(ContextError::Special { path: real.to_string(), kind }),
            Entry::Link(target) if follow => {
                let shown_target: String = target.chars().filter(|c| !c.is_control()).take(120).collect();
                let found = self.tree.locate(real)?;
                let found = found
                    .ok_or_else(|| link(real, format!("points to '{shown_target}', which is not in the repository")))?;
                self.add(found.entry, &found.path, shown, false)
            }
            Entry::Link(_) => Err(link(real, "could not be followed")),
        }
    }

    fn file(&mut self, file: FileEntry, real: &RelPath, shown: RelPath) -> Result<(), ContextError> {
        self.bytes = self.bytes.saturating_add(file.size);
        let limits = self.limits;
        if file.size > limits.max_file_bytes {
            return Err(self
                .too_big(real, format!("a file of {} and may have {}", size(file.size), size(limits.max_file_bytes))));
        }
        if self.bytes > limits.max_total_bytes {
            return Err(self.too_big(real, format!("more than {} in its files", size(limits.max_total_bytes))));
        }
        if self.files.len() >= limits.max_files {
            return Err(self.too_big(real, format!("more than {} files", limits.max_files)));
        }
        self.files.insert(shown, file);
        Ok(())
    }

    fn too_big(&self, path: &RelPath, problem: String) -> ContextError {
        ContextError::TooBig { path: path.to_string(), problem }
    }
}

/// A size as people read it.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{} KiB", bytes / 1024),
        _ => format!("{} MiB", bytes / 1_048_576),
    }
}
