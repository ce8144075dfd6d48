use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::program::{Program, READY, Start};
use crate::{no_engine, without_engine};

const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: f\r\n\r\n";

/// Reads one answer, which ends with these words.
#[expect(clippy::unwrap_used, reason = "test helper")]
async fn read_until(client: &mut TcpStream, end: &str) -> String {
    let mut answer = Vec::new();
    while !answer.ends_with(end.as_bytes()) {
        let read = client.read_buf(&mut answer).await.unwrap();
        assert!(read > 0, "the connection ended after {:?}", String::from_utf8_lossy(&answer));
    }
    String::from_utf8(answer).unwrap()
}

async fn restart(program: &mut Program, times: usize) {
    program.signal(Signal::SIGUSR2);
    program.says(READY, times + 1).await;
}

#[tokio::test]
async fn connections_between_two_requests_do_not_notice_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut program = without_engine(dir.path()).run().await;
    let (id, address) = (program.id(), program.address().to_owned());
    let mut kept = TcpStream::connect(&address).await.unwrap();
    let mut silent = TcpStream::connect(&address).await.unwrap();
    for times in 1..=3 {
        kept.write_all(HEALTH).await.unwrap();
        let answer = read_until(&mut kept, "OK\n").await;
        assert!(answer.starts_with("HTTP/1.1 200") && !answer.contains("connection: close"), "{answer}");
        restart(&mut program, times).await;
    }
    for client in [&mut kept, &mut silent] {
        client.write_all(HEALTH).await.unwrap();
        assert!(read_until(client, "OK\n").await.starts_with("HTTP/1.1 200"));
    }
    assert_eq!(program.id(), id);
    program.signal(Signal::SIGTERM);
    assert!(program.ended().await.success());
    assert_eq!(kept.read(&mut [0; 1]).await.unwrap_or(0), 0, "closed at the end");
}

#[tokio::test]
async fn a_request_under_way_ends_before_a_restart_and_new_connections_wait() {
    let dir = tempfile::tempdir().unwrap();
    let mut program = without_engine(dir.path()).run().await;
    // Begun in the middle of the head, and in the middle of the body.
    let mut head = TcpStream::connect(program.address()).await.unwrap();
    head.write_all(b"GET /health").await.unwrap();
    let mut body = TcpStream::connect(program.address()).await.unwrap();
    let login = "Basic YWRtaW46Y29ycmVjdCBob3JzZQ==";
    let request =
        format!("POST /system/functions HTTP/1.1\r\nhost: f\r\nauthorization: {login}\r\ncontent-length: 8\r\n\r\n");
    body.write_all(request.as_bytes()).await.unwrap();
    body.write_all(b"{").await.unwrap();
    // Answered after the other two arrived, so both were read.
    assert_eq!(program.status_for("nobody", "").await, 401);

    program.signal(Signal::SIGUSR2);
    program.says("lets requests end", 1).await;
    let mut late = TcpStream::connect(program.address()).await.unwrap();
    late.write_all(HEALTH).await.unwrap();
    head.write_all(b"z HTTP/1.1\r\nhost: f\r\n\r\n").await.unwrap();
    assert!(read_until(&mut head, "OK\n").await.contains("connection: close"));
    assert_eq!(program.said(READY).len(), 1, "it waits for the other one");
    body.write_all(b"broken}").await.unwrap();
    let answer = read_until(&mut body, "\n").await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    assert!(read_until(&mut late, "OK\n").await.starts_with("HTTP/1.1 200"));
    program.says(READY, 2).await;
}

#[tokio::test]
async fn a_restart_that_waits_can_be_ended() {
    let dir = tempfile::tempdir().unwrap();
    let mut start = without_engine(dir.path());
    start.command.env("connections_grace", "50ms");
    let mut program = start.run().await;
    let mut stuck = TcpStream::connect(program.address()).await.unwrap();
    stuck.write_all(b"GET /health").await.unwrap();
    assert_eq!(program.status_for("nobody", "").await, 401);
    program.signal(Signal::SIGUSR2);
    program.says("lets requests end", 1).await;
    program.signal(Signal::SIGTERM);
    assert!(program.ended().await.success());
    assert_eq!(program.said(READY).len(), 1);
}

