//! Files and folders of a commit.

use std::path::Path;

use sdk::id::CommitSha;

use crate::git::{Git, GitError};

/// The longest path, in bytes.
const MAX_PATH: usize = 4096;

/// One entry of a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// The object's id.
    pub(crate) id: String,
    /// In bytes; 0 where it is no file.
    pub(crate) size: u64,
}

/// What an entry is, by git's modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Folder,
    Link,
    Submodule,
}

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    One(Entry),
    Folder(Vec<Entry>),
}

/// Looks a path up in a commit; the empty one is the root. `None` if nothing is there.
pub(crate) async fn find(git: &Git, repository: &Path, sha: &CommitSha, path: &str) -> Result<Option<Found>, GitError> {
    let path = path.trim_matches('/');
    let is_plain = path.len() <= MAX_PATH && !path.contains(['\0', '\n']);
    if !is_plain {
        return Ok(None);
    }
    if path.is_empty() {
        return Ok(list(git, repository, sha, "").await?.map(Found::Folder));
    }
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let Some(siblings) = list(git, repository, sha, folder).await? else { return Ok(None) };
    let Some(entry) = siblings.into_iter().find(|entry| entry.name == name) else { return Ok(None) };
    if entry.kind == Kind::Folder {
        return Ok(list(git, repository, sha, path).await?.map(Found::Folder));
    }
    Ok(Some(Found::One(entry)))
}

/// A file's bytes.
pub(crate) async fn content(git: &Git, repository: &Path, id: &str) -> Result<Vec<u8>, GitError> {
    git.ask(repository, &["cat-file", "blob", id]).await
}

async fn list(git: &Git, repository: &Path, sha: &CommitSha, folder: &str) -> Result<Option<Vec<Entry>>, GitError> {
    let tree = format!("{sha}:{folder}");
    match git.ask(repository, &["ls-tree", "-z", "-l", tree.as_str()]).await {
        Ok(answer) => Ok(Some(answer.split(|b| *b == 0).filter_map(entry).collect())),
        Err(GitError::Failed { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// `<mode> <type> <id> <size>\t<name>`; a name that is no text cannot be asked for either.
fn entry(line: &[u8]) -> Option<Entry> {
    let (about, name) = std::str::from_utf8(line).ok()?.split_once('\t')?;
    let mut words = about.split_ascii_whitespace();
    let kind = match words.next()? {
        "120000" => Kind::Link,
        "160000" => Kind::Submodule,
        "040000" => Kind::Folder,
        _ => Kind::File,
    };
    let id = words.nth(1)?.to_owned();
    Some(Entry { name: name.to_owned(), kind, id, size: words.next()?.parse().unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_by_their_modes() {
        let file = entry(b"100755 blob abc      12\ta b").unwrap();
        assert_eq!((file.kind, file.size, file.name.as_str(), file.id.as_str()), (Kind::File, 12, "a b", "abc"));
        let kinds = ["040000 tree", "120000 blob", "160000 commit"]
            .map(|start| entry(format!("{start} abc       -\tx").as_bytes()).unwrap().kind);
        assert_eq!(kinds, [Kind::Folder, Kind::Link, Kind::Submodule]);
        assert_eq!(entry(b""), None);
        assert_eq!(entry(b"100644 blob abc 1\t\xff"), None);
    }
}
