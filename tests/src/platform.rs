//! A running `ofc up`, and everything that a test asks it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output};
use std::time::{Duration, Instant};

use reqwest::{Method, RequestBuilder};
use rustix::process::Signal;
use sdk::signing::{Key, sha256_header};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tempfile::TempDir;

use crate::command::Running;
use crate::engine::{Container, Engine};
use crate::log::{Line, Reader};
use crate::options::Options;
use crate::process::Process;
use crate::wait::{DEADLINE, until, until_some};
use crate::web::{Answer, client, try_send};
use crate::{repository::Repository, sockets};

/// `ofc up` promises to be gone within ten seconds.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// Lines of the log that a failed test shows.
const SHOWN: usize = 40;
/// Where `git-tar` keeps template repositories.
const TEMPLATES: &str = "git-tar-templates";
/// Between two looks at the log where every moment counts.
const GLANCE: Duration = Duration::from_micros(100);

/// A platform. When it is dropped, nothing of it stays.
#[derive(Debug)]
pub struct Platform {
    folder: TempDir,
    data: PathBuf,
    options: Options,
    process: Option<Process>,
    record: Value,
    engine: Engine,
}

/// A check run as `of-git` shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// `queued`, `in_progress` or `completed`.
    pub status: String,
    /// How it ended, or nothing.
    pub conclusion: String,
    /// Its sentence.
    pub title: String,
    /// Its log.
    pub text: String,
}

impl Platform {
    /// Starts one and waits until it takes pushes.
    ///
    /// # Panics
    /// When it ends instead.
    pub fn start(options: Options) -> Self {
        let mut this = Self::prepare(options);
        this.restart();
        this
    }

    /// Starts one that is expected to end by itself, and gives what it said.
    ///
    /// # Panics
    /// When it does not end, or not with exit code 1.
    pub fn refused(options: Options) -> String {
        let mut this = Self::prepare(options);
        this.refuses_to_restart()
    }

    fn prepare(options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let data = options.data.clone().unwrap_or_else(|| folder.path().join(".ofc"));
        Self { folder, data, options, process: None, record: Value::Null, engine: Engine::connect() }
    }

    fn output(&self) -> PathBuf {
        self.folder.path().join("output")
    }

    fn spawn(&self) -> Process {
        let mut command = self.options.command(self.folder.path());
        command.args(["up", "--port", "0", "--gateway-port", "0", "--log-format", "json", "--data"]).arg(&self.data);
        command.args(&self.options.arguments).envs(self.options.variables.iter().cloned());
        if let Some(engine) = &self.options.engine {
            command.env("DOCKER_HOST", engine);
        }
        Process::spawn(command, &self.output())
    }

    /// Starts it again with the same data directory, on other ports.
    pub fn restart(&mut self) {
        let mut process = self.spawn();
        let id = process.id();
        self.record = until_some("the platform is up", DEADLINE, || {
            if let Some(status) = process.ended() {
                panic!("the platform ended with {status}: {}", self.said());
            }
            let record = std::fs::read(self.data.join("running.json")).ok()?;
            serde_json::from_slice(&record).ok().filter(|record: &Value| record["pid"] == id)
        });
        self.process = Some(process);
    }

    /// Starts it again, expects it to give up, and gives what it said.
    pub fn refuses_to_restart(&mut self) -> String {
        let (status, _) = self.spawn().wait(DEADLINE);
        let said = self.said();
        assert_eq!(status.code(), Some(1), "{said}");
        said
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        self.process.take().unwrap().kill();
    }

    /// SIGTERM; how it ended, and how long that took.
    pub fn stop(&mut self) -> (ExitStatus, Duration) {
        let mut process = self.process.take().unwrap();
        process.signal(Signal::TERM);
        process.wait(STOP_LIMIT)
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.process.as_ref().unwrap().id()
    }

    /// Its data directory.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Runs another command of `ofc` about it.
    pub fn ofc(&self, arguments: &[&str], folder: Option<&Path>) -> Output {
        let mut command = self.options.command(self.folder.path());
        command.args(arguments).arg("--data").arg(&self.data);
        command.current_dir(folder.unwrap_or(self.folder.path())).output().unwrap()
    }

    /// Runs another command of `ofc` that says itself which platform it is about.
    pub fn ofc_alone(&self, arguments: &[&str]) -> Output {
        self.options.command(self.folder.path()).args(arguments).output().unwrap()
    }

    /// Runs one that goes on.
    pub fn start_ofc(&self, arguments: &[&str]) -> Running {
        let mut command = self.options.command(self.folder.path());
        command.args(arguments).arg("--data").arg(&self.data);
        Running::start(command)
    }

