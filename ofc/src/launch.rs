//! Starts a platform that outlives the command: `ofc up -d`, and the platform of `ofc demo`.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::Context;

use crate::data_dir::DataDir;
use crate::instance::{self, Record, State};
use crate::report::Trouble;

/// The engine may have to start containers of an earlier run.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long a stop may take: the platform itself promises ten seconds.
const STOP_LIMIT: Duration = Duration::from_secs(15);
/// How much of the output is shown when a start fails, in bytes.
const SHOWN_OUTPUT: usize = 4096;

/// Runs `ofc up` with these arguments in the background and waits until it is ready.
///
/// # Errors
/// When it ends instead, with what it said.
pub async fn start(data: &DataDir, arguments: &[OsString]) -> anyhow::Result<Record> {
    let mut child = spawn(data, arguments)?;
    let pid = child.id();
    let is_ready = |state: &State| matches!(state, State::Running(record) if record.pid == pid);
    let ready = instance::wait_until(data, START_LIMIT, is_ready);
    tokio::pin!(ready);
    loop {
        tokio::select! {
            state = &mut ready => match state? {
                State::Running(record) => return Ok(*record),
                State::Between { .. } | State::Stopped => continue,
            },
            () = tokio::time::sleep(Duration::from_millis(50)) => {
                if let Some(status) = child.try_wait().context("cannot watch the platform start")? {
                    return Err(did_not_start(data, status));
                }
            }
        }
    }
}

/// Stops the platform of a data directory. False if none runs.
///
/// # Errors
/// When it does not end in time.
pub async fn stop(data: &DataDir) -> anyhow::Result<bool> {
    let pid = match instance::state(data)? {
        State::Stopped => return Ok(false),
        State::Running(record) => record.pid,
        State::Between { pid: Some(pid) } => pid,
        State::Between { pid: None } => anyhow::bail!("the lock file names no process"),
    };
    // The lock is held, so the process that wrote its number there lives: it is no other that got the same.
    instance::terminate(pid)?;
    let stopped = instance::wait_until(data, STOP_LIMIT, |state| *state == State::Stopped).await;
    stopped.map_err(|cause| {
        Trouble::new(format!("the platform (process {pid}) does not stop"))
            .hint(format!("see {}; end it with: kill -9 {pid}", data.log().display()))
            .because(cause)
    })?;
    Ok(true)
}

fn spawn(data: &DataDir, arguments: &[OsString]) -> anyhow::Result<Child> {
    let program = std::env::current_exe().context("cannot tell where ofc is")?;
    let path = data.output();
    let output = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let errors = output.try_clone()?;
    // A process group of its own: Ctrl-C at this terminal is not meant for it.
    let mut command = Command::new(program);
    // Its log is rotated; what it prints goes to a file that is not, so it must not go on printing.
    command.arg("up").arg("--quiet").args(arguments).arg("--data").arg(data.root());
    command.stdin(Stdio::null()).stdout(output).stderr(errors).process_group(0);
    command.spawn().context("cannot start the platform")
}

fn did_not_start(data: &DataDir, status: ExitStatus) -> anyhow::Error {
    let output = std::fs::read(data.output()).unwrap_or_default();
    let shown = String::from_utf8_lossy(&output[output.len().saturating_sub(SHOWN_OUTPUT)..]);
    let said = shown.trim().trim_start_matches("error: ").to_owned();
    // What it said has its causes and its hint with it.
    anyhow::Error::msg(if said.is_empty() { format!("the platform ended at once ({status})") } else { said })
}
