//! Fetched states of template repositories on disk: `<repository and ref>-<commit>`, each an object database.

use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

/// States that are kept. Users may name states (`lang@ref`), so there is a bound.
const MAX_KEPT: usize = 64;

/// Copies a fetched commit to where it stays; the cache may be on another disk than the work folder. Another
/// process may have been first, which is as good.
pub(super) fn keep(fresh: &Path, folder: &Path) -> io::Result<()> {
    let staged = folder.with_extension(std::process::id().to_string());
    copy(fresh, &staged)?;
    match fs::rename(&staged, folder) {
        Err(_) if folder.exists() => fs::remove_dir_all(&staged),
        renamed => renamed,
    }
}

/// Removes the states that `kept` replaces, and the oldest ones where there are too many. A state that is in
/// use has its files open and loses only their names.
pub(super) fn prune(cache: &Path, kept: &Path) {
    let name_of = |path: &Path| path.file_name().and_then(|name| name.to_str()).unwrap_or_default().to_owned();
    let kept_name = name_of(kept);
    let same = kept_name.split('-').next().unwrap_or_default().to_owned();
    let mut others = Vec::new();
    for entry in fs::read_dir(cache).into_iter().flatten().flatten().filter(|entry| entry.path() != kept) {
        if name_of(&entry.path()).split('-').next() == Some(same.as_str()) {
            remove(&entry.path());
        } else {
            let age = entry.metadata().and_then(|meta| meta.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
            others.push((age, entry.path()));
        }
    }
    others.sort();
    let surplus = (others.len() + 1).saturating_sub(MAX_KEPT);
    others.iter().take(surplus).for_each(|(_, path)| remove(path));
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_dir_all(path) {
        tracing::warn!(path = %path.display(), %error, "An old state of templates could not be removed");
    }
}

/// An object database is a folder with one folder of packs.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(cache: &Path) -> Vec<String> {
        let mut names: Vec<String> =
            fs::read_dir(cache).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn replaced_and_surplus_states_go() {
        let cache = tempfile::tempdir().unwrap();
        for name in ["aa-1", "aa-2", "aa-3.99", "bb-1"] {
            fs::create_dir(cache.path().join(name)).unwrap();
        }
        prune(cache.path(), &cache.path().join("aa-2"));
        assert_eq!(names(cache.path()), ["aa-2", "bb-1"]);
        for number in 0..80 {
            fs::create_dir(cache.path().join(format!("c{number}-1"))).unwrap();
        }
        prune(cache.path(), &cache.path().join("aa-2"));
        assert_eq!(names(cache.path()).len(), MAX_KEPT);
        assert!(names(cache.path()).contains(&"aa-2".to_owned()));
    }

    #[test]
    fn a_state_is_kept_once() {
        let dir = tempfile::tempdir().unwrap();
        let (fresh, folder) = (dir.path().join("fresh"), dir.path().join("cache/aa-1"));
        fs::create_dir_all(fresh.join("pack")).unwrap();
        fs::write(fresh.join("pack/p"), "x").unwrap();
        for _ in 0..2 {
            keep(&fresh, &folder).unwrap();
            assert_eq!(fs::read_to_string(folder.join("pack/p")).unwrap(), "x");
        }
        assert_eq!(names(&dir.path().join("cache")), ["aa-1"]);
    }
}
