//! A real builder on a port of its own, driven over HTTP, with the real engine behind it.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bollard::Docker;
use bollard::query_parameters::RemoveImageOptions;
use of_builder::{Config, Report, Status};
use sdk::Env;
use sdk::signing::sha256_header;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub(crate) const SECRET: &str = "a secret of the tests";
pub(crate) const SOCKET: &str = "/run/docker.sock";
pub(crate) const BASE: &str = "debian:bookworm-slim";
/// As long as a cancelled step may live on.
pub(crate) const GONE_WITHIN: Duration = Duration::from_secs(2);

/// A running builder.
pub(crate) struct Builder {
    pub(crate) url: String,
    pub(crate) shutdown: CancellationToken,
    client: reqwest::Client,
}

impl Builder {
    pub(crate) async fn start(vars: &[(&str, &str)]) -> Self {
        Self::with_secrets(vars, &[]).await
    }

    /// A builder with further secrets of its own.
    pub(crate) async fn with_secrets(vars: &[(&str, &str)], secrets: &[(&str, &str)]) -> Self {
        require_engine().await;
        let mut all = HashMap::from([("docker_host", "unix:///run/docker.sock")]);
        all.extend(vars.iter().copied());
        let secrets = [("payload-secret", SECRET)].into_iter().chain(secrets.iter().copied());
        let config = Config::from_env(&Env::from_map(all, secrets)).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let shutdown = CancellationToken::new();
        tokio::spawn(of_builder::serve(config, listener, shutdown.clone()));
        Self { url, shutdown, client: sdk::http::client() }
    }

    /// Posts a rightly signed archive; `lines` asks for a streamed answer.
    pub(crate) async fn post(&self, tar: Vec<u8>, lines: bool) -> reqwest::Response {
        let signature = sha256_header(&SECRET.into(), &tar);
        self.post_signed(tar, &signature, lines).await
    }

    pub(crate) async fn post_signed(&self, tar: Vec<u8>, signature: &str, lines: bool) -> reqwest::Response {
        let accept = if lines { "application/x-ndjson" } else { "application/json" };
        let request = self.client.post(format!("{}/build", self.url)).header("accept", accept);
        request.header("x-build-signature", signature).body(tar).send().await.unwrap()
    }

    /// Builds and returns all reports, with the time at which each came.
    pub(crate) async fn build(&self, tar: Vec<u8>) -> Vec<(Instant, Report)> {
        let response = self.post(tar, true).await;
        assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
        let mut reports = Reports::new(response);
        let mut all = Vec::new();
        while let Some(report) = reports.next().await {
            all.push((Instant::now(), report));
        }
        all
    }
}

impl Drop for Builder {
    fn drop(&mut self) {
        self.shutdown.cancel();
    }
}

/// The lines of a streamed answer.
pub(crate) struct Reports {
    response: reqwest::Response,
    waiting: Vec<u8>,
}

impl Reports {
    pub(crate) fn new(response: reqwest::Response) -> Self {
        Self { response, waiting: Vec::new() }
    }

    pub(crate) async fn next(&mut self) -> Option<Report> {
        loop {
            if let Some(end) = self.waiting.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.waiting.drain(..=end).collect();
                return Some(serde_json::from_slice(&line).unwrap());
            }
            self.waiting.extend_from_slice(&self.response.chunk().await.unwrap()?);
        }
    }

    /// Reads on until a log line holds `text`.
    pub(crate) async fn until(&mut self, text: &str) {
        while let Some(report) = self.next().await {
            assert_eq!(report.status, Status::InProgress, "the build ended before '{text}': {report:?}");
            if report.log.iter().any(|line| line.contains(text)) {
                return;
            }
        }
        panic!("the answer ended before '{text}'");
    }
}

pub(crate) fn lines(reports: &[(Instant, Report)]) -> Vec<String> {
    reports.iter().flat_map(|(_, report)| report.log.clone()).collect()
}

