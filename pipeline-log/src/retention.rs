//! How much of a repository's logs a directory keeps. (An S3 service has life-cycle rules for that.)
//!
//! Whoever may push could fill the disk with logs otherwise, and nobody asks for those of a hundred commits ago.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::log_key::Name;

/// What is kept of each repository, the newest first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Retention {
    pub(crate) commits: usize,
    pub(crate) bytes: u64,
}

pub(crate) const USUAL: Retention = Retention { commits: 100, bytes: 256 * 1024 * 1024 };

/// Removes the oldest commits' logs beside `commit`, the folder of the one that was just written.
pub(crate) fn apply(retention: Retention, commit: &Path) -> io::Result<()> {
    let Some(repository) = commit.parent() else { return Ok(()) };
    let mut others: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(repository)? {
        let entry = entry?;
        if entry.path() != commit {
            others.push((entry.metadata()?.modified()?, entry.path()));
        }
    }
    others.sort_by(|a, b| b.cmp(a));
    let (mut kept, mut bytes) = (1, trim(commit, retention.bytes)?);
    for (_, path) in others {
        bytes = bytes.saturating_add(size(&path)?);
        if kept < retention.commits && bytes <= retention.bytes {
            kept += 1;
        } else {
            fs::remove_dir_all(&path)?;
        }
    }
    Ok(())
}

/// Removes the oldest whole logs of a commit that has more than `most` by itself, but never the newest; what is left. A commit
/// may have many functions.
fn trim(commit: &Path, most: u64) -> io::Result<u64> {
    let (mut bytes, mut logs) = (size(commit)?, Vec::new());
    for function in fs::read_dir(commit)? {
        let log = function?.path().join(Name::Packed.to_string());
        if let Ok(metadata) = log.metadata() {
            logs.push((metadata.modified()?, metadata.len(), log));
        }
    }
    logs.sort();
    logs.pop();
    for (_, length, log) in logs {
        if bytes <= most {
            break;
        }
        fs::remove_file(log)?;
        bytes = bytes.saturating_sub(length);
    }
    Ok(bytes)
}

/// The bytes of all files of a commit's functions.
fn size(commit: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    for function in fs::read_dir(commit)? {
        for file in fs::read_dir(function?.path())? {
            bytes += file?.metadata()?.len();
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn repository(commits: usize) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for number in 0..commits {
            let commit = folder.path().join(number.to_string());
            fs::create_dir_all(commit.join("fn")).unwrap();
            fs::write(commit.join("fn/build.log"), "0123456789").unwrap();
            let when = SystemTime::UNIX_EPOCH + Duration::from_secs(number as u64 + 1);
            fs::File::open(&commit).unwrap().set_modified(when).unwrap();
        }
        folder
    }

    fn left(folder: &tempfile::TempDir) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn the_newest_commits_stay_and_the_one_just_written_always() {
        let folder = repository(6);
        apply(Retention { commits: 3, bytes: 1000 }, &folder.path().join("0")).unwrap();
        assert_eq!(left(&folder), ["0", "4", "5"]);
        apply(Retention { commits: 3, bytes: 20 }, &folder.path().join("0")).unwrap();
        assert_eq!(left(&folder), ["0", "5"]);
        apply(Retention { commits: 3, bytes: 5 }, &folder.path().join("0")).unwrap();
        assert_eq!(left(&folder), ["0"]);
    }

    #[test]
    fn a_commit_of_many_functions_keeps_no_more_than_a_repository_may() {
        let folder = tempfile::tempdir().unwrap();
        let commit = folder.path().join("commit");
        for number in 0..5 {
            let function = commit.join(format!("f{number}"));
            fs::create_dir_all(&function).unwrap();
            let log = function.join("build.log.gz");
            fs::write(&log, "0123456789").unwrap();
            let when = SystemTime::UNIX_EPOCH + Duration::from_secs(100 - number);
            fs::File::open(&log).unwrap().set_modified(when).unwrap();
        }
        // A build that is under way.
        fs::write(commit.join("f0/part-0000000000"), "0123456789").unwrap();
        let logs =
            || (0..5).filter(|number| commit.join(format!("f{number}/build.log.gz")).exists()).collect::<Vec<_>>();
        apply(Retention { commits: 3, bytes: 45 }, &commit).unwrap();
        assert_eq!(logs(), [0, 1, 2]);
        apply(Retention { commits: 3, bytes: 5 }, &commit).unwrap();
        assert_eq!(logs(), [0]);
        assert!(commit.join("f0/part-0000000000").exists());
    }
}
