//! Servers as processes of their own, so that memory and start can be measured from outside.

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::servers::Server;

/// How long a server may take to answer.
const START_LIMIT: Duration = Duration::from_secs(10);

/// A server process; ended when dropped.
pub(crate) struct Process {
    child: Child,
    /// Where it answers.
    pub(crate) url: String,
    /// From the start of the process to the line in which it says that it listens.
    pub(crate) started_in: Duration,
}

impl Process {
    /// Starts this program again as one of its servers, with `more` in its environment.
    pub(crate) fn start(server: Server, more: &[(&str, String)]) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.args(["serve", server.name()]).envs(more.iter().map(|(name, value)| (name, value)));
        Self::spawn(command)
    }

    /// Starts a function's server, or one of those that it is measured against.
    pub(crate) fn start_function(name: &str) -> Result<Self> {
        let mut command = Command::new(function_server()?);
        command.arg(name).envs([("metrics_port", "0"), ("suppress_lock", "true")]);
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Result<Self> {
        let port = free_port()?;
        command.env("port", port.to_string());
        let began = Instant::now();
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let stderr = child.stderr.take().context("the server has no standard error")?;
        let mut process = Self { child, url: format!("http://127.0.0.1:{port}/"), started_in: Duration::ZERO };
        for line in BufReader::new(stderr).lines() {
            if line?.contains("serving") {
                process.started_in = began.elapsed();
                return Ok(process);
            }
            if began.elapsed() > START_LIMIT {
                break;
            }
        }
        bail!("a server did not start: {command:?}");
    }

    /// Memory in use now (`VmRSS`), in MiB.
    pub(crate) fn resident_mib(&self) -> Result<f64> {
        resident_mib(self.child.id())
    }

    /// The most memory that it ever used, in MiB.
    pub(crate) fn peak_mib(&self) -> Result<f64> {
        peak_mib(self.child.id())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program with the functions' servers, which is built together with this one.
pub(crate) fn function_server() -> Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("function-server"))
}

/// Memory that a process uses now, in MiB.
pub(crate) fn resident_mib(pid: u32) -> Result<f64> {
    memory_mib(pid, "VmRSS:")
}

/// The most memory that a process ever used, in MiB.
pub(crate) fn peak_mib(pid: u32) -> Result<f64> {
    memory_mib(pid, "VmHWM:")
}

fn memory_mib(pid: u32, name: &str) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("no {name}"))?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}

/// Raises this process's limit of open files to the highest that it may have.
pub(crate) fn allow_many_files() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?)
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// Asks a process to end.
pub(crate) fn terminate(child: &Child) {
    if let Ok(pid) = i32::try_from(child.id())
        && let Some(pid) = rustix::process::Pid::from_raw(pid)
    {
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
    }
}
