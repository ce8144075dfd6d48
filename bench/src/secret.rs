//! A changed secret, from the push of its repository to the running function of another repository that serves it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use crate::child::{free_port, terminate};
use crate::report::{Report, Row, median};

const ROUNDS: usize = 5;
const OWNER: &str = "bench";
/// The one function; it serves the files of its secrets.
const SERVER: &str = include_str!("../../tests/src/serve.pl");
const DOCKERFILE: &str = "FROM debian:bookworm-slim\nCOPY . /srv/\nUSER 12000\nCMD [\"perl\", \"/srv/serve.pl\"]\n";
const STACK: &str = "provider: {name: openfaas}\nfunctions:\n  reader: {lang: dockerfile, handler: ./reader, image: reader:latest, secrets: [db]}\n";
/// The most that it may take, in seconds.
const MOST: f64 = 3.0;
/// How long anything is waited for.
const LIMIT: Duration = Duration::from_secs(60);
const POLL: Duration = Duration::from_millis(2);

/// Measures a changed secret, beside the same container removed and run anew by hand.
pub(crate) fn measure(report: &mut Report) -> Result<()> {
    let stage = Stage::start()?;
    let [mut ours, mut peers] = [const { Vec::new() }; 2];
    for round in 1..=ROUNDS {
        ours.push(stage.change(&format!("value-{round}"))?);
        peers.push(stage.by_hand(&format!("by-hand-{round}"))?);
    }
    let (ours, peer) = (median(ours), median(peers));
    report.add(Row {
        what: "a changed secret, from its push to the function that serves it".to_owned(),
        ours: format!("{ours:.2} s"),
        peer: format!("docker rm and docker run {peer:.2} s"),
        ratio: format!("{:.2}", ours / peer),
        budget: format!("≤ {MOST} s"),
        holds: ours <= MOST,
    });
    Ok(())
}

/// A whole platform, a function on it, and the repository of its secret.
struct Stage {
    platform: Child,
    ofc: PathBuf,
    folder: TempDir,
    router: SocketAddr,
    container: String,
}

