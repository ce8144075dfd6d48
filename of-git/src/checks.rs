//! What the platform reports about commits, kept per commit on disk.

mod run;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sdk::id::{CommitSha, RepoPath};
use tokio::sync::watch;

use crate::atomic_file::{self, blocking};
use crate::clock::Numbers;
use crate::cut::cut;

use run::MAX_TITLE;
pub(crate) use run::{Annotation, CheckRun, CommitState, Conclusion, MAX_ANNOTATIONS, Output, Progress, Report};

/// The most check runs of one commit.
const MAX_RUNS: usize = 2000;
/// The most commits of one repository that reports are kept for.
const MAX_COMMITS: usize = 500;

/// Why a report was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    /// There is no such check run.
    #[error("there is no check run {0} in this repository")]
    Unknown(u64),
    /// The commit has as many check runs as it may have.
    #[error("this commit has {MAX_RUNS} check runs already, which is the most")]
    Full,
    /// The report has no name.
    #[error("a check run needs a name")]
    Nameless,
    /// The report has more remarks than one may have.
    #[error("a report may have {MAX_ANNOTATIONS} annotations")]
    Annotations,
    /// The files could not be read or written.
    #[error("the check runs of this commit could not be kept")]
    Store(#[from] io::Error),
}

/// The store of check runs.
#[derive(Debug, Clone)]
pub(crate) struct Checks(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    /// Held while one commit's file is read and written back.
    writing: Mutex<()>,
    clock: Numbers,
    changed: watch::Sender<u64>,
}

impl Checks {
    /// Opens the store.
    pub(crate) fn open(root: PathBuf) -> io::Result<Self> {
        std::fs::create_dir_all(&root)?;
        let clock = Numbers::new();
        Ok(Self(Arc::new(Inner { root, writing: Mutex::new(()), clock, changed: watch::channel(0).0 })))
    }

    /// The latest revision given to anything.
    pub(crate) fn revision(&self) -> u64 {
        self.0.clock.last()
    }

