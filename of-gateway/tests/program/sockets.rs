use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use crate::support::program::{READY, Start};
use crate::{no_engine, without_engine};

/// The program as a supervisor starts it that has bound the socket itself. `$$` is the shell's id, which `exec` keeps.
fn activated(dir: &std::path::Path, socket: impl Into<OwnedFd>, names: &str) -> Start {
    let mut command = Command::new("sh");
    let script = format!("LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES={names} exec \"$0\" \"$@\" 3<&0 </dev/null");
    command.arg("-c").arg(script).arg(env!("CARGO_BIN_EXE_of-gateway"));
    command.args(["--listen", "192.0.2.1:1", "--metrics-listen", "off"]);
    command.stdin(Stdio::from(socket.into()));
    Start::by(command, dir, &no_engine(dir))
}

#[tokio::test]
async fn a_socket_is_taken_over_from_a_supervisor_and_kept_over_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let mut program = activated(dir.path(), socket, "of-gateway.socket").run().await;
    assert_eq!(program.address(), address);
    for restarts in 1..=2 {
        program.signal(Signal::SIGUSR2);
        assert!(program.says(READY, restarts + 1).await.contains(&address));
        let answer = program.http.get(format!("{}/healthz", program.url)).send().await.unwrap();
        assert_eq!(answer.status(), 200);
    }
}

#[test]
fn a_socket_of_the_wrong_kind_is_refused_with_the_reason() {
    let dir = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connection = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (datagram, _other) = UnixDatagram::pair().unwrap();
    let cases: [(OwnedFd, &str); 2] = [(connection.into(), "Accept=no"), (datagram.into(), "no TCP socket")];
    for (socket, reason) in cases {
        let output = activated(dir.path(), socket, "http").command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(reason), "{reason} is missing in: {said}");
    }
}

#[test]
fn a_taken_port_is_named_with_the_option() {
    let dir = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    for option in ["--listen", "--metrics-listen"] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_of-gateway"));
        let address = taken.local_addr().unwrap().to_string();
        if option == "--metrics-listen" {
            command.args(["--listen", "127.0.0.1:0"]);
        }
        command.args([option, &address]);
        let output = Start::by(command, dir.path(), &no_engine(dir.path())).command.output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(option) && said.contains(&address), "{said}");
    }
}

#[tokio::test]
async fn a_supervisor_is_told_how_the_gateway_is() {
    let dir = tempfile::tempdir().unwrap();
    let told = UnixDatagram::bind(dir.path().join("notify")).unwrap();
    let next = || {
        let mut buffer = [0; 256];
        let length = told.recv(&mut buffer).unwrap();
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    let mut start = without_engine(dir.path());
    start.command.env("NOTIFY_SOCKET", dir.path().join("notify"));
    let mut program = start.run().await;
    assert_eq!(next(), "READY=1\n");
    program.signal(Signal::SIGHUP);
    let reloading = next();
    assert!(reloading.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{reloading}");
    assert_eq!(next(), "READY=1\n");
    program.signal(Signal::SIGUSR2);
    program.says(READY, 2).await;
    assert_eq!(next(), "READY=1\n");
    program.signal(Signal::SIGTERM);
    assert_eq!(next(), "STOPPING=1\n");
    assert!(program.ended().await.success());
}
