use std::process::Stdio;

use crate::without_engine;

#[test]
fn everything_that_is_wrong_is_said_at_once_and_nothing_starts() {
    let dir = tempfile::tempdir().unwrap();
    let mut start = without_engine(dir.path());
    std::fs::remove_file(start.secrets.join("basic-auth-password")).unwrap();
    start.command.env("upstream_timeout", "soon").env("log_format", "xml").env("restart_grace", "-1");
    let output = start.command.stderr(Stdio::piped()).output().unwrap();
    assert!(!output.status.success());
    let said = String::from_utf8(output.stderr).unwrap();
    for name in ["basic-auth-password", "upstream_timeout", "log_format", "restart_grace"] {
        assert!(said.contains(name), "{name} is missing in: {said}");
    }
    assert!(!dir.path().join("queue.db").exists());
}

#[test]
fn settings_can_be_checked_beside_a_running_gateway() {
    let dir = tempfile::tempdir().unwrap();
    let mut start = without_engine(dir.path());
    let output = start.command.arg("--check").output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    assert!(!dir.path().join("queue.db").exists());
    assert!(!start.command.env("drain_timeout", "x").output().unwrap().status.success());
}

#[tokio::test]
async fn a_log_that_goes_to_no_terminal_is_json() {
    let dir = tempfile::tempdir().unwrap();
    let mut start = without_engine(dir.path());
    start.command.env_remove("log_format").env("data_dir", "/proc/none");
    let output = start.command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("the gateway cannot start"), "{said}");
    start.command.env("data_dir", dir.path()).env("RUST_LOG", "info");
    let mut child = start.command.stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().unwrap()));
    let line: serde_json::Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert!(line["level"].is_string() && line["timestamp"].is_string() && line["message"].is_string(), "{line}");
    child.kill().unwrap();
    child.wait().unwrap();
}
