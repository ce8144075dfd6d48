//! What a repository's branches and tags point at, and what a push changed about it.

use std::collections::BTreeMap;
use std::path::Path;

use sdk::id::CommitSha;

use crate::git::{Git, GitError};

/// Every reference and the object it names.
pub(crate) type Refs = BTreeMap<String, CommitSha>;

/// One reference that a push made, moved or removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Update {
    /// The full name, for example `refs/heads/main`.
    pub(crate) reference: String,
    /// What it named before; `None` if it is new.
    pub(crate) before: Option<CommitSha>,
    /// What it names now; `None` if it was removed.
    pub(crate) after: Option<CommitSha>,
}

impl Update {
    /// The branch's name, if this is a branch.
    pub(crate) fn branch(&self) -> Option<&str> {
        self.reference.strip_prefix("refs/heads/")
    }
}

/// All references of a repository.
pub(crate) async fn snapshot(git: &Git, repository: &Path) -> Result<Refs, GitError> {
    let text = git.ask(repository, &["for-each-ref", "--format=%(objectname) %(refname)"]).await?;
    let text = String::from_utf8_lossy(&text);
    let parsed = text.lines().filter_map(|line| {
        let (id, name) = line.split_once(' ')?;
        Some((name.to_owned(), id.parse().ok()?))
    });
    Ok(parsed.collect())
}

/// What changed between two snapshots. Only branches and tags count, as at GitHub.
pub(crate) fn changes(before: &Refs, after: &Refs) -> Vec<Update> {
    let mut updates = Vec::new();
    for (name, id) in after {
        let old = before.get(name);
        if old != Some(id) {
            updates.push(Update { reference: name.clone(), before: old.cloned(), after: Some(id.clone()) });
        }
    }
    for (name, id) in before {
        if !after.contains_key(name) {
            updates.push(Update { reference: name.clone(), before: Some(id.clone()), after: None });
        }
    }
    updates.retain(|u| u.reference.starts_with("refs/heads/") || u.reference.starts_with("refs/tags/"));
    updates
}

/// The branch that `HEAD` names, whether it exists or not.
pub(crate) async fn head_branch(git: &Git, repository: &Path) -> Result<String, GitError> {
    let text = git.ask(repository, &["symbolic-ref", "HEAD"]).await?;
    let text = String::from_utf8_lossy(&text);
    let name = text.trim();
    Ok(name.strip_prefix("refs/heads/").unwrap_or(name).to_owned())
}

/// Makes the first pushed branch the default one. Later pushes leave it alone.
pub(crate) async fn settle_head(git: &Git, repository: &Path, refs: &Refs) -> Result<String, GitError> {
    let current = head_branch(git, repository).await?;
    if refs.contains_key(&format!("refs/heads/{current}")) {
        return Ok(current);
    }
    let Some(chosen) = first_branch(refs) else { return Ok(current) };
    git.ask(repository, &["symbolic-ref", "HEAD", &format!("refs/heads/{chosen}")]).await?;
    Ok(chosen.to_owned())
}

/// When several branches come with the first push, the customary names win.
fn first_branch(refs: &Refs) -> Option<&str> {
    let branches = || refs.keys().filter_map(|name| name.strip_prefix("refs/heads/"));
    ["main", "master"].into_iter().find_map(|wanted| branches().find(|b| *b == wanted)).or_else(|| branches().next())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refs(entries: &[(&str, char)]) -> Refs {
        entries.iter().map(|(n, c)| ((*n).to_owned(), c.to_string().repeat(40).parse().unwrap())).collect()
    }

    #[test]
    fn new_moved_and_removed_references_are_found_and_no_others() {
        let before = refs(&[("refs/heads/a", 'a'), ("refs/heads/b", 'b'), ("refs/tags/t", 'c'), ("refs/notes/n", 'd')]);
        let after = refs(&[("refs/heads/a", 'a'), ("refs/heads/b", 'e'), ("refs/heads/c", 'f'), ("refs/notes/n", 'f')]);
        let found: Vec<_> = changes(&before, &after)
            .into_iter()
            .map(|u| (u.reference, u.before.is_some(), u.after.is_some()))
            .collect();
        assert_eq!(
            found,
            [
                ("refs/heads/b".to_owned(), true, true),
                ("refs/heads/c".to_owned(), false, true),
                ("refs/tags/t".to_owned(), true, false)
            ]
        );
        assert!(changes(&after, &after).is_empty());
    }

    #[test]
    fn customary_names_win_as_the_default_branch() {
        assert_eq!(first_branch(&refs(&[("refs/heads/a", 'a'), ("refs/heads/main", 'b')])), Some("main"));
        assert_eq!(first_branch(&refs(&[("refs/heads/x", 'a'), ("refs/heads/y", 'b')])), Some("x"));
        assert_eq!(first_branch(&refs(&[("refs/tags/main", 'a')])), None);
    }
}
