//! Deployments that somebody asked for or reported, kept per repository on disk: one file each.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use sdk::id::{CommitSha, RepoPath};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::atomic_file::{self, blocking};
use crate::clock::Numbers;
use crate::cut::cut;

/// The most deployments that are kept of one repository; the oldest go.
const MAX: usize = 200;
/// The most statuses that one keeps; the oldest go.
const MAX_STATUSES: usize = 100;
/// The longest payload, in bytes.
pub(crate) const MAX_PAYLOAD: usize = 16 * 1024;
/// The longest of all other texts, in bytes.
const MAX_TEXT: usize = 1024;
/// The environment that users see, where nothing else is said.
const PRODUCTION: &str = "production";

/// Who made something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Creator {
    /// The repository's owner.
    Owner,
    /// The platform.
    App,
}

/// One deployment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Deployment {
    pub(crate) id: u64,
    pub(crate) sha: CommitSha,
    /// As it was asked for: a branch, a tag or a commit.
    pub(crate) reference: String,
    pub(crate) task: String,
    pub(crate) payload: Value,
    pub(crate) environment: String,
    pub(crate) description: Option<String>,
    pub(crate) transient: bool,
    pub(crate) production: bool,
    pub(crate) creator: Creator,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) updated_at: DateTime<Utc>,
    /// Oldest first.
    pub(crate) statuses: Vec<DeploymentStatus>,
}

/// One thing that was said about a deployment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DeploymentStatus {
    pub(crate) id: u64,
    pub(crate) state: DeploymentState,
    pub(crate) description: String,
    pub(crate) environment: String,
    pub(crate) environment_url: String,
    pub(crate) log_url: String,
    pub(crate) creator: Creator,
    pub(crate) created_at: DateTime<Utc>,
}

/// How far a deployment is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeploymentState {
    Error,
    Failure,
    Inactive,
    InProgress,
    Queued,
    Pending,
    Success,
}

/// The body that asks for a deployment.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct NewDeployment {
    #[serde(rename = "ref")]
    pub(crate) reference: String,
    pub(crate) task: Option<String>,
    #[serde(default)]
    pub(crate) payload: Value,
    pub(crate) environment: Option<String>,
    pub(crate) description: Option<String>,
    #[serde(default)]
    pub(crate) transient_environment: bool,
    pub(crate) production_environment: Option<bool>,
    pub(crate) required_contexts: Option<Vec<String>>,
}

/// The body that says how far one is.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct NewDeploymentStatus {
    state: DeploymentState,
    description: Option<String>,
    environment: Option<String>,
    environment_url: Option<String>,
    log_url: Option<String>,
    target_url: Option<String>,
    auto_inactive: Option<bool>,
}

/// Why a deployment was not kept.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DeploymentError {
    #[error("there is no deployment {0} in this repository")]
    Unknown(u64),
    #[error("a deployment's payload may have {MAX_PAYLOAD} bytes")]
    Payload,
    #[error("the deployments of this repository could not be kept")]
    Store(#[from] io::Error),
}

/// The store.
#[derive(Debug, Clone)]
pub(crate) struct Deployments(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    root: PathBuf,
    /// Held while files are read and written back.
    writing: Mutex<()>,
    numbers: Numbers,
}

impl Deployments {
    /// Opens the store.
    pub(crate) fn open(root: PathBuf) -> io::Result<Self> {
        std::fs::create_dir_all(&root)?;
        Ok(Self(Arc::new(Inner { root, writing: Mutex::new(()), numbers: Numbers::new() })))
    }

    /// Keeps a new one.
    pub(crate) async fn add(
        &self,
        path: &RepoPath,
        sha: CommitSha,
        asked: NewDeployment,
        creator: Creator,
    ) -> Result<Deployment, DeploymentError> {
        if asked.payload.to_string().len() > MAX_PAYLOAD {
            return Err(DeploymentError::Payload);
        }
        let (this, folder) = (self.clone(), self.folder(path));
        run(move || {
            let _writing = this.writing();
            let deployment = asked.into_deployment(this.0.numbers.next(), sha, creator, Utc::now());
            std::fs::create_dir_all(&folder)?;
            let known = numbers(&folder)?;
            for old in known.iter().skip(MAX - 1) {
                std::fs::remove_file(file(&folder, *old))?;
            }
            save(&folder, &deployment)?;
            Ok(deployment)
        })
        .await
    }

    /// One of them.
    pub(crate) async fn get(&self, path: &RepoPath, id: u64) -> Result<Deployment, DeploymentError> {
        let folder = self.folder(path);
        run(move || read(&folder, id)).await
    }

    /// All of them, newest first.
    pub(crate) async fn list(&self, path: &RepoPath) -> Result<Vec<Deployment>, DeploymentError> {
        let folder = self.folder(path);
        run(move || all(&folder)).await
    }

    /// Says how far one is. A success ends those that succeeded before it in the same environment.
    pub(crate) async fn report(
        &self,
        path: &RepoPath,
        id: u64,
        said: NewDeploymentStatus,
        creator: Creator,
    ) -> Result<(Deployment, DeploymentStatus), DeploymentError> {
        let (this, folder) = (self.clone(), self.folder(path));
        run(move || {
            let _writing = this.writing();
            let mut deployment = read(&folder, id)?;
            let ends_others = said.state == DeploymentState::Success && said.auto_inactive.unwrap_or(true);
            let status = said.into_status(this.0.numbers.next(), &deployment.environment, creator, Utc::now());
            deployment.add(status.clone());
            save(&folder, &deployment)?;
            if ends_others {
                this.end_others(&folder, &deployment, &status)?;
            }
            Ok((deployment, status))
        })
        .await
    }

