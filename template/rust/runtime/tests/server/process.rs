//! A function as a real process: its logs, its signals, its exit code.

#![expect(clippy::unwrap_used, reason = "test helper")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Output, Stdio};

use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::process::{Child, ChildStderr, Command};

use crate::support::{Connection, get, within};

/// The example `hello`, which cargo builds together with the tests.
fn program() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join("examples/hello");
    assert!(path.exists(), "build it first: cargo build --example hello");
    path
}

fn command(folder: &TempDir, vars: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program());
    command
        .env_clear()
        .env("TMPDIR", folder.path())
        .env("port", "0")
        .env("metrics_port", "0");
    command.envs(vars.iter().copied());
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

struct Process {
    child: Child,
    log: Lines<BufReader<ChildStderr>>,
    http: SocketAddr,
    folder: TempDir,
}

impl Process {
    async fn start(vars: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut child = command(&folder, vars).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let first = within(log.next_line()).await.unwrap().unwrap();
        let port = first
            .split_once(r#""port":"#)
            .unwrap()
            .1
            .split([',', '}'])
            .next()
            .unwrap();
        let http = SocketAddr::from(([127, 0, 0, 1], port.parse().unwrap()));
        Self {
            child,
            log,
            http,
            folder,
        }
    }

    async fn signal(&self, name: &str) {
        let id = self.child.id().unwrap().to_string();
        assert!(
            Command::new("kill")
                .args(["-s", name, &id])
                .status()
                .await
                .unwrap()
                .success()
        );
    }

    /// Exit code, standard output, standard error.
    async fn ended(mut self) -> (Option<i32>, String, String) {
        let (mut out, mut log) = (String::new(), String::new());
        within(self.child.stdout.take().unwrap().read_to_string(&mut out))
            .await
            .unwrap();
        while let Some(line) = within(self.log.next_line()).await.unwrap() {
            log.push_str(&line);
            log.push('\n');
        }
        (within(self.child.wait()).await.unwrap().code(), out, log)
    }
}

async fn output(vars: &[(&str, &str)], args: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    within(command(&folder, vars).args(args).output()).await.unwrap()
}

#[tokio::test]
async fn sigterm_ends_it_with_code_0() {
    for signal in ["TERM", "INT"] {
        let process = Process::start(&[("greeting", "moin")]).await;
        let lock = process.folder.path().join(".lock");
        assert!(get(process.http, "/").await.ends_with("moin"));
        assert!(lock.exists());
        process.signal(signal).await;
        let (code, _, log) = process.ended().await;
        assert_eq!(code, Some(0), "{log}");
        assert!(
            log.contains(&format!("\"signal\":\"SIG{signal}\"")) && log.contains("stopped"),
            "{log}"
        );
        assert!(!lock.exists());
    }
}

#[tokio::test]
async fn each_request_is_one_line_of_json() {
    let process = Process::start(&[]).await;
    for path in ["/a?token=secret", "/_/health"] {
        get(process.http, path).await;
    }
    process.signal("TERM").await;
    let (_, out, _) = process.ended().await;
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines.len(), 1, "{out}");
    assert!(
        lines[0].contains(r#""method":"GET","uri":"/a","status":404,"duration_seconds":0."#),
        "{out}"
    );
    assert!(!out.contains("secret"));
}

#[tokio::test]
async fn the_access_log_can_be_switched_off() {
    let process = Process::start(&[("access_log", "false")]).await;
    get(process.http, "/").await;
    process.signal("TERM").await;
    assert_eq!(process.ended().await.1, "");
}

#[tokio::test]
async fn the_call_id_is_in_what_the_function_logs() {
    let process = Process::start(&[]).await;
    let mut connection = Connection(TcpStream::connect(process.http).await.unwrap());
    connection
        .send("GET /log HTTP/1.1\r\nhost: a\r\nx-call-id: abc-1\r\nconnection: close\r\n\r\n")
        .await;
    connection.rest().await;
    process.signal("TERM").await;
    let (_, out, log) = process.ended().await;
    let line = log.lines().find(|line| line.contains("working")).unwrap();
    assert!(
        line.contains(r#""step":1"#) && line.contains(r#""call_id":"abc-1""#),
        "{line}"
    );
    assert!(out.contains(r#""call_id":"abc-1""#), "{out}");
}

#[tokio::test]
async fn a_panic_is_logged_and_survived() {
    let process = Process::start(&[]).await;
    assert!(get(process.http, "/panic").await.starts_with("HTTP/1.1 500"));
    assert!(get(process.http, "/").await.ends_with("hello"));
    process.signal("TERM").await;
    let (code, out, log) = process.ended().await;
    assert_eq!(code, Some(0));
    assert!(log.contains("panicked: asked to"), "{log}");
    assert!(out.contains(r#""failure":"panic""#), "{out}");
}

#[tokio::test]
async fn everything_wrong_with_the_configuration_is_reported_at_once() {
    let vars = [("exec_timeout", "soon"), ("times", "many"), ("RUST_LOG", "x=loud")];
    let output = output(&vars, &[]).await;
    assert_eq!(output.status.code(), Some(78));
    let log = String::from_utf8(output.stderr).unwrap();
    for name in ["exec_timeout", "times", "RUST_LOG"] {
        assert!(
            log.contains(&format!("\"variable\":\"{name}\"")),
            "{name} is missing in {log}"
        );
    }
    assert_eq!(log.lines().count(), 3, "{log}");
}

#[tokio::test]
async fn a_port_in_use_ends_it_with_code_1() {
    let first = Process::start(&[]).await;
    let output = output(&[("port", &first.http.port().to_string())], &[]).await;
    assert_eq!(output.status.code(), Some(1));
    let log = String::from_utf8(output.stderr).unwrap();
    assert!(log.contains("is another process using it?"), "{log}");
}

#[tokio::test]
async fn run_healthcheck_looks_for_the_lock_file() {
    assert_eq!(output(&[], &["--run-healthcheck"]).await.status.code(), Some(1));
    let process = Process::start(&[]).await;
    assert!(get(process.http, "/_/health").await.starts_with("HTTP/1.1 200"));
    let folder = process.folder.path().to_str().unwrap();
    assert_eq!(
        output(&[("TMPDIR", folder)], &["--run-healthcheck"])
            .await
            .status
            .code(),
        Some(0)
    );
}
