//! A gateway with functions whose replicas write.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use chrono::DateTime;
use futures_util::stream;
use sdk::gateway::{FunctionStatus, LogLine};
use sdk::labels;
use tokio::sync::watch;

/// `operator:secret`.
const AUTHORIZATION: &str = "Basic b3BlcmF0b3I6c2VjcmV0";

#[derive(Default)]
struct Kept {
    functions: BTreeMap<String, FunctionStatus>,
    replicas: HashMap<String, Vec<String>>,
    lines: HashMap<String, Vec<LogLine>>,
    refusal: Option<StatusCode>,
    log_refusal: Option<StatusCode>,
    readings: usize,
}

#[derive(Clone)]
pub(crate) struct Gateway {
    kept: Arc<Mutex<Kept>>,
    changed: watch::Sender<u64>,
    pub(crate) url: String,
    begin: i64,
}

impl Gateway {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        // What is written is never older than what has been read, however long a test takes.
        let begin = chrono::Utc::now().timestamp() + 60;
        let gateway = Self { kept: Arc::default(), changed: watch::Sender::new(0), url, begin };
        let routes = Router::new()
            .route("/system/functions", get(list))
            .route("/system/function/{name}", get(one))
            .route("/system/logs", get(logs))
            .with_state(gateway.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        gateway
    }

    /// Deploys a function with one replica, or gives it to another owner.
    pub(crate) fn deploy(&self, name: &str, owner: u64, replica: &str) {
        let labels = [
            (labels::GIT_CLOUD, "1".to_owned()),
            (labels::GIT_SCM, "git.localhost".to_owned()),
            (labels::GIT_OWNER_ID, owner.to_string()),
        ];
        let labels = labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let function =
            FunctionStatus { name: name.to_owned(), labels, replicas: 1, available_replicas: 1, ..Default::default() };
        self.kept().functions.insert(name.to_owned(), function);
        self.kept().lines.remove(name);
        self.kept().replicas.insert(name.to_owned(), vec![replica.to_owned()]);
        self.notify();
    }

    /// One replica more.
    pub(crate) fn add_replica(&self, name: &str, replica: &str) {
        let mut kept = self.kept();
        kept.replicas.get_mut(name).unwrap().push(replica.to_owned());
        let function = kept.functions.get_mut(name).unwrap();
        function.replicas += 1;
        function.available_replicas += 1;
    }

    /// The replicas go, and their lines with them.
    pub(crate) fn lose_replicas(&self, name: &str, next: &str) {
        self.kept().lines.remove(name);
        self.kept().replicas.insert(name.to_owned(), vec![next.to_owned()]);
        self.notify();
    }

    pub(crate) fn delete(&self, name: &str) {
        self.kept().functions.remove(name);
        self.notify();
    }

    /// A second of the test, in milliseconds since 1970.
    pub(crate) fn at(&self, second: i64) -> u64 {
        (self.begin + second).unsigned_abs() * 1000
    }

    /// A replica writes a line at this second of the test.
    pub(crate) fn write(&self, name: &str, instance: &str, second: i64, text: &str) {
        let line = LogLine {
            name: name.to_owned(),
            namespace: String::new(),
            instance: instance.to_owned(),
            timestamp: DateTime::from_timestamp(self.begin + second, 0).unwrap(),
            text: text.to_owned(),
        };
        self.kept().lines.entry(name.to_owned()).or_default().push(line);
        self.notify();
    }

    /// Answers everything so from now on.
    pub(crate) fn refuse(&self, status: Option<StatusCode>) {
        self.kept().refusal = status;
    }

    /// Answers questions for logs so from now on, and ends those that are being read.
    pub(crate) fn refuse_logs(&self, status: Option<StatusCode>) {
        self.kept().log_refusal = status;
        self.notify();
    }

    /// How often a log was asked for.
    pub(crate) fn readings(&self) -> usize {
        self.kept().readings
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap()
    }

    fn notify(&self) {
        self.changed.send_modify(|version| *version += 1);
    }

    fn check(&self, headers: &HeaderMap) -> Result<(), StatusCode> {
        let right = headers.get("authorization").is_some_and(|given| given == AUTHORIZATION);
        if !right {
            return Err(StatusCode::UNAUTHORIZED);
        }
        self.kept().refusal.map_or(Ok(()), Err)
    }
}

async fn list(State(gateway): State<Gateway>, headers: HeaderMap) -> Response {
    if let Err(status) = gateway.check(&headers) {
        return status.into_response();
    }
    Json(gateway.kept().functions.values().cloned().collect::<Vec<_>>()).into_response()
}

async fn one(State(gateway): State<Gateway>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    if let Err(status) = gateway.check(&headers) {
        return status.into_response();
    }
    let function = gateway.kept().functions.get(&name).cloned();
    function.map_or_else(|| StatusCode::NOT_FOUND.into_response(), |function| Json(function).into_response())
}

async fn logs(
    State(gateway): State<Gateway>,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    if let Err(status) = gateway.check(&headers) {
        return status.into_response();
    }
    let mut kept = gateway.kept();
    kept.readings += 1;
    if let Some(status) = kept.log_refusal {
        return status.into_response();
    }
    let name = query["name"].clone();
    let Some(replicas) = kept.replicas.get(&name).cloned() else { return StatusCode::NOT_FOUND.into_response() };
    drop(kept);
    let reading = Reading {
        since: query["since"].parse().unwrap(),
        follow: query["follow"] == "true",
        changed: gateway.changed.subscribe(),
        at: 0,
        replicas,
        name,
        gateway,
    };
    Body::from_stream(stream::unfold(reading, Reading::next)).into_response()
}

/// As the real one: it goes on with the replicas that there were at its beginning.
struct Reading {
    gateway: Gateway,
    name: String,
    replicas: Vec<String>,
    since: DateTime<chrono::Utc>,
    follow: bool,
    at: usize,
    changed: watch::Receiver<u64>,
}

impl Reading {
    async fn next(mut self) -> Option<(Result<String, Infallible>, Self)> {
        loop {
            self.changed.borrow_and_update();
            let mut text = String::new();
            {
                let kept = self.gateway.kept();
                if kept.replicas.get(&self.name) != Some(&self.replicas) && !self.is_grown(&kept) {
                    return None;
                }
                if kept.log_refusal.is_some() || kept.refusal.is_some() {
                    return None;
                }
                let lines = kept.lines.get(&self.name).map(Vec::as_slice).unwrap_or_default();
                for line in &lines[self.at.min(lines.len())..] {
                    if self.replicas.contains(&line.instance) && line.timestamp >= self.since {
                        text.push_str(&serde_json::to_string(line).unwrap());
                        text.push('\n');
                    }
                }
                self.at = lines.len();
            }
            if !text.is_empty() {
                return Some((Ok(text), self));
            }
            if !self.follow || self.changed.changed().await.is_err() {
                return None;
            }
        }
    }

    fn is_grown(&self, kept: &Kept) -> bool {
        kept.replicas.get(&self.name).is_some_and(|now| self.replicas.iter().all(|old| now.contains(old)))
    }
}
