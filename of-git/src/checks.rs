//! What the platform reports about commits, kept per commit on disk.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use sdk::id::{CommitSha, RepoPath};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::atomic_file::{self, blocking};

/// The most check runs of one commit.
const MAX_RUNS: usize = 2000;
/// The most commits of one repository that reports are kept for.
const MAX_COMMITS: usize = 500;
/// The longest text of a check run, in bytes; GitHub's limit.
const MAX_TEXT: usize = 65_535;
/// The longest title and name, in bytes.
const MAX_TITLE: usize = 1024;

/// How far a check run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Progress {
    Queued,
    #[serde(rename = "in_progress")]
    Running,
    Completed,
}

/// How a completed check run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Conclusion {
    Success,
    Failure,
    Neutral,
    Skipped,
    Cancelled,
    TimedOut,
    ActionRequired,
    Stale,
}

/// What a check run says to people.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Output {
    #[serde(default)]
    pub(crate) title: Option<String>,
    #[serde(default)]
    pub(crate) summary: Option<String>,
    #[serde(default)]
    pub(crate) text: Option<String>,
}

/// What a caller says about a check run; on an update, what is left out stays.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Report {
    pub(crate) name: Option<String>,
    pub(crate) status: Option<Progress>,
    pub(crate) conclusion: Option<Conclusion>,
    pub(crate) details_url: Option<String>,
    pub(crate) external_id: Option<String>,
    pub(crate) started_at: Option<DateTime<Utc>>,
    pub(crate) completed_at: Option<DateTime<Utc>>,
    pub(crate) output: Option<Output>,
}

/// One check run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CheckRun {
    pub(crate) id: u64,
    pub(crate) name: String,
    pub(crate) head_sha: CommitSha,
    pub(crate) status: Progress,
    pub(crate) conclusion: Option<Conclusion>,
    pub(crate) details_url: Option<String>,
    pub(crate) external_id: Option<String>,
    pub(crate) started_at: DateTime<Utc>,
    pub(crate) completed_at: Option<DateTime<Utc>>,
    pub(crate) output: Output,
    /// Grows with every change anywhere; who has seen a run at one number needs only newer ones.
    pub(crate) revision: u64,
}

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
    clock: AtomicU64,
    changed: watch::Sender<u64>,
}

impl Checks {
    /// Opens the store.
    pub(crate) fn open(root: PathBuf) -> io::Result<Self> {
        std::fs::create_dir_all(&root)?;
        let clock = AtomicU64::new(now_in_microseconds());
        Ok(Self(Arc::new(Inner { root, writing: Mutex::new(()), clock, changed: watch::channel(0).0 })))
    }

    /// The latest revision given to anything.
    pub(crate) fn revision(&self) -> u64 {
        self.0.clock.load(Ordering::SeqCst)
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
            let known = read(&folder, &sha)?.into_iter().rev().find(|r| Some(&r.name) == report.name.as_ref());
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

    fn writing(&self) -> MutexGuard<'_, ()> {
        self.0.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn folder(&self, path: &RepoPath) -> PathBuf {
        self.0.root.join(path.owner.as_str()).join(path.repo.as_str().to_ascii_lowercase())
    }

    fn add_now(&self, folder: &Path, sha: &CommitSha, report: Report) -> Result<CheckRun, CheckError> {
        let name = report.name.clone().filter(|name| !name.trim().is_empty()).ok_or(CheckError::Nameless)?;
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

    /// A number that was never given before, also not by an earlier process: the time, but always growing.
    fn tick(&self) -> u64 {
        let now = now_in_microseconds();
        let next = |last: u64| now.max(last + 1);
        let last = self.0.clock.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |last| Some(next(last)));
        next(last.unwrap_or_default())
    }
}

impl CheckRun {
    fn new(id: u64, name: String, head_sha: CommitSha) -> Self {
        Self {
            id,
            name,
            head_sha,
            status: Progress::Queued,
            conclusion: None,
            details_url: None,
            external_id: None,
            started_at: Utc::now(),
            completed_at: None,
            output: Output::default(),
            revision: id,
        }
    }

    /// True for a `queued` that must not take the place of a success or a failure.
    ///
    /// It may be late, or of a push that is told a second time, and would hide for ever how the commit ended.
    /// Whoever really carries the commit out again says `in_progress` or an end next, and both are always taken:
    /// a failure is tried again, and a commit is pushed to another branch. What ended without a result
    /// (`neutral`: not the branch that is built) may be queued, since another branch with this commit follows.
    fn is_past(&self, report: &Report) -> bool {
        let begins = report.status == Some(Progress::Queued) && report.conclusion.is_none();
        let no_result = matches!(self.conclusion, Some(Conclusion::Neutral | Conclusion::Skipped));
        begins && self.status == Progress::Completed && !no_result
    }

    fn apply(&mut self, report: Report, revision: u64) {
        if let Some(status) = report.status {
            self.status = status;
        }
        // As at GitHub, a conclusion completes a run, and a run that goes on has none.
        match report.conclusion {
            Some(conclusion) => {
                self.status = Progress::Completed;
                self.conclusion = Some(conclusion);
                self.completed_at = Some(report.completed_at.unwrap_or_else(Utc::now));
            }
            None if self.status != Progress::Completed => {
                self.conclusion = None;
                self.completed_at = None;
            }
            None => {}
        }
        self.started_at = report.started_at.unwrap_or(self.started_at);
        self.details_url = report.details_url.map(|url| cut(url, MAX_TITLE)).or(self.details_url.take());
        self.external_id = report.external_id.map(|id| cut(id, MAX_TITLE)).or(self.external_id.take());
        if let Some(output) = report.output {
            self.output = Output {
                title: output.title.map(|title| cut(title, MAX_TITLE)),
                summary: output.summary.map(|summary| cut(summary, MAX_TEXT)),
                text: output.text.map(|text| last(text, MAX_TEXT)),
            };
        }
        self.revision = revision;
    }
}

async fn run<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, CheckError> + Send + 'static,
) -> Result<T, CheckError> {
    blocking(move || Ok(work())).await?
}

fn now_in_microseconds() -> u64 {
    u64::try_from(Utc::now().timestamp_micros()).unwrap_or_default()
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

/// The beginning of a text, at most `max` bytes.
fn cut(mut text: String, max: usize) -> String {
    text.truncate(text.floor_char_boundary(max));
    text
}

/// The end of a text, at most `max` bytes: a log's last lines are the ones that matter.
fn last(text: String, max: usize) -> String {
    let start = text.ceil_char_boundary(text.len().saturating_sub(max));
    text[start..].to_owned()
}

#[cfg(test)]
mod tests;
