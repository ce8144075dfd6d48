//! A running git host, a platform that receives its webhooks, and the real git program.
#![allow(dead_code, reason = "each test program uses its part")]
#![expect(clippy::unwrap_used, reason = "test helper")]

pub(crate) mod browser;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::State;
use axum::routing::post;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use of_git::{Config, Secrets};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
pub(crate) const PLATFORM_TOKEN: &str = "platform-token";
pub(crate) const WEBHOOK_SECRET: &str = "webhook-secret";

/// One webhook as the platform got it.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) headers: HeaderMap,
    pub(crate) raw: Bytes,
    pub(crate) body: Value,
}

/// What stands in for `github-event`: it keeps what it gets and answers as it is told.
#[derive(Clone)]
pub(crate) struct Platform {
    pub(crate) address: SocketAddr,
    pub(crate) received: Arc<Mutex<Vec<Received>>>,
    arrived: Arc<Notify>,
    pub(crate) answer: Arc<Mutex<(StatusCode, &'static str)>>,
}

impl Platform {
    pub(crate) async fn start() -> Self {
        Self::start_on("127.0.0.1:0".parse().unwrap()).await
    }

    pub(crate) async fn start_on(address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let this = Self {
            address: listener.local_addr().unwrap(),
            received: Arc::default(),
            arrived: Arc::default(),
            answer: Arc::new(Mutex::new((StatusCode::ACCEPTED, "queued"))),
        };
        let app = axum::Router::new().route("/github-event", post(take)).with_state(this.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        this
    }

    pub(crate) fn answer_with(&self, status: StatusCode, text: &'static str) {
        *self.answer.lock().unwrap() = (status, text);
    }

    pub(crate) fn webhooks(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    /// Waits for this many webhooks.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Received> {
        until(|| self.webhooks().len() >= count).await;
        self.webhooks()
    }
}

async fn take(State(platform): State<Platform>, headers: HeaderMap, raw: Bytes) -> (StatusCode, &'static str) {
    let body = serde_json::from_slice(&raw).unwrap();
    let answer = *platform.answer.lock().unwrap();
    platform.received.lock().unwrap().push(Received { headers, raw, body });
    platform.arrived.notify_one();
    answer
}

/// Waits until something holds.
pub(crate) async fn until(mut holds: impl FnMut() -> bool) {
    let mut look = tokio::time::interval(Duration::from_millis(5));
    let wait = async {
        while !holds() {
            look.tick().await;
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.unwrap_or_else(|_| panic!("it did not happen in time"));
}

/// A running git host.
pub(crate) struct Host {
    pub(crate) address: SocketAddr,
    pub(crate) config: Config,
    shutdown: CancellationToken,
    running: JoinHandle<anyhow::Result<()>>,
}

/// The configuration that tests start from.
pub(crate) fn config(data: &Path, platform: SocketAddr) -> Config {
    let secrets = Secrets { webhook: WEBHOOK_SECRET.into(), token_key: "master".into() };
    let url = format!("http://{platform}/github-event").parse().unwrap();
    let mut config = Config::new(data.join("git"), "http://git.localhost:8000".parse().unwrap(), url, secrets);
    config.platform_token = Some(PLATFORM_TOKEN.into());
    config.customers_path = Some(data.join("customers"));
    config.first_retry = Duration::from_millis(20);
    config
}

impl Host {
    pub(crate) async fn start(config: Config) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(of_git::serve(config.clone(), listener, shutdown.clone()));
        Self { address, config, shutdown, running }
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(DEADLINE, self.running).await.unwrap().unwrap().unwrap();
    }

    /// The address of a repository with its user's credentials in it.
    pub(crate) fn url(&self, user: &str, path: &str) -> String {
        let token = of_git::token(&self.config.token_key, &user.parse().unwrap());
        self.url_with(user, &token, path)
    }

    pub(crate) fn url_with(&self, user: &str, password: &SecretString, path: &str) -> String {
        format!("http://{user}:{}@{}/{path}.git", password.expose_secret(), self.address)
    }

    pub(crate) fn api(&self, path: &str) -> String {
        format!("http://{}/api/v3/repos/{path}", self.address)
    }

    /// Reports a check run as the platform does and returns its id.
    pub(crate) async fn check_run(&self, repo: &str, body: Value) -> u64 {
        let url = self.api(&format!("{repo}/check-runs"));
        let response = sdk::http::client().post(url).bearer_auth(PLATFORM_TOKEN).json(&body).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED);
        response.json::<Value>().await.unwrap()["id"].as_u64().unwrap()
    }
}

/// A work tree driven by the real git.
pub(crate) struct Work {
    folder: tempfile::TempDir,
}

impl Work {
    pub(crate) async fn new() -> Self {
        let work = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(work.path()).unwrap();
        work.git(&["init", "-q", "-b", "main"]).await;
        work
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("work")
    }