#[tokio::test]
async fn what_takes_too_long_is_cut_off_by_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let mut start = without_engine(dir.path());
    start.command.env("restart_grace", "50ms");
    let mut program = start.run().await;
    let mut stuck = TcpStream::connect(program.address()).await.unwrap();
    stuck.write_all(b"GET /health").await.unwrap();
    assert_eq!(program.status_for("nobody", "").await, 401);
    restart(&mut program, 1).await;
    assert_eq!(stuck.read(&mut [0; 1]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn many_signals_at_once_are_survived() {
    let dir = tempfile::tempdir().unwrap();
    let mut program = without_engine(dir.path()).run().await;
    for _ in 0..200 {
        program.signal(Signal::SIGUSR2);
        tokio::task::yield_now().await;
        program.signal(Signal::SIGHUP);
    }
    program.says(READY, 2).await;
    program.signal(Signal::SIGTERM);
    assert!(program.ended().await.success(), "none of them ended it, and the last one did");
}

/// A copy of the program, to be replaced by others.
#[expect(clippy::unwrap_used, reason = "test helper")]
fn copy(dir: &Path) -> PathBuf {
    let path = dir.join("gateway");
    std::fs::copy(env!("CARGO_BIN_EXE_of-gateway"), &path).unwrap();
    path
}

/// Puts a script in the place of a program, as an update would: by another file's name.
#[expect(clippy::unwrap_used, reason = "test helper")]
fn put(path: &Path, script: &str, mode: u32) {
    let new = path.with_extension("new");
    std::fs::write(&new, script).unwrap();
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(mode)).unwrap();
    std::fs::rename(&new, path).unwrap();
}

#[tokio::test]
async fn the_program_that_is_in_its_place_is_what_runs_afterwards() {
    let dir = tempfile::tempdir().unwrap();
    let path = copy(dir.path());
    let mut program = Start::of(&path, dir.path(), &no_engine(dir.path())).run().await;
    let binary = env!("CARGO_BIN_EXE_of-gateway");
    put(&path, &format!("#!/bin/sh\n[ \"$3\" = --check ] || echo the new version >&2\nexec {binary} \"$@\"\n"), 0o755);
    restart(&mut program, 1).await;
    assert_eq!(program.said("the new version").len(), 1);
    assert_eq!(program.status_for("nobody", "").await, 401);
}

#[tokio::test]
async fn a_program_that_cannot_run_does_not_take_the_place_of_one_that_does() {
    let dir = tempfile::tempdir().unwrap();
    let path = copy(dir.path());
    let mut program = Start::of(&path, dir.path(), &no_engine(dir.path())).run().await;
    let mut kept = TcpStream::connect(program.address()).await.unwrap();
    let (refused, failed) = ("There is no restart", "cannot be executed; the old one goes on");
    put(&path, "#!/bin/sh\necho wrong settings >&2\nexit 3\n", 0o755);
    program.signal(Signal::SIGUSR2);
    let said = program.says(refused, 1).await;
    assert!(said.contains("wrong settings"), "{said}");
    put(&path, "", 0o644);
    program.signal(Signal::SIGUSR2);
    program.says(refused, 2).await;
    assert_eq!(program.said("lets requests end").len(), 0, "it did not even begin to end");
    // It is gone between the check and its execution.
    put(&path, "#!/bin/sh\nrm \"$0\"\n", 0o755);
    program.signal(Signal::SIGUSR2);
    program.says(failed, 1).await;
    program.says(READY, 2).await;
    kept.write_all(HEALTH).await.unwrap();
    assert!(read_until(&mut kept, "OK\n").await.starts_with("HTTP/1.1 200"));
    std::fs::copy(env!("CARGO_BIN_EXE_of-gateway"), &path).unwrap();
    restart(&mut program, 2).await;
}
