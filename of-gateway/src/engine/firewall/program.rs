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

/// The families of addresses that this machine knows. A kernel without IPv6 has no such file, and nothing to close.
pub(super) fn families() -> impl Iterator<Item = Family> {
    let v6 = Path::new("/proc/net/if_inet6").exists().then_some(Family::V6);
    [Family::V4].into_iter().chain(v6)
}

/// Why the firewall does not do what it is asked, in a sentence.
#[derive(Debug, thiserror::Error)]
pub(super) enum Trouble {
    /// It is not there, or not for this process to set or read: it holds nothing that this process has put there.
    #[error("{0}")]
    Closed(String),
    /// It may do it another time.
    #[error("{0}")]
    Failed(String),
}

/// Runs `iptables` with these arguments; answers with its output.
pub(super) async fn run(family: Family, arguments: &[&str]) -> Result<String, Trouble> {
    let arguments = [&["-w", "10"], arguments].concat();
    ask(family.program(), &arguments, "").await
}

pub(super) async fn succeeds(family: Family, arguments: &[&str]) -> bool {
    run(family, arguments).await.is_ok()
}

/// Applies a table in one step; chains that it does not name stay as they are.
pub(super) async fn restore(family: Family, table: &str) -> Result<(), Trouble> {
    ask(&format!("{}-restore", family.program()), &["-w", "10", "--noflush"], table).await.map(drop)
}

async fn ask(program: &str, arguments: &[&str], input: &str) -> Result<String, Trouble> {
    let asked = timeout(LIMIT, start(program, arguments, input)).await;
    let output = match asked {
        Ok(Ok(output)) => output,
        Ok(Err(error)) => return Err(not_run(program, &error)),
        Err(_) => return Err(Trouble::Failed(format!("{program} did not end within {LIMIT:?}"))),
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(complaint(program, &String::from_utf8_lossy(&output.stderr)))
}

fn not_run(program: &str, error: &io::Error) -> Trouble {
    match error.kind() {
        io::ErrorKind::NotFound => Trouble::Closed(format!("{program} is not installed")),
        io::ErrorKind::PermissionDenied => Trouble::Closed(format!("{program} cannot be run ({error})")),
        _ => Trouble::Failed(format!("{program} cannot be run ({error})")),
    }
}

/// What a program said when it failed.
fn complaint(program: &str, said: &str) -> Trouble {
    // Before the reason there may be a remark, such as that the machine has rules of the older kind too.
    let first = said.lines().find(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let first = first.unwrap_or("without a word");
    let sentence = format!("{program} failed: {first}");
    // Without the right, and on a kernel without the table.
    let closed = ["Permission denied", "Operation not permitted", "Table does not exist"];
    if closed.iter().any(|part| said.contains(part)) { Trouble::Closed(sentence) } else { Trouble::Failed(sentence) }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_firewall_that_is_closed_is_told_from_one_that_failed() {
        for said in [
            "iptables v1.8.9 (nf_tables): Could not fetch rule set generation id: Permission denied (you must \
             be root)\n",
            "iptables v1.8.7 (legacy): can't initialize iptables table `filter': Table does not exist (do you need to \
             insmod?)\nPerhaps iptables or your kernel needs to be upgraded.\n",
        ] {
            assert!(matches!(complaint("iptables", said), Trouble::Closed(_)), "{said}");
        }
        let remark = "# Warning: iptables-legacy tables present, use iptables-legacy to see them";
        let held = complaint(
            "iptables",
            &format!("{remark}\nAnother app is currently holding the xtables lock; still 9s 0us\n"),
        );
        assert!(matches!(&held, Trouble::Failed(said) if said.starts_with("iptables failed: Another app")), "{held}");
        assert!(matches!(not_run("iptables", &io::ErrorKind::NotFound.into()), Trouble::Closed(_)));
    }
}
