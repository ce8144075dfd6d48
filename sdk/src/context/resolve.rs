//! From a path as written to what it names, through links that stay inside the tree.

use super::path::RelPath;
use super::tree::{Entry, Tree};
use super::{ContextError, ReadError};

/// How many links one path may lead through; the kernel's own bound.
const MAX_HOPS: usize = 40;
/// The longest target of a link in bytes; the kernel's own bound.
const MAX_TARGET: usize = 4096;

/// What a path names after all links.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The path without links.
    pub path: RelPath,
    /// What is there: never a link.
    pub entry: Entry,
}

impl Tree {
    /// Follows `path` from the root; `None` where nothing is.
    ///
    /// # Errors
    /// For links that leave the tree or lead round in circles, and for trees that cannot be read.
    pub fn locate(&self, path: &RelPath) -> Result<Option<Located>, ContextError> {
        let mut todo: Vec<String> = path.parts().rev().map(str::to_owned).collect();
        let mut located = Located { path: RelPath::root(), entry: Entry::Folder };
        let mut hops = 0;
        while let Some(part) = todo.pop() {
            match located.entry {
                Entry::Folder => {}
                Entry::Submodule => return Err(ContextError::Submodule { path: located.path.to_string() }),
                _ => return Ok(None),
            }
            if part == ".." {
                // Only links bring "..", and what is located has no links in it: going up is exact.
                if located.path.is_root() {
                    return Err(link(path, "leaves the repository"));
                }
                located.path = located.path.parent();
                continue;
            }
            let next =
                located.path.join(&part).map_err(|problem| ContextError::Path { what: path.to_string(), problem })?;
            match self.entry(&next).map_err(|cause| unreadable(&next, cause))? {
                None => return Ok(None),
                Some(Entry::Link(target)) => {
                    hops += 1;
                    if hops > MAX_HOPS {
                        return Err(link(path, "leads round in circles"));
                    }
                    push_target(&mut todo, &target, &next)?;
                }
                Some(entry) => located = Located { path: next, entry },
            }
        }
        Ok(Some(located))
    }
}

/// Puts a link's target in front of what is still to be walked.
fn push_target(todo: &mut Vec<String>, target: &str, at: &RelPath) -> Result<(), ContextError> {
    if target.starts_with('/') {
        return Err(link(at, "points to an absolute path"));
    }
    if target.is_empty() || target.contains('\0') || target.len() > MAX_TARGET {
        return Err(link(at, "has no usable target"));
    }
    todo.extend(target.split('/').rev().filter(|part| !matches!(*part, "" | ".")).map(str::to_owned));
    Ok(())
}

pub(super) fn link(at: &RelPath, problem: impl Into<String>) -> ContextError {
    ContextError::Link { link: at.to_string(), problem: problem.into() }
}

pub(super) fn unreadable(path: &RelPath, cause: ReadError) -> ContextError {
    ContextError::Read { path: path.to_string(), cause }
}