pub(crate) fn last(reports: &[(Instant, Report)]) -> &Report {
    &reports.last().unwrap().1
}

/// An archive as a client of the Function Builder API sends it.
pub(crate) fn archive(config: serde_json::Value, dockerfile: &str, files: &[(&str, &str)]) -> Vec<u8> {
    sealed_archive(config, None, dockerfile, files)
}

/// The same with sealed build secrets.
pub(crate) fn sealed_archive(
    config: serde_json::Value,
    sealed: Option<&str>,
    dockerfile: &str,
    files: &[(&str, &str)],
) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let config = config.to_string();
    let dockerfile = ("context/Dockerfile".to_owned(), dockerfile);
    let sealed = sealed.map(|text| ("com.openfaas.secrets".to_owned(), text));
    let entries =
        [("com.openfaas.docker.config".to_owned(), config.as_str())].into_iter().chain(sealed).chain([dockerfile]);
    for (path, text) in entries.chain(files.iter().map(|(path, text)| (format!("context/{path}"), *text))) {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, text.as_bytes()).unwrap();
    }
    tar.into_inner().unwrap()
}

pub(crate) fn docker() -> Docker {
    Docker::connect_with_socket(SOCKET, 30, bollard::API_DEFAULT_VERSION).unwrap()
}

async fn require_engine() {
    assert!(std::path::Path::new(SOCKET).exists(), "no container engine answers at {SOCKET}: run scripts/engine start");
    let image = docker().inspect_image(BASE).await;
    assert!(image.is_ok(), "the engine has no {BASE}: run scripts/base-images ({:?})", image.err());
}

/// A name that no other test uses; the image is removed at the end.
pub(crate) struct Image {
    pub(crate) repository: String,
}

impl Image {
    pub(crate) fn new() -> Self {
        Self::below("of-builder-test")
    }

    pub(crate) fn below(prefix: &str) -> Self {
        Self { repository: format!("{prefix}/{}", uuid::Uuid::new_v4().simple()) }
    }

    pub(crate) fn name(&self) -> String {
        format!("{}:t", self.repository)
    }

    pub(crate) fn order(&self) -> serde_json::Value {
        serde_json::json!({ "image": self.name() })
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let name = self.name();
        // A runtime of its own, as this may run while another one unwinds.
        let removal = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            let options = RemoveImageOptions { force: true, ..RemoveImageOptions::default() };
            let _ = runtime.block_on(async { docker().remove_image(&name, Some(options), None).await });
        });
        let _ = removal.join();
    }
}

/// A build step that never ends and can be found among the processes of this machine.
pub(crate) struct Endless {
    seconds: String,
}

impl Endless {
    pub(crate) fn new() -> Self {
        let unique = uuid::Uuid::new_v4().as_u128() % 1_000_000_000;
        Self { seconds: format!("8{unique:09}") }
    }

    pub(crate) fn dockerfile(&self) -> String {
        format!("FROM {BASE}\nRUN echo sleeping && sleep {}\n", self.seconds)
    }

    fn runs(&self) -> bool {
        let wanted = format!("sleep\0{}\0", self.seconds);
        std::fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .any(|process| std::fs::read(process.path().join("cmdline")).is_ok_and(|line| line == wanted.as_bytes()))
    }

    pub(crate) async fn until_running(&self) {
        assert!(within(Duration::from_secs(10), || self.runs()).await, "the step did not start");
    }

    pub(crate) async fn until_gone(&self) {
        assert!(within(GONE_WITHIN, || !self.runs()).await, "the step still runs after {GONE_WITHIN:?}");
    }
}

/// Whether the condition comes true in time.
async fn within(time: Duration, condition: impl Fn() -> bool) -> bool {
    let mut look = tokio::time::interval(Duration::from_millis(10));
    let wait = async {
        while !condition() {
            look.tick().await;
        }
    };
    tokio::time::timeout(time, wait).await.is_ok()
}
