//! Symbolic links are followed on paper: none may lead out of the context, not even by way of another link.

use std::collections::VecDeque;

use super::kind::Kind;
use super::{ArchiveError, Tree};

/// As many as the kernel follows.
const MAX_HOPS: usize = 40;

/// Checks that every link stays inside and that nothing lies below what is not a folder.
pub(super) fn check(tree: &Tree) -> Result<(), ArchiveError> {
    for (path, kind) in tree {
        check_ancestors(tree, path)?;
        if matches!(kind, Kind::Link(_)) && !stays_inside(tree, path) {
            return Err(ArchiveError::Escape(format!("context/{path}")));
        }
    }
    Ok(())
}

fn check_ancestors(tree: &Tree, path: &str) -> Result<(), ArchiveError> {
    let above = path.match_indices('/').map(|(end, _)| &path[..end]);
    for ancestor in above {
        if !matches!(tree.get(ancestor), None | Some(Kind::Folder)) {
            return Err(ArchiveError::NotAFolder(format!("context/{ancestor}")));
        }
    }
    Ok(())
}

/// Walks the link's path as the kernel would, with `context` as the place that must not be left.
fn stays_inside(tree: &Tree, link: &str) -> bool {
    let mut here: Vec<&str> = Vec::new();
    let mut ahead: VecDeque<&str> = link.split('/').collect();
    let mut hops = 0;
    while let Some(part) = ahead.pop_front() {
        match part {
            "" | "." => continue,
            ".." => {
                if here.pop().is_none() {
                    return false;
                }
                continue;
            }
            _ => here.push(part),
        }
        if let Some(Kind::Link(target)) = tree.get(&here.join("/")) {
            hops += 1;
            if hops > MAX_HOPS || target.starts_with('/') {
                return false;
            }
            here.pop();
            for part in target.rsplit('/') {
                ahead.push_front(part);
            }
        }
    }
    true
}
