//! One platform per data directory: the lock that a running platform holds, and the record by which other
//! commands find it.
//!
//! The lock is the truth: the kernel drops it with the process, however that ends. The record only says
//! where things are, and is believed while the lock is held.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use crate::data_dir::DataDir;
use crate::report::Trouble;
use crate::secrets::Secrets;

/// How often a command looks again while it waits for a platform to start or stop.
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// Where a running platform is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// Its process.
    pub pid: u32,
    /// Its version.
    pub version: String,
    /// The domain below which functions are served.
    pub domain: String,
    /// The router's address.
    pub router: SocketAddr,
    /// The gateway's address.
    pub gateway: SocketAddr,
    /// The git host's own address, for its REST interface; users reach their repositories through the router. None where
    /// repositories are elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub git: Option<SocketAddr>,
    /// What a configuration file says about the world outside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outside: Option<Outside>,
}

/// How a platform is reached by others than this machine, and where its repositories are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outside {
    /// `http` or `https`.
    pub scheme: String,
    /// The port that users type.
    pub port: u16,
    /// The folder of the secrets that are not in the data directory, for a platform that got them from systemd.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<PathBuf>,
    /// The host of the repositories, if it is not the platform's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<ForeignHost>,
}

/// A host of repositories that is not the platform's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForeignHost {
    /// For browsers and git.
    pub url: String,
    /// GitHub's REST interface; none at GitLab.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_url: Option<String>,
    /// The number of the platform's App at GitHub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_id: Option<u64>,
}

impl Record {
    /// The public address of a host below the domain.
    pub fn url(&self, host: &str) -> String {
        format!("{}://{}", self.scheme(), self.host(host))
    }

    /// The public address of the domain itself.
    pub fn root_url(&self) -> String {
        self.url("").replacen("://.", "://", 1)
    }

    /// `http` or `https`: what users type.
    pub fn scheme(&self) -> &str {
        self.outside.as_ref().map_or("http", |outside| outside.scheme.as_str())
    }

    /// The host of repositories, if it is not the platform's own.
    pub fn foreign_host(&self) -> Option<&ForeignHost> {
        self.outside.as_ref()?.host.as_ref()
    }

    /// The platform's secrets, wherever it had them from.
    pub fn secrets(&self, data: &DataDir) -> Secrets {
        let given = self.outside.as_ref().and_then(|outside| outside.secrets.clone());
        Secrets::existing(data.secrets()).with_given(given)
    }

    /// The address of the platform's own git host.
    ///
    /// # Errors
    /// When repositories are elsewhere.
    pub fn own_git(&self) -> anyhow::Result<SocketAddr> {
        self.git.ok_or_else(|| {
            Trouble::new(format!("this platform's repositories are at {}", self.git_url()))
                .hint("push there, and see who may do what there")
                .into()
        })
    }

    /// What a client sends as `Host` for a host below the domain.
    pub fn host(&self, host: &str) -> String {
        let port = self.outside.as_ref().map_or_else(|| self.router.port(), |outside| outside.port);
        match (self.scheme(), port) {
            ("http", 80) | ("https", 443) => format!("{host}.{}", self.domain),
            _ => format!("{host}.{}:{port}", self.domain),
        }
    }

    /// The git host's public address.
    pub fn git_url(&self) -> String {
        self.foreign_host().map_or_else(|| self.url("git"), |host| host.url.trim_end_matches('/').to_owned())
    }

    /// The public address of of-auth, where people sign in.
    pub fn auth_url(&self) -> String {
        self.url("auth.system")
    }

    /// The gateway's address.
    pub fn gateway_url(&self) -> String {
        format!("http://{}", self.gateway)
    }

    /// A record for tests.
    #[cfg(test)]
    pub(crate) fn sample() -> Self {
        let localhost = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let (router, gateway, git) = (localhost(8000), localhost(8080), localhost(41000));
        let (version, domain) = ("0.1.0".to_owned(), "localhost".to_owned());
        Self { pid: 42, version, domain, router, gateway, git: Some(git), outside: None }
    }

    /// Writes the record, whole or not at all.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, data: &DataDir) -> anyhow::Result<()> {
        let path = data.record();
        let fresh = path.with_extension("new");
        let write = || fs::write(&fresh, serde_json::to_vec_pretty(self)?).and_then(|()| fs::rename(&fresh, &path));
        write().with_context(|| format!("cannot write {}", path.display()))
    }
}

/// The lock of a running platform. Dropped with it.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock and forgets the record of an earlier platform.
    ///
    /// # Errors
    /// When another platform holds it.
    pub fn take(data: &DataDir) -> anyhow::Result<Self> {
        let path = data.lock();
        let mut file = open(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(already_running(data, &mut file)),
            Err(TryLockError::Error(cause)) => {
                return Err(cause).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
        let _ = fs::remove_file(data.record());
        write_pid(&mut file).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(Self { _file: file })
    }
}

/// What is known about the platform of a data directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// None runs.
    Stopped,
    /// One starts or stops.
    Between {
        /// Its process.
        pid: Option<u32>,
    },
    /// One runs.
    Running(Box<Record>),
}

