//! The function with its gateway and its store, and questions to it.

use std::path::Path;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use futures_util::StreamExt as _;
use http::{Method, Request, Response};
use object_store::{AnyStore, Place, Variables};
use sdk::Env;
use sdk::function_log::{FOLLOW_LOGS, FUNCTION_LOGS_FUNCTION, FunctionLogRequest, Line};
use sdk::id::OwnerId;
use sdk::signing::Key;
use tempfile::TempDir;
use tokio::time::MissedTickBehavior;
use tower::ServiceExt as _;

use crate::gateway::Gateway;

pub(crate) const SECRET: &str = "shared by the functions";
/// How long something may take that should happen at once.
const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) struct Site {
    pub(crate) gateway: Gateway,
    pub(crate) folder: TempDir,
    router: Option<Router>,
    vars: Vec<(String, String)>,
}

impl Site {
    pub(crate) async fn start(more: &[(&str, &str)]) -> Self {
        let (gateway, folder) = (Gateway::start().await, tempfile::tempdir().unwrap());
        let directory = folder.path().join("logs").to_string_lossy().into_owned();
        let own = [
            ("gateway_url", gateway.url.clone()),
            ("function_log_directory", directory),
            ("function_log_interval", "20ms".to_owned()),
        ];
        let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let vars = own.into_iter().map(|(name, value)| (name.to_owned(), value)).chain(more).collect();
        let mut site = Self { gateway, folder, router: None, vars };
        site.restart();
        site
    }

    /// Ends the function, and starts it again.
    pub(crate) fn restart(&mut self) {
        self.stop();
        self.router = Some(function_logs::router(&self.env()).unwrap());
    }

    fn env(&self) -> Env {
        let secrets = [
            ("payload-secret", SECRET),
            ("basic-auth-user", "operator"),
            ("basic-auth-password", "secret"),
            ("s3-access-key", object_store::test_servers::ACCESS_KEY),
            ("s3-secret-key", object_store::test_servers::SECRET_KEY),
        ];
        Env::from_map(self.vars.clone(), secrets)
    }

    /// The store that logs are kept in.
    pub(crate) fn store(&self) -> AnyStore {
        let names =
            Variables { store: "function_log_store", directory: "function_log_directory", bucket: "function-logs" };
        Place::read(&self.env().reader(), names).unwrap().open()
    }

    pub(crate) fn stop(&mut self) {
        self.router = None;
    }

    /// Where objects are.
    pub(crate) fn logs(&self) -> std::path::PathBuf {
        self.folder.path().join("logs")
    }

    /// Asks `path`, signed for `purpose` if there is one.
    pub(crate) async fn send(&self, path: &str, purpose: Option<&str>, request: &FunctionLogRequest) -> Response<Body> {
        let body = serde_json::to_vec(request).unwrap();
        let mut message = Request::post(path);
        if let Some(purpose) = purpose {
            let key = Key::derive(&SECRET.into(), purpose);
            for (name, value) in key.sign(&Method::POST, &body, Duration::from_secs(60)) {
                message = message.header(name, value);
            }
        }
        self.pass(message.body(Body::from(body)).unwrap()).await
    }

    /// Hands on a request as it is.
    pub(crate) async fn pass(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().unwrap().oneshot(request).await.unwrap()
    }

    /// The status of an answer, and its lines.
    pub(crate) async fn ask(&self, request: &FunctionLogRequest) -> (u16, Vec<Line>) {
        let response = self.send("/", Some(FUNCTION_LOGS_FUNCTION), request).await;
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let lines = if status == 200 {
            body.split(|b| *b == b'\n')
                .filter(|line| !line.is_empty())
                .map(|line| serde_json::from_slice(line).unwrap())
                .collect()
        } else {
            Vec::new()
        };
        (status, lines)
    }

    pub(crate) async fn texts(&self, request: &FunctionLogRequest) -> Vec<String> {
        let (status, lines) = self.ask(request).await;
        assert_eq!(status, 200);
        lines.into_iter().map(|line| line.text).collect()
    }

    /// A log that goes on.
    pub(crate) async fn follow(&self, request: &FunctionLogRequest) -> Follower {
        let response = self.send("/follow", Some(FOLLOW_LOGS), request).await;
        assert_eq!(response.status(), 200);
        Follower { body: response.into_body(), rest: Vec::new() }
    }

    /// Waits until what is in the store, and only that, has such a line.
    pub(crate) async fn kept_when(&self, text: &str) {
        eventually(text, async || kept(&self.logs()).iter().any(|line| line.contains(text))).await;
    }
}

pub(crate) struct Follower {
    body: Body,
    rest: Vec<u8>,
}

impl Follower {
    /// The next line, `None` at the end.
    pub(crate) async fn next(&mut self) -> Option<Line> {
        let work = async {
            loop {
                if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = self.rest.drain(..=end).collect();
                    return Some(serde_json::from_slice(&line).unwrap());
                }
                let body = std::mem::take(&mut self.body);
                let mut stream = body.into_data_stream();
                let chunk = stream.next().await;
                self.body = Body::from_stream(stream);
                self.rest.extend_from_slice(&chunk?.unwrap());
            }
        };
        tokio::time::timeout(DEADLINE, work).await.expect("no line came")
    }
}

/// The lines of all objects.
pub(crate) fn kept(folder: &Path) -> Vec<String> {
    let mut lines = Vec::new();
    for file in files(folder) {
        let Ok(bytes) = std::fs::read(&file) else { continue };
        let mut text = String::new();
        let _ = std::io::Read::read_to_string(&mut flate2::read::MultiGzDecoder::new(&bytes[..]), &mut text);
        lines.extend(text.lines().map(str::to_owned));
    }
    lines
}

/// All files but those that are only being written.
pub(crate) fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut all = Vec::new();
    for entry in entries.filter_map(Result::ok) {
        let is_unfinished = entry.file_name().to_string_lossy().starts_with('.');
        match entry.path() {
            path if path.is_dir() => all.extend(files(&path)),
            path if !is_unfinished => all.push(path),
            _ => {}
        }
    }
    all
}

/// Looks until something is so.
pub(crate) async fn eventually(what: &str, is_so: impl AsyncFn() -> bool) {
    let began = tokio::time::Instant::now();
    let mut looks = tokio::time::interval(Duration::from_millis(5));
    // To look takes a while, and the others need their turn.
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while !is_so().await {
        assert!(began.elapsed() < DEADLINE, "not so after a long time: {what}");
        looks.tick().await;
    }
}

pub(crate) fn request(owner: u64, function: &str) -> FunctionLogRequest {
    FunctionLogRequest {
        owner_id: OwnerId { host: "git.localhost".to_owned(), id: owner },
        function: function.parse().unwrap(),
        since: None,
        until: None,
        grep: None,
        instance: None,
        tail: None,
    }
}
