//! What can be seen of the machine without an engine.

use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::process::Command;

use super::{Finding, Plan};
use crate::data_dir::DataDir;
use crate::file_handles;
use crate::instance::{self, State};
use crate::terminal::size;

/// Less, and a build may not end: Rust's base image alone has 1 GB.
const NEEDED_BYTES: u64 = 2_000_000_000;
/// Less, and it will be tight soon.
const WANTED_BYTES: u64 = 10_000_000_000;
/// Older ones do not know the push options and protocol that are used.
const GIT_SINCE: (u32, u32) = (2, 28);
/// How long git may take to find a name.
const NAME_PATIENCE: Duration = Duration::from_secs(5);

pub(super) async fn git() -> Finding {
    let install = "install git 2.28 or later (Debian: apt-get install git)";
    let Some(version) = output(&["--version"]).await else {
        return Finding::fail("git", "not found", install);
    };
    let number = version.trim().trim_start_matches("git version ").to_owned();
    if parse_git_version(&number).is_none_or(|found| found < GIT_SINCE) {
        return Finding::fail("git", format!("{number} is too old"), install);
    }
    let folder = output(&["--exec-path"]).await.map(|path| PathBuf::from(path.trim()));
    match folder {
        Some(folder) if folder.join("git-http-backend").is_file() => Finding::ok("git", number),
        _ => Finding::fail("git", format!("{number} without git-http-backend"), "install git's HTTP server part"),
    }
}

async fn output(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().await.ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

fn parse_git_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split('.').map_while(|part| part.parse().ok());
    Some((numbers.next()?, numbers.next()?))
}

/// Does git find a host below the domain on this machine? Asked of git itself: it, `curl` and browsers look
/// names up in ways of their own, and what the system's resolver says decides nothing.
pub(super) async fn names(domain: &str) -> Finding {
    let Ok(listener) = TcpListener::bind("127.0.0.1:0").await else {
        return Finding::fail("names", "nothing can listen on 127.0.0.1", "bring the loopback interface up");
    };
    let port = listener.local_addr().map(|address| address.port()).unwrap_or_default();
    let host = format!("git.{domain}");
    let mut git = Command::new("git");
    git.args(["-c", "http.proxy=", "ls-remote", &format!("http://{host}:{port}/")]);
    git.env("GIT_TERMINAL_PROMPT", "0").kill_on_drop(true);
    git.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let Ok(mut git) = git.spawn() else { return Finding::fail("names", "git cannot be asked", "install git") };
    let reached = tokio::select! {
        arrived = tokio::time::timeout(NAME_PATIENCE, listener.accept()) => matches!(arrived, Ok(Ok(_))),
        _ = git.wait() => false,
    };
    if reached {
        Finding::ok("names", format!("git finds *.{domain} on this machine"))
    } else {
        let advice = format!("let *.{domain} resolve to 127.0.0.1 (in /etc/hosts: 127.0.0.1 {host})");
        Finding::fail("names", format!("git does not find {host} on this machine"), advice)
    }
}

pub(super) async fn ports(plan: &Plan) -> Vec<Finding> {
    let ours = DataDir::at(&plan.data).and_then(|data| instance::state(&data));
    let running = match ours {
        Ok(State::Running(record)) => vec![record.router, record.gateway],
        _ => Vec::new(),
    };
    let mut findings = Vec::new();
    for (address, option) in &plan.ports {
        findings.push(match TcpListener::bind(address).await {
            Ok(_) => Finding::ok("port", format!("{address} is free")),
            Err(_) if running.contains(address) => Finding::ok("port", format!("{address} is the running platform's")),
            Err(cause) => {
                let advice = format!("stop what listens there, or start with another: {option} PORT");
                Finding::fail("port", format!("{address} cannot be used: {cause}"), advice)
            }
        });
    }
    findings
}