    /// Wakes whenever something was reported.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.0.changed.subscribe()
    }

    /// Adds a check run to a commit.
    pub(crate) async fn add(&self, path: &RepoPath, sha: &CommitSha, report: Report) -> Result<CheckRun, CheckError> {
        let (this, folder, sha) = (self.clone(), self.folder(path), sha.clone());
        run(move || {
            let _writing = this.writing();
            this.add_now(&folder, &sha, report)
        })
        .await
    }

    /// Adds a check run, or updates the one of that name: how commit statuses behave.
    pub(crate) async fn put(&self, path: &RepoPath, sha: &CommitSha, report: Report) -> Result<CheckRun, CheckError> {
        let (this, folder, sha) = (self.clone(), self.folder(path), sha.clone());
        run(move || {
            let _writing = this.writing();
            let is_it = |run: &CheckRun| run.state.is_some() && Some(&run.name) == report.name.as_ref();
            let known = read(&folder, &sha)?.into_iter().rev().find(is_it);
            match known {
                Some(known) => this.update_now(&folder, known.id, report),
                None => this.add_now(&folder, &sha, report),
            }
        })
        .await
    }

    /// Changes a check run, unless the report comes too late. Returns the run as it is then.
    pub(crate) async fn update(&self, path: &RepoPath, id: u64, report: Report) -> Result<CheckRun, CheckError> {
        let (this, folder) = (self.clone(), self.folder(path));
        run(move || {
            let _writing = this.writing();
            this.update_now(&folder, id, report)
        })
        .await
    }

    /// All check runs of a commit, oldest first.
    pub(crate) async fn list(&self, path: &RepoPath, sha: &CommitSha) -> Result<Vec<CheckRun>, CheckError> {
        let (folder, sha) = (self.folder(path), sha.clone());
        run(move || Ok(read(&folder, &sha)?)).await
    }

    /// A check run and its commit.
    pub(crate) async fn find(&self, path: &RepoPath, id: u64) -> Result<CheckRun, CheckError> {
        let folder = self.folder(path);
        run(move || {
            let sha = commit_of(&folder, id)?.ok_or(CheckError::Unknown(id))?;
            read(&folder, &sha)?.into_iter().find(|run| run.id == id).ok_or(CheckError::Unknown(id))
        })
        .await
    }

    /// The commits with reports, the last written first.
    pub(crate) async fn commits(&self, path: &RepoPath) -> Result<Vec<CommitSha>, CheckError> {
        let folder = self.folder(path);
        run(move || Ok(commits(&folder)?.into_iter().map(|(sha, _)| sha).collect())).await
    }

    /// Lets these check runs of a commit begin anew: somebody asked for it. They stay as they are until they do.
    pub(crate) async fn rerun(&self, path: &RepoPath, sha: &CommitSha, only: Option<u64>) -> Result<(), CheckError> {
        let (this, folder, sha) = (self.clone(), self.folder(path), sha.clone());
        run(move || {
            let _writing = this.writing();
            let mut runs = read(&folder, &sha)?;
            if runs.is_empty() {
                return Ok(());
            }
            runs.iter_mut().filter(|run| only.is_none_or(|id| run.id == id)).for_each(|run| run.rerun = true);
            Ok(this.save(&folder, &sha, &runs)?)
        })
        .await
    }

    /// Forgets everything about a repository.
    pub(crate) async fn remove(&self, path: &RepoPath) -> Result<(), CheckError> {
        let (this, folder) = (self.clone(), self.folder(path));
        run(move || {
            let _writing = this.writing();
            match std::fs::remove_dir_all(&folder) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                other => Ok(other?),
            }
        })
        .await
    }

    /// Moves everything about a repository to its new name.
    pub(crate) async fn rename(&self, from: &RepoPath, to: &RepoPath) -> Result<(), CheckError> {
        let (this, from, to) = (self.clone(), self.folder(from), self.folder(to));
        run(move || {
            let _writing = this.writing();
            match std::fs::rename(&from, &to) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                other => Ok(other?),
            }
        })
        .await
    }

    fn writing(&self) -> MutexGuard<'_, ()> {
        self.0.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn folder(&self, path: &RepoPath) -> PathBuf {
        self.0.root.join(path.owner.as_str()).join(path.repo.as_str().to_ascii_lowercase())
    }

    fn add_now(&self, folder: &Path, sha: &CommitSha, report: Report) -> Result<CheckRun, CheckError> {
        let name = report.name.clone().filter(|name| !name.trim().is_empty()).ok_or(CheckError::Nameless)?;
        expect_few(&report)?;
        let id = self.tick();
        let mut runs = read(folder, sha)?;
        if runs.len() >= MAX_RUNS {
            return Err(CheckError::Full);
        }
        if runs.is_empty() {
            std::fs::create_dir_all(folder)?;
            prune(folder)?;
        }
        let mut run = CheckRun::new(id, cut(name, MAX_TITLE), sha.clone());
        run.apply(report, self.tick());
        runs.push(run.clone());
        self.save(folder, sha, &runs)?;
        Ok(run)
    }

    fn update_now(&self, folder: &Path, id: u64, report: Report) -> Result<CheckRun, CheckError> {
        expect_few(&report)?;
        let sha = commit_of(folder, id)?.ok_or(CheckError::Unknown(id))?;
        let mut runs = read(folder, &sha)?;
        let run = runs.iter_mut().find(|run| run.id == id).ok_or(CheckError::Unknown(id))?;
        if run.is_past(&report) {
            return Ok(run.clone());
        }
        run.apply(report, self.tick());
        let run = run.clone();
        self.save(folder, &sha, &runs)?;
        Ok(run)
    }

    fn save(&self, folder: &Path, sha: &CommitSha, runs: &[CheckRun]) -> io::Result<()> {
        atomic_file::replace(&file(folder, sha), &serde_json::to_vec(runs)?)?;
        self.0.changed.send_replace(self.revision());
        Ok(())
    }

    fn tick(&self) -> u64 {
        self.0.clock.next()
    }
}

fn expect_few(report: &Report) -> Result<(), CheckError> {
    let count = report.output.as_ref().map_or(0, |output| output.annotations.len());
    if count > MAX_ANNOTATIONS { Err(CheckError::Annotations) } else { Ok(()) }
}

async fn run<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CheckError> + Send + 'static,
) -> Result<T, CheckError> {
    blocking(move || Ok(work())).await?
}

fn file(folder: &Path, sha: &CommitSha) -> PathBuf {
    folder.join(format!("{sha}.json"))
}

fn read(folder: &Path, sha: &CommitSha) -> io::Result<Vec<CheckRun>> {
    match std::fs::read(file(folder, sha)) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The commits with reports, the last written first.
fn commits(folder: &Path) -> io::Result<Vec<(CommitSha, PathBuf)>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry?.path();
        let sha = path.file_stem().and_then(|stem| stem.to_str()).and_then(|stem| stem.parse().ok());
        if let (Some(sha), Ok(written)) = (sha, path.metadata().and_then(|m| m.modified())) {
            found.push((written, sha, path));
        }
    }
    found.sort_by_key(|(written, ..)| std::cmp::Reverse(*written));
    Ok(found.into_iter().map(|(_, sha, path)| (sha, path)).collect())
}

fn commit_of(folder: &Path, id: u64) -> io::Result<Option<CommitSha>> {
    for (sha, _) in commits(folder)? {
        if read(folder, &sha)?.iter().any(|run| run.id == id) {
            return Ok(Some(sha));
        }
    }
    Ok(None)
}

fn prune(folder: &Path) -> io::Result<()> {
    commits(folder)?.into_iter().skip(MAX_COMMITS - 1).try_for_each(|(_, path)| std::fs::remove_file(path))
}

#[cfg(test)]
mod tests;
