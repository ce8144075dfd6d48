//! DNS records, made by a program of the operator's: every provider has an interface of its own.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};

use super::OrderError;

/// What of the program's complaint is shown, in bytes.
const SHOWN: u64 = 500;

/// What is to happen to the record.
#[derive(Debug, Clone, Copy)]
pub(super) enum Change {
    Present,
    Cleanup,
}

/// Runs `program present|cleanup <record> <value>`. It has to return when the record is there for the world to see.
pub(super) async fn run(
    program: &Path,
    change: Change,
    record: &str,
    value: &str,
    limit: Duration,
) -> Result<(), OrderError> {
    let what = match change {
        Change::Present => "present",
        Change::Cleanup => "cleanup",
    };
    // No shell: the arguments arrive as they are. A group of its own, so that all it starts can be ended with it.
    let mut command = Command::new(program);
    command.args([what, record, value]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.process_group(0).kill_on_drop(true).spawn().map_err(OrderError::HookStart)?;
    let mut group = Group(child.id());
    let ended = tokio::time::timeout(limit, ending(&mut child)).await;
    if ended.is_ok() {
        // The number may be somebody else's by now.
        group.0 = None;
    }
    let late = || OrderError::Hook(format!("it took longer than {} seconds and was ended", limit.as_secs_f32()));
    ended.unwrap_or_else(|_| Err(late()))
}

/// Ends what is left of the program when its time is over, or nobody waits for it any longer.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        let pid = self.0.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(pid) = pid {
            let _ = kill_process_group(pid, Signal::KILL);
        }
    }
}

async fn ending(child: &mut Child) -> Result<(), OrderError> {
    let mut complaint = Vec::new();
    if let Some(errors) = child.stderr.take() {
        let mut shown = errors.take(SHOWN);
        let _ = shown.read_to_end(&mut complaint).await;
        // The rest is read too, lest the program hang on a full pipe.
        let _ = tokio::io::copy(shown.get_mut(), &mut tokio::io::sink()).await;
    }
    let status = child.wait().await.map_err(OrderError::HookStart)?;
    if status.success() {
        return Ok(());
    }
    let complaint = String::from_utf8_lossy(&complaint);
    Err(OrderError::Hook(format!("{status}, and it said: {}", complaint.trim().escape_debug())))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::Instant;

    use super::*;

    fn script(folder: &Path, text: &str) -> std::path::PathBuf {
        let path = folder.join("hook");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    #[tokio::test]
    async fn arguments_arrive_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("out");
        let hook = script(folder.path(), &format!("printf '%s|' \"$@\" > {}", out.display()));
        let value = "a b;$(touch x)`y`\"'";
        run(&hook, Change::Present, "_acme-challenge.example.com", value, Duration::from_secs(10)).await.unwrap();
        let seen = std::fs::read_to_string(&out).unwrap();
        assert_eq!(seen, format!("present|_acme-challenge.example.com|{value}|"));
        run(&hook, Change::Cleanup, "r", "v", Duration::from_secs(10)).await.unwrap();
        assert_eq!(std::fs::read_to_string(&out).unwrap(), "cleanup|r|v|");
    }

    #[tokio::test]
    async fn a_program_that_fails_hangs_or_is_not_there_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let limit = Duration::from_secs(10);
        let hook = script(folder.path(), "echo 'no such zone' >&2; exit 3");
        let text = run(&hook, Change::Present, "r", "v", limit).await.unwrap_err().to_string();
        assert!(text.contains("no such zone") && text.contains('3'), "{text}");
        let missing = run(&folder.path().join("missing"), Change::Present, "r", "v", limit).await;
        assert!(matches!(missing, Err(OrderError::HookStart(_))));

        let pid = folder.path().join("pid");
        let hook = script(folder.path(), &format!("sleep 600 & echo $! > {}; wait", pid.display()));
        let began = Instant::now();
        let text = run(&hook, Change::Present, "r", "v", Duration::from_millis(500)).await.unwrap_err().to_string();
        assert!(text.contains("took longer") && began.elapsed() < limit, "{text}");
        let child: i32 = std::fs::read_to_string(&pid).unwrap().trim().parse().unwrap();
        let gone = || {
            let stat = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
            stat.is_empty() || stat.contains(") Z ")
        };
        tokio::time::timeout(limit, async {
            while !gone() {
                tokio::task::yield_now().await;
            }
        })
        .await
        .expect("what the program started ends with it");
    }
}
