//! The router as a program: encryption by its variables, and a reload by SIGHUP.

#![expect(clippy::unwrap_used, reason = "test helpers")]

mod support;

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use support::{DEADLINE, until};

struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Program {
    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap(), signal).unwrap();
    }
}

fn free() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// Puts a certificate for the platform's domain into the folder and returns it.
fn put(folder: &std::path::Path) -> reqwest::Certificate {
    let key = rcgen::KeyPair::generate().unwrap();
    let pem = rcgen::CertificateParams::new(vec!["*.cloud.test".to_owned()]).unwrap().self_signed(&key).unwrap().pem();
    std::fs::write(folder.join("key"), key.serialize_pem()).unwrap();
    std::fs::write(folder.join("certificate"), &pem).unwrap();
    reqwest::Certificate::from_pem(pem.as_bytes()).unwrap()
}

fn command(folder: &std::path::Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_of-router"));
    for secret in ["basic-auth-user", "basic-auth-password"] {
        std::fs::write(folder.join(secret), "secret").unwrap();
    }
    command.env_clear().env("secret_mount_path", folder).env("domain", "cloud.test");
    command.env("gateway_url", format!("http://{}", free()));
    command.env("tls_certificate", folder.join("certificate")).env("tls_private_key", folder.join("key"));
    command.env("listen_address", "127.0.0.1:0").stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[tokio::test]
async fn a_hangup_reads_the_certificate_anew_and_a_term_ends_it_well() {
    let folder = tempfile::tempdir().unwrap();
    let first = put(folder.path());
    let address = free();
    let mut command = command(folder.path());
    command.env("https_address", address.to_string()).env("tls_reload_interval", "1h").stdout(Stdio::null());
    let variables = folder.path().join("variables");
    std::fs::write(&variables, "hsts = 1h\n").unwrap();
    command.arg("--env-file").arg(&variables);
    let log = folder.path().join("log");
    command.stderr(std::fs::File::create(&log).unwrap());
    let mut program = Program(command.spawn().unwrap());
    let ok = async |root: &reqwest::Certificate| {
        let builder = sdk::http::builder().timeout(DEADLINE).tls_certs_only([root.clone()]);
        let client = builder.resolve("a.cloud.test", address).build().unwrap();
        let answer = client.get(format!("https://a.cloud.test:{}/healthz", address.port())).send().await;
        answer.is_ok_and(|answer| answer.status() == 200)
    };
    until("it serves", async || ok(&first).await).await;
    let second = put(folder.path());
    assert!(ok(&first).await && !ok(&second).await);
    program.signal(Signal::HUP);
    until("the new certificate is shown", async || ok(&second).await).await;
    let said = |part: &str| std::fs::read_to_string(&log).unwrap().contains(part);
    assert!(!said("before a restart"), "the files are the same settings");
    std::fs::write(&variables, "hsts = 2h\nhttps_port=444\nclient_timeout=7s\n").unwrap();
    program.signal(Signal::HUP);
    until("it names what waits", async || said("before a restart")).await;
    assert!(said("\"settings\":\"https_port, hsts\""));
    program.signal(Signal::TERM);
    let ended = tokio::task::spawn_blocking(move || program.0.wait().unwrap());
    assert!(tokio::time::timeout(DEADLINE, ended).await.unwrap().unwrap().success());
}

#[tokio::test]
async fn a_certificate_that_is_wrong_stops_it_with_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path());
    std::fs::write(folder.path().join("key"), "nothing").unwrap();
    let output = command(folder.path()).env("https_address", "127.0.0.1:0").output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && errors.contains("no PEM private key"), "{errors}");
    let output = command(folder.path()).env("acme_directory", "letsencrypt").output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("acme_accept_terms") && errors.contains("acme_storage"), "{errors}");
}