    fn end_others(&self, folder: &Path, new: &Deployment, status: &DeploymentStatus) -> Result<(), DeploymentError> {
        for mut old in all(folder)? {
            let is_active = old.statuses.last().is_some_and(|last| last.state == DeploymentState::Success);
            let fits = old.environment == new.environment && !old.transient && !old.production;
            if old.id < new.id && fits && is_active {
                let id = self.0.numbers.next();
                old.add(DeploymentStatus { id, state: DeploymentState::Inactive, ..status.clone() });
                save(folder, &old)?;
            }
        }
        Ok(())
    }

    /// Forgets all of a repository.
    pub(crate) async fn remove(&self, path: &RepoPath) -> Result<(), DeploymentError> {
        let (this, folder) = (self.clone(), self.folder(path));
        run(move || {
            let _writing = this.writing();
            Ok(absent_is_fine(std::fs::remove_dir_all(&folder))?)
        })
        .await
    }

    /// Moves all of a repository to its new name.
    pub(crate) async fn rename(&self, from: &RepoPath, to: &RepoPath) -> Result<(), DeploymentError> {
        let (this, from, to) = (self.clone(), self.folder(from), self.folder(to));
        run(move || {
            let _writing = this.writing();
            Ok(absent_is_fine(std::fs::rename(&from, &to))?)
        })
        .await
    }

    fn writing(&self) -> MutexGuard<'_, ()> {
        self.0.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn folder(&self, path: &RepoPath) -> PathBuf {
        self.0.root.join(path.owner.as_str()).join(path.repo.as_str().to_ascii_lowercase())
    }
}

impl Deployment {
    fn add(&mut self, status: DeploymentStatus) {
        self.updated_at = status.created_at;
        self.statuses.push(status);
        let surplus = self.statuses.len().saturating_sub(MAX_STATUSES);
        self.statuses.drain(..surplus);
    }
}

impl NewDeployment {
    fn into_deployment(self, id: u64, sha: CommitSha, creator: Creator, now: DateTime<Utc>) -> Deployment {
        let text = |text: Option<String>, default: &str| cut(text.unwrap_or_else(|| default.to_owned()), MAX_TEXT);
        let environment = text(self.environment, PRODUCTION);
        Deployment {
            id,
            sha,
            reference: cut(self.reference, MAX_TEXT),
            task: text(self.task, "deploy"),
            payload: if self.payload.is_null() { Value::Object(serde_json::Map::new()) } else { self.payload },
            production: self.production_environment.unwrap_or(environment == PRODUCTION),
            environment,
            description: self.description.map(|text| cut(text, MAX_TEXT)),
            transient: self.transient_environment,
            creator,
            created_at: now,
            updated_at: now,
            statuses: Vec::new(),
        }
    }
}

impl NewDeploymentStatus {
    fn into_status(self, id: u64, environment: &str, creator: Creator, now: DateTime<Utc>) -> DeploymentStatus {
        let text = |text: Option<String>| cut(text.unwrap_or_default(), MAX_TEXT);
        DeploymentStatus {
            id,
            state: self.state,
            description: text(self.description),
            environment: text(Some(self.environment.unwrap_or_else(|| environment.to_owned()))),
            environment_url: text(self.environment_url),
            log_url: text(self.log_url.or(self.target_url)),
            creator,
            created_at: now,
        }
    }
}

/// What a filter of a list asks for.
pub(crate) fn fits(deployment: &Deployment, filter: &BTreeMap<&str, &str>) -> bool {
    filter.iter().all(|(name, wanted)| match *name {
        "sha" => deployment.sha.as_str() == *wanted,
        "ref" => deployment.reference == *wanted,
        "task" => deployment.task == *wanted,
        "environment" => deployment.environment == *wanted,
        _ => true,
    })
}

fn file(folder: &Path, id: u64) -> PathBuf {
    folder.join(format!("{id}.json"))
}

fn save(folder: &Path, deployment: &Deployment) -> io::Result<()> {
    atomic_file::replace(&file(folder, deployment.id), &serde_json::to_vec(deployment)?)
}

fn read(folder: &Path, id: u64) -> Result<Deployment, DeploymentError> {
    match std::fs::read(file(folder, id)) {
        Ok(bytes) => Ok(serde_json::from_slice(&bytes).map_err(io::Error::from)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(DeploymentError::Unknown(id)),
        Err(error) => Err(error.into()),
    }
}

fn all(folder: &Path) -> Result<Vec<Deployment>, DeploymentError> {
    numbers(folder)?.into_iter().map(|id| read(folder, id)).collect()
}

/// The numbers of the deployments, newest first.
fn numbers(folder: &Path) -> io::Result<Vec<u64>> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        found.extend(name.to_str().and_then(|name| name.strip_suffix(".json")?.parse::<u64>().ok()));
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    Ok(found)
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

async fn run<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, DeploymentError> + Send + 'static,
) -> Result<T, DeploymentError> {
    blocking(move || Ok(work())).await?
}

#[cfg(test)]
mod tests;