    /// Runs git and returns what it said, whatever came of it.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Output {
        let mut command = self.command(arguments);
        tokio::time::timeout(DEADLINE, command.output()).await.unwrap().unwrap()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> tokio::process::Command {
        let mut command = tokio::process::Command::new("git");
        command
            .args(arguments)
            .current_dir(self.path())
            .env("HOME", self.folder.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .envs([("GIT_AUTHOR_NAME", "Ann"), ("GIT_AUTHOR_EMAIL", "ann@example.com")])
            .envs([("GIT_COMMITTER_NAME", "Ann"), ("GIT_COMMITTER_EMAIL", "ann@example.com")])
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .kill_on_drop(true);
        command
    }

    /// Runs git, which has to work, and returns its output.
    pub(crate) async fn git(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments).await;
        assert!(output.status.success(), "git {arguments:?}: {}", stderr(&output));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Makes a commit with one file and returns its id.
    pub(crate) async fn commit(&self, file: &str, content: impl AsRef<[u8]>) -> String {
        std::fs::write(self.path().join(file), content).unwrap();
        self.git(&["add", "-A"]).await;
        self.git(&["commit", "-q", "-m", &format!("change {file}")]).await;
        self.git(&["rev-parse", "HEAD"]).await
    }

    /// Pushes, and waits for what the host waits for.
    pub(crate) async fn push(&self, url: &str, what: &[&str]) -> Output {
        let mut arguments = vec!["push", url];
        arguments.extend_from_slice(what);
        self.run(&arguments).await
    }
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The lines that the pusher saw from the other side, without trailing blanks.
pub(crate) fn remote_lines(output: &Output) -> Vec<String> {
    let text = stderr(output).replace('\r', "\n");
    text.lines()
        .filter_map(|l| l.strip_prefix("remote: ").or(l.strip_prefix("remote:")))
        .map(|l| l.replace("\u{1b}[K", "").trim_end().to_owned())
        .collect()
}

/// Reports the stack of every pushed commit as done, so that pushes end at once.
pub(crate) fn deploy_everything(platform: &Platform, host: &Host) -> JoinHandle<()> {
    let (platform, api, client) = (platform.clone(), host.api(""), sdk::http::client());
    tokio::spawn(async move {
        let mut seen = 0;
        loop {
            let webhooks = platform.webhooks();
            for webhook in webhooks.iter().skip(seen).filter(|w| w.body["deleted"] == false) {
                let repo = webhook.body["repository"]["full_name"].as_str().unwrap();
                let body = serde_json::json!({
                    "name": "stack-deploy", "head_sha": webhook.body["head_commit"]["id"],
                    "status": "completed", "conclusion": "success", "output": {"title": "Deployed", "summary": ""}
                });
                let url = format!("{api}{repo}/check-runs");
                client.post(url).bearer_auth(PLATFORM_TOKEN).json(&body).send().await.unwrap();
            }
            seen = webhooks.len();
            platform.arrived.notified().await;
        }
    })
}