    /// A file that such a command keeps for its user.
    pub fn user_file(&self, path: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(path)).unwrap()
    }

    /// One of its secrets.
    pub fn secret(&self, name: &str) -> String {
        std::fs::read_to_string(self.data.join("secrets").join(name)).unwrap().trim().to_owned()
    }

    // ---- Where it is ----

    fn address(&self, name: &str) -> SocketAddr {
        self.record[name].as_str().unwrap().parse().unwrap()
    }

    /// A host below its domain.
    pub fn host(&self, label: &str) -> String {
        format!("{label}.{}", self.record["domain"].as_str().unwrap())
    }

    /// The router's address.
    pub fn router(&self) -> SocketAddr {
        self.address("router")
    }

    /// The gateway's address.
    pub fn gateway(&self) -> SocketAddr {
        self.address("gateway")
    }

    /// All ports on which it listens.
    pub fn listeners(&self) -> Vec<SocketAddr> {
        sockets::listening(self.id())
    }

    /// The builder's address: of the ports that are on no banner the one that builds (and wants a POST).
    pub fn builder(&self) -> SocketAddr {
        self.inner(405)
    }

    /// The git host's address.
    pub fn git_host(&self) -> SocketAddr {
        self.address("git")
    }

    fn inner(&self, status: u16) -> SocketAddr {
        let known = [self.router(), self.gateway()];
        let inner = self.listeners().into_iter().filter(|address| !known.contains(address));
        let answers = |address: &SocketAddr| {
            try_send(client().get(format!("http://{address}/build"))).is_some_and(|answer| answer.status == status)
        };
        inner.into_iter().find(answers).unwrap()
    }

    // ---- Requests ----

    /// Asks a function as the world does: by its owner's name, through the router.
    pub fn get(&self, owner: &str, path: &str) -> Answer {
        let request = self.to_router(Method::GET, &self.host(owner), path);
        try_send(request).expect("the router answers")
    }

    /// A request to the router for a host.
    pub fn to_router(&self, method: Method, host: &str, path: &str) -> RequestBuilder {
        client().request(method, format!("http://{}{path}", self.router())).header("host", host)
    }

    /// A request to the gateway, signed in.
    pub fn to_gateway(&self, method: Method, path: &str) -> RequestBuilder {
        let request = client().request(method, format!("http://{}{path}", self.gateway()));
        request.basic_auth(self.secret("basic-auth-user"), Some(self.secret("basic-auth-password")))
    }

    /// A request to the git host's REST interface, with an owner's push token.
    pub fn to_git_host(&self, method: Method, owner: &str, path: &str) -> RequestBuilder {
        let token = of_git::token(&self.secret("git-token-key").into(), &owner.parse().unwrap());
        let request = client().request(method, format!("http://{}/api/v3{path}", self.git_host()));
        request.bearer_auth(token.expose_secret())
    }

    /// Sends a request.
    pub fn send(&self, request: RequestBuilder) -> Answer {
        try_send(request).expect("the platform answers")
    }

    /// Calls one of the platform's functions as another one would, signed for it.
    pub fn call(&self, function: &str, body: impl Into<Vec<u8>>) -> Answer {
        let body = body.into();
        let key = Key::derive(&SecretString::from(self.secret("payload-secret")), function);
        let mut request = self.to_gateway(Method::POST, &format!("/function/{function}"));
        for (name, value) in key.sign(&Method::POST, &body, Duration::from_secs(60)) {
            request = request.header(name, value);
        }
        self.send(request.body(body))
    }

    /// Posts a webhook as a host does, with this signature.
    pub fn webhook(&self, event: &str, body: &str, signature: Option<&str>) -> Answer {
        let delivery = uuid::Uuid::new_v4().to_string();
        let mut request = self.to_router(Method::POST, "system.localhost", "/github-event");
        request = request.header("content-type", "application/json").header("x-github-event", event);
        request = request.header("x-github-delivery", delivery);
        if let Some(signature) = signature {
            request = request.header("x-hub-signature-256", signature);
        }
        self.send(request.body(body.to_owned()))
    }

    /// Posts a push webhook with the right signature.
    pub fn signed_push(&self, body: &Value) -> Answer {
        let (body, secret) = (body.to_string(), SecretString::from(self.secret("github-webhook-secret")));
        self.webhook("push", &body, Some(&sha256_header(&secret, body.as_bytes())))
    }

    // ---- What there is ----

    /// A function as the gateway shows it.
    pub fn function(&self, service: &str) -> Option<Value> {
        let answer = self.send(self.to_gateway(Method::GET, &format!("/system/function/{service}")));
        (answer.status == 200).then(|| answer.json())
    }

    /// A label of a function, or nothing.
    pub fn label(&self, service: &str, label: &str) -> String {
        let function = self.function(service).unwrap_or_default();
        function["labels"][label].as_str().unwrap_or_default().to_owned()
    }

    /// Waits until a function answers with this text.
    pub fn wait_for(&self, owner: &str, function: &str, text: &str) {
        let path = format!("/{function}");
        let what = format!("{owner}{path} answers '{text}'");
        until(&what, || {
            let request = self.to_router(Method::GET, &self.host(owner), &path);
            try_send(request).is_some_and(|answer| answer.status == 200 && answer.text == text)
        });
    }

    /// The check runs of a commit, by name.
    pub fn checks(&self, repository: &Repository, sha: &str) -> BTreeMap<String, Check> {
        let path = format!("/repos/{}/commits/{sha}/check-runs?per_page=100", repository.path());
        let answer = self.send(self.to_git_host(Method::GET, repository.owner(), &path)).json();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let check = |run: &Value| Check {
            status: text(&run["status"]),
            conclusion: text(&run["conclusion"]),
            title: text(&run["output"]["title"]),
            text: text(&run["output"]["text"]),
        };
        let runs = answer["check_runs"].as_array().cloned().unwrap_or_default();
        runs.iter().map(|run| (text(&run["name"]), check(run))).collect()
    }

    /// What `ofc status` says about a commit: its exit code and the report.
    pub fn status(&self, repository: &Repository, sha: &str) -> (Option<i32>, Value) {
        let output = self.ofc(&["status", &repository.path(), sha, "--json"], None);
        let report = serde_json::from_slice(&output.stdout);
        let report = report.unwrap_or_else(|_| panic!("ofc status: {}", String::from_utf8_lossy(&output.stderr)));
        (output.status.code(), report)
    }

    /// Waits until a commit's deployment is at its end, and gives the report.
    pub fn wait_for_end(&self, repository: &Repository, sha: &str, outcome: &str) -> Value {
        until_some(&format!("{sha} ends in {outcome}"), DEADLINE, || {
            let (_, report) = self.status(repository, sha);
            (report["outcome"] == outcome).then_some(report)
        })
    }

    /// The engine's id of this installation.
    pub fn instance(&self) -> String {
        std::fs::read_to_string(self.data.join("gateway/instance")).unwrap_or_default().trim().to_owned()
    }

    /// Its containers.
    pub fn containers(&self) -> Vec<Container> {
        match self.instance().as_str() {
            "" => Vec::new(),
            instance => self.engine.containers(instance),
        }
    }

    /// The one container of a function.
    ///
    /// # Panics
    /// When there is not exactly one.
    pub fn container(&self, service: &str) -> Container {
        let all: Vec<_> = self.containers().into_iter().filter(|container| container.function == service).collect();
        match all.as_slice() {
            [one] => one.clone(),
            _ => panic!("there is not one container of {service}: {all:?}"),
        }
    }

    /// The engine, asked directly.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Waits until exactly these functions have a container, each one that runs and none that is new or leaving.
    pub fn wait_for_containers(&self, services: &[&str]) {
        let mut wanted: Vec<&str> = services.to_vec();
        wanted.sort_unstable();
        until(&format!("there is one container for each of {wanted:?}"), || {
            let containers = self.containers();
            let settled =
                |c: &Container| c.running && !["-new", "-gone", "-zero"].iter().any(|end| c.name.ends_with(end));
            containers.iter().map(|c| c.function.as_str()).eq(wanted.iter().copied()) && containers.iter().all(settled)
        });
    }

    /// What is left in the folder for work in progress, but for the templates that are kept there.
    pub fn work_left(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.data.join("work")).into_iter().flatten().flatten();
        entries.map(|entry| entry.path()).filter(|path| !path.ends_with(TEMPLATES)).collect()
    }

    /// What it said on its terminal.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.output()).unwrap_or_default()
    }

    /// Waits until nothing is in progress.
    pub fn wait_for_no_work(&self) {
        until("no temporary files are left", || self.work_left().is_empty());
    }

    // ---- Its log ----

    /// All lines of its log.
    pub fn log(&self) -> Vec<Line> {
        Reader::whole(&self.data.join("ofc.log")).lines()
    }

    /// Does something, and returns as soon as the log has a line that fits.
    pub fn watch_log<T>(&self, start: impl FnOnce() -> T, fits: impl Fn(&Line) -> bool) -> T {
        let mut log = Reader::from_now(&self.data.join("ofc.log"));
        let (begun, since) = (start(), Instant::now());
        while !log.lines().iter().any(&fits) {
            assert!(since.elapsed() < DEADLINE, "the log does not have the line");
            std::thread::park_timeout(GLANCE);
        }
        begun
    }

    /// Does something, and returns as soon as there is a file of JSON in a folder.
    pub fn watch_folder<T>(&self, start: impl FnOnce() -> T, folder: &Path) -> T {
        let is_json = |entry: std::fs::DirEntry| entry.path().extension().is_some_and(|end| end == "json");
        let (begun, since) = (start(), Instant::now());
        while !std::fs::read_dir(folder).into_iter().flatten().flatten().any(is_json) {
            assert!(since.elapsed() < DEADLINE, "there is no file in {}", folder.display());
            std::thread::park_timeout(GLANCE);
        }
        begun
    }

    fn show_log(&self) {
        let said = self.said();
        let lines = self.log();
        let last = lines.iter().rev().take(SHOWN).rev().map(|line| format!("{}\n", line.0)).collect::<String>();
        eprintln!("--- the platform said ---\n{said}\n--- the last lines of its log ---\n{last}---");
    }
}

impl Drop for Platform {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.show_log();
        }
        drop(self.process.take());
        if self.data.join("ofc.lock").exists() {
            let down = self.ofc(&["down", "--purge", "--yes"], None);
            if !down.status.success() {
                eprintln!("ofc down: {}", String::from_utf8_lossy(&down.stderr));
            }
        }
    }
}