impl Stage {
    fn start() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let ofc = std::env::current_exe()?.with_file_name("ofc");
        let mut command = Command::new(&ofc);
        command.args(["up", "--port", "0", "--gateway-port", "0", "--data"]).arg(folder.path().join("data"));
        let platform = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let platform = platform
            .with_context(|| format!("cannot start {}: build it with cargo build --release -p ofc", ofc.display()))?;
        let container = format!("ofc-bench-{}", std::process::id());
        let mut stage = Self { platform, ofc, folder, router: SocketAddr::from(([127, 0, 0, 1], 0)), container };
        stage.router = stage.wait_until_up()?;
        stage.prepare()?;
        Ok(stage)
    }

    /// Where its router is, once it is up.
    fn wait_until_up(&mut self) -> Result<SocketAddr> {
        let (path, began) = (self.at("data").join("running.json"), Instant::now());
        loop {
            let record = fs::read(&path).ok().and_then(|record| serde_json::from_slice(&record).ok());
            let record: serde_json::Value = record.unwrap_or_default();
            if record["pid"] == self.platform.id() {
                return Ok(record["router"].as_str().context("the record names no router")?.parse()?);
            }
            ensure!(self.platform.try_wait()?.is_none() && began.elapsed() < LIMIT, "ofc up did not start");
            std::thread::sleep(POLL);
        }
    }

    /// Pushes a first value and the function.
    fn prepare(&self) -> Result<()> {
        let mut certificate = None;
        // The first key takes a while to make.
        until("the certificate", || {
            certificate = self.ask("system.localhost", "/v1/cert.pem");
            certificate.is_some()
        })?;
        fs::write(self.at("certificate.pem"), certificate.unwrap_or_default())?;
        let app = self.at("app");
        fs::create_dir_all(app.join("reader"))?;
        fs::write(app.join("stack.yml"), STACK)?;
        fs::write(app.join("reader/Dockerfile"), DOCKERFILE)?;
        fs::write(app.join("reader/serve.pl"), SERVER)?;
        fs::create_dir_all(self.at("secrets"))?;
        for name in ["secrets", "app"] {
            let repository = self.at(name);
            git(&repository, &["init", "--quiet", "--initial-branch=main"])?;
            self.ofc(&repository, &["link", &format!("{OWNER}/{name}"), "--remote", "ofc"])?;
        }
        self.change_file("first")?;
        git(&self.at("secrets"), &["push", "--quiet", "ofc", "main"])?;
        commit(&app)?;
        git(&app, &["push", "--quiet", "ofc", "main"])?;
        self.wait_for("first").map(drop)
    }

    /// Pushes another value. From the beginning of the push until it is served, in seconds.
    fn change(&self, value: &str) -> Result<f64> {
        self.change_file(value)?;
        let began = Instant::now();
        let mut push = git_command(&self.at("secrets"), &["push", "--quiet", "ofc", "main"]);
        let mut push = push.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let served = self.wait_for(value);
        let pushed = push.wait()?;
        let served = served?;
        ensure!(pushed.success(), "the push failed");
        Ok((served - began).as_secs_f64())
    }

    fn change_file(&self, value: &str) -> Result<()> {
        let certificate = self.at("certificate.pem");
        let certificate = certificate.to_str().context("a path that is not UTF-8")?;
        let literal = format!("password={value}");
        let repository = self.at("secrets");
        let arguments = ["seal", "--owner", OWNER, "--name", "db", "--cert", certificate, "--literal"];
        self.ofc(&repository, &[&arguments[..], &[literal.as_str()][..]].concat())?;
        commit(&repository)
    }

    /// When the function answered with a value.
    fn wait_for(&self, value: &str) -> Result<Instant> {
        let host = format!("{OWNER}.localhost");
        until("the value", || self.ask(&host, "/reader/secret/password").is_some_and(|answer| answer == value))
    }

    /// The same image with a file of its own as its secret: removed, run, asked. In seconds.
    fn by_hand(&self, value: &str) -> Result<f64> {
        let file = self.at("password");
        fs::write(&file, value)?;
        let filter = format!("label=of-gateway.function={OWNER}-reader");
        let image = docker(&["ps", "--filter", &filter, "--format", "{{.Image}}"])?;
        let image = image.lines().next().context("the function has no container")?.to_owned();
        let port = free_port()?;
        let (published, mount) =
            (format!("127.0.0.1:{port}:8080"), format!("{}:/var/openfaas/secrets/password:ro", file.display()));
        let began = Instant::now();
        // The first time there is none.
        let _ = docker(&["rm", "--force", &self.container]);
        docker(&["run", "--detach", "--name", &self.container, "--publish", &published, "--volume", &mount, &image])?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let served =
            until("the value", || ask(address, "localhost", "/secret/password").is_some_and(|answer| answer == value))?;
        Ok((served - began).as_secs_f64())
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn ask(&self, host: &str, path: &str) -> Option<String> {
        ask(self.router, host, path)
    }

    fn ofc(&self, folder: &Path, arguments: &[&str]) -> Result<()> {
        let mut command = Command::new(&self.ofc);
        command.args(arguments).arg("--data").arg(self.at("data")).current_dir(folder);
        command.env("XDG_CONFIG_HOME", self.at("config")).env("XDG_STATE_HOME", self.at("state"));
        run(command).map(drop)
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = docker(&["rm", "--force", &self.container]);
        terminate(&self.platform);
        let _ = self.platform.wait();
        let _ = self.ofc(self.folder.path(), &["down", "--purge", "--yes"]);
    }
}

/// One question over a connection of its own; the answer's body, if it is a good one.
fn ask(address: SocketAddr, host: &str, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(LIMIT)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    head.starts_with("HTTP/1.1 200").then(|| body.to_owned())
}

/// The moment from which on something is served.
fn until(what: &str, mut holds: impl FnMut() -> bool) -> Result<Instant> {
    let began = Instant::now();
    while !holds() {
        ensure!(began.elapsed() < LIMIT, "{what} was not served within {} s", LIMIT.as_secs());
        std::thread::sleep(POLL);
    }
    Ok(Instant::now())
}

fn commit(folder: &Path) -> Result<()> {
    git(folder, &["add", "--all"])?;
    git(folder, &["commit", "--quiet", "--message", "Change"])
}

fn git(folder: &Path, arguments: &[&str]) -> Result<()> {
    run(git_command(folder, arguments)).map(drop)
}

fn git_command(folder: &Path, arguments: &[&str]) -> Command {
    let mut git = Command::new("git");
    git.args(["-c", "user.name=Bench", "-c", "user.email=bench@example.com"]).args(arguments).current_dir(folder);
    git.env("GIT_TERMINAL_PROMPT", "0");
    git
}

fn docker(arguments: &[&str]) -> Result<String> {
    let mut docker = Command::new("docker");
    docker.args(arguments);
    run(docker)
}

fn run(mut command: Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start {command:?}"))?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?} failed: {}", error.trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