/// Looks whether a platform runs.
///
/// # Errors
/// When the lock file is there and cannot be opened.
pub fn state(data: &DataDir) -> anyhow::Result<State> {
    if !data.exists() {
        return Ok(State::Stopped);
    }
    let mut file = open(&data.lock())?;
    match file.try_lock_shared() {
        Ok(()) => return Ok(State::Stopped),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(cause)) => return Err(cause).context("cannot test the lock of the data directory"),
    }
    let record = fs::read(data.record()).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    Ok(record.map_or_else(|| State::Between { pid: pid_in(&mut file) }, State::Running))
}

/// The running platform of a data directory.
///
/// # Errors
/// When none runs.
pub fn running(data: &DataDir) -> anyhow::Result<Record> {
    match state(data)? {
        State::Running(record) => Ok(*record),
        State::Between { .. } => {
            Err(Trouble::new("the platform is just starting or stopping").hint("try again in a moment").into())
        }
        State::Stopped => {
            Err(Trouble::new(format!("no platform runs with the data directory {}", data.root().display()))
                .hint("start it with `ofc up`, or name another directory with --data DIR")
                .into())
        }
    }
}

/// Waits until `is_it` holds of the state.
///
/// # Errors
/// When it does not within `limit`, or the state cannot be told.
pub async fn wait_until(data: &DataDir, limit: Duration, is_it: impl Fn(&State) -> bool) -> anyhow::Result<State> {
    let deadline = Instant::now() + limit;
    loop {
        let now = state(data)?;
        if is_it(&now) {
            return Ok(now);
        }
        if Instant::now() > deadline {
            anyhow::bail!("the platform took longer than {} s", limit.as_secs());
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// Asks a process to stop.
///
/// # Errors
/// When there is no such process, or it is somebody else's.
pub fn terminate(pid: u32) -> anyhow::Result<()> {
    let process = i32::try_from(pid).ok().and_then(Pid::from_raw).with_context(|| format!("{pid} is no process id"))?;
    kill_process(process, Signal::TERM).with_context(|| format!("cannot stop process {pid}"))
}

fn open(path: &Path) -> anyhow::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.open(path).map_err(|cause| {
        Trouble::new(format!("the lock file {} cannot be opened", path.display()))
            .hint("is this data directory yours?")
            .because(cause)
            .into()
    })
}

fn write_pid(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(std::process::id().to_string().as_bytes())
}

fn pid_in(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.take(20).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn already_running(data: &DataDir, file: &mut File) -> anyhow::Error {
    let process = pid_in(file).map(|pid| format!(" (process {pid})")).unwrap_or_default();
    let shown = data.root().display();
    Trouble::new(format!("a platform runs with the data directory {shown} already{process}"))
        .hint("see `ofc status`; stop it with `ofc down`, or give this one a directory of its own with --data DIR")
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_follows_the_lock_and_not_the_record() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::create(folder.path()).unwrap();
        assert_eq!(state(&data).unwrap(), State::Stopped);
        Record::sample().write(&data).unwrap();
        let lock = Lock::take(&data).unwrap();
        assert_eq!(state(&data).unwrap(), State::Between { pid: Some(std::process::id()) });
        Record::sample().write(&data).unwrap();
        assert_eq!(running(&data).unwrap(), Record::sample());
        drop(lock);
        assert_eq!(state(&data).unwrap(), State::Stopped);
        assert!(crate::report::render(&running(&data).unwrap_err()).contains("ofc up"));
    }

    #[test]
    fn a_second_platform_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::create(folder.path()).unwrap();
        let _lock = Lock::take(&data).unwrap();
        let text = crate::report::render(&Lock::take(&data).unwrap_err());
        assert!(text.contains(&format!("(process {})", std::process::id())) && text.contains("--data DIR"), "{text}");
    }

    #[tokio::test]
    async fn waiting_has_an_end() {
        let folder = tempfile::tempdir().unwrap();
        let data = DataDir::create(folder.path()).unwrap();
        let error = wait_until(&data, Duration::ZERO, |state| matches!(state, State::Running(_))).await.unwrap_err();
        assert!(error.to_string().contains("longer than"), "{error}");
    }

    #[test]
    fn public_addresses_carry_the_port() {
        assert_eq!(Record::sample().url("alice"), "http://alice.localhost:8000");
        assert_eq!(Record::sample().host("git"), "git.localhost:8000");
        assert!(Record::sample().own_git().is_ok());
        let host = ForeignHost { url: "https://github.com/".into(), api_url: None, app_id: None };
        let outside = Outside { scheme: "https".into(), port: 443, secrets: None, host: Some(host) };
        let record = Record { outside: Some(outside), git: None, ..Record::sample() };
        assert_eq!(
            (record.auth_url(), record.git_url()),
            ("https://auth.system.localhost".into(), "https://github.com".into())
        );
        assert!(record.own_git().unwrap_err().to_string().contains("https://github.com"));
    }
}
