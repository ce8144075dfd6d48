//! The programs that set the firewall.

use std::io;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;
use tokio::time::timeout;

/// Also waits for other programs that set it at the same time.
const LIMIT: Duration = Duration::from_secs(20);
/// Where the programs are on systems that keep them off users' paths.
const DIRECTORIES: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    fn program(self) -> &'static str {
        match self {
            Self::V4 => "iptables",
            Self::V6 => "ip6tables",
        }
    }
}

/// Runs `iptables` with these arguments; answers with its output, or with a sentence.
pub(super) async fn run(family: Family, arguments: &[&str]) -> Result<String, String> {
    let arguments = [&["-w", "10"], arguments].concat();
    ask(family.program(), &arguments, "").await
}

pub(super) async fn succeeds(family: Family, arguments: &[&str]) -> bool {
    run(family, arguments).await.is_ok()
}

/// Applies a table in one step; chains that it does not name stay as they are.
pub(super) async fn restore(family: Family, table: &str) -> Result<(), String> {
    ask(&format!("{}-restore", family.program()), &["-w", "10", "--noflush"], table).await.map(drop)
}

async fn ask(program: &str, arguments: &[&str], input: &str) -> Result<String, String> {
    let asked = timeout(LIMIT, start(program, arguments, input)).await;
    let output = match asked {
        Ok(Ok(output)) => output,
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => return Err(format!("{program} is not installed")),
        Ok(Err(error)) => return Err(format!("{program} cannot be run ({error})")),
        Err(_) => return Err(format!("{program} did not end within {LIMIT:?}")),
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let first = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("without a word");
    Err(format!("{program} failed: {first}"))
}

async fn start(program: &str, arguments: &[&str], input: &str) -> io::Result<Output> {
    let here = DIRECTORIES.iter().map(|directory| Path::new(directory).join(program)).find(|path| path.exists());
    let mut child = Command::new(here.as_deref().unwrap_or(Path::new(program)))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut pipe) = child.stdin.take() {
        // A program that does not read on says why in its own words.
        let _ = pipe.write_all(input.as_bytes()).await;
    }
    child.wait_with_output().await
}