pub(super) fn data_directory(path: &Path) -> Finding {
    let shown = path.display();
    let Ok(about) = std::fs::metadata(path) else {
        return Finding::ok("data directory", format!("{shown} (made at the first start)"));
    };
    let secrets = path.join("secrets");
    let open = [path, &secrets]
        .into_iter()
        .find(|path| std::fs::metadata(path).is_ok_and(|about| about.permissions().mode() & 0o077 != 0));
    if !about.is_dir() {
        Finding::fail("data directory", format!("{shown} is no directory"), "choose another with --data DIR")
    } else if about.uid() != rustix::process::geteuid().as_raw() {
        Finding::fail(
            "data directory",
            format!("{shown} is another user's"),
            "choose another with --data DIR, or chown it",
        )
    } else if let Some(open) = open {
        let advice = format!("chmod 700 {}", open.display());
        Finding::warn("data directory", format!("others may look into {}", open.display()), advice)
    } else {
        Finding::ok("data directory", format!("{shown} is yours alone"))
    }
}

/// `ofc up` raises the lower limit itself; the upper one is the system's.
pub(super) fn open_files(most: Option<u64>) -> Finding {
    let detail = format!("{} may be open", file_handles::shown(most));
    if most.is_none_or(|most| most >= file_handles::WANTED) {
        return Finding::ok("open files", detail);
    }
    let wanted = file_handles::WANTED;
    let advice = format!("raise the hard limit to {wanted} (LimitNOFILE of a unit, nofile in limits.conf)");
    Finding::warn("open files", format!("{detail}, too few for many callers at once"), advice)
}

pub(super) fn disk(data: &Path) -> Finding {
    let there = data.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
    free_space("disk", if there.as_os_str().is_empty() { Path::new(".") } else { there })
}

pub(super) fn free_space(what: &'static str, folder: &Path) -> Finding {
    let shown = folder.display();
    let Ok(about) = rustix::fs::statvfs(folder) else {
        return Finding::warn(what, format!("{shown} cannot be measured"), "see `df`");
    };
    let free = about.f_bavail.saturating_mul(about.f_frsize);
    let detail = format!("{} free in {shown}", size(free));
    let advice = "free some: docker system prune, docker builder prune";
    match free {
        0..NEEDED_BYTES => Finding::fail(what, detail, advice),
        NEEDED_BYTES..WANTED_BYTES => Finding::warn(what, detail, advice),
        _ => Finding::ok(what, detail),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Verdict;
    use super::*;

    #[test]
    fn versions_of_all_vendors_are_read() {
        assert_eq!(parse_git_version("2.39.5"), Some((2, 39)));
        assert_eq!(parse_git_version("2.39.5 (Apple Git-154)"), Some((2, 39)));
        assert_eq!(parse_git_version("2.47.1.windows.2"), Some((2, 47)));
        assert_eq!(parse_git_version("nonsense"), None);
    }

    #[tokio::test]
    async fn a_taken_port_names_the_option() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let address = taken.local_addr().unwrap();
        let plan = Plan { data: folder.path().into(), domain: "localhost".into(), ports: vec![(address, "--port")] };
        let finding = ports(&plan).await.remove(0);
        assert_eq!(finding.verdict, Verdict::Fail);
        assert!(finding.advice.unwrap().ends_with("--port PORT"));
    }

    #[tokio::test]
    async fn localhost_has_names_below_it_and_others_do_not() {
        assert_eq!(names("localhost").await.verdict, Verdict::Ok);
        let finding = names("no-such-domain.invalid").await;
        assert_eq!(finding.verdict, Verdict::Fail);
        assert!(finding.advice.unwrap().contains("/etc/hosts"));
    }

    #[test]
    fn a_low_limit_of_open_files_is_told() {
        assert_eq!(open_files(None).verdict, Verdict::Ok);
        assert_eq!(open_files(Some(16_384)).verdict, Verdict::Ok);
        let finding = open_files(Some(16_383));
        assert_eq!(finding.verdict, Verdict::Warn);
        assert!(finding.detail.contains("16383") && finding.advice.unwrap().contains("16384"));
    }

    #[test]
    fn an_open_data_directory_is_told() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(data_directory(&folder.path().join("none")).verdict, Verdict::Ok);
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(data_directory(folder.path()).verdict, Verdict::Warn);
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!(data_directory(folder.path()).verdict, Verdict::Ok);
    }
}
