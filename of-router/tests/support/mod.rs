//! A running router before a gateway that keeps account of what reaches it.
#![allow(dead_code, reason = "each test program uses its part")]
#![expect(clippy::unwrap_used, reason = "test helper")]

pub(crate) mod auth;
pub(crate) mod authority;
pub(crate) mod encrypted;
pub(crate) mod recorder;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use http::{HeaderMap, StatusCode};
use of_router::{Change, Config, Domain, Listeners};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_stream::StreamExt as _;
use tokio_util::sync::CancellationToken;

pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

/// Waits for something to become true.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let mut look = tokio::time::interval(Duration::from_millis(10));
    let wait = async {
        while !condition().await {
            look.tick().await;
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.unwrap_or_else(|_| panic!("in vain: {what}"));
}

/// How the gateway answers questions about functions.
#[derive(Debug, Clone)]
pub(crate) enum Mood {
    Honest,
    Status(u16),
    Text(&'static str),
}

/// An owner's number, and a function's annotations.
type More = (u64, Vec<(&'static str, &'static str)>);

/// One request that reached a function.
#[derive(Debug, Clone)]
pub(crate) struct Reached {
    pub(crate) target: String,
    pub(crate) headers: HeaderMap,
}

/// A gateway: it knows functions by their owner labels and echoes what they are sent.
#[derive(Clone)]
pub(crate) struct Gateway {
    pub(crate) address: SocketAddr,
    pub(crate) labels: Arc<Mutex<HashMap<String, Option<&'static str>>>>,
    /// What is more to a function than its owner's login: the owner's number, and annotations.
    pub(crate) more: Arc<Mutex<HashMap<String, More>>>,
    pub(crate) mood: Arc<Mutex<Mood>>,
    pub(crate) questions: Arc<Mutex<Vec<String>>>,
    /// How often all functions were asked for.
    pub(crate) listed: Arc<AtomicUsize>,
    pub(crate) reached: Arc<Mutex<Vec<Reached>>>,
}

impl Gateway {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let this = Self {
            address: listener.local_addr().unwrap(),
            labels: Arc::default(),
            more: Arc::default(),
            mood: Arc::new(Mutex::new(Mood::Honest)),
            questions: Arc::default(),
            listed: Arc::default(),
            reached: Arc::default(),
        };
        let app = axum::Router::new()
            .route("/system/function/{name}", get(status))
            .route("/system/functions", get(list))
            .fallback(any(function))
            .with_state(this.clone());
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        this
    }

    pub(crate) fn deploy(&self, name: &str, owner: &'static str) {
        self.labels.lock().unwrap().insert(name.to_owned(), Some(owner));
    }

    /// A function of an owner with a number, and with annotations.
    pub(crate) fn deploy_with(
        &self,
        name: &str,
        owner: &'static str,
        id: u64,
        annotations: &[(&'static str, &'static str)],
    ) {
        self.more.lock().unwrap().insert(name.to_owned(), (id, annotations.to_vec()));
        self.deploy(name, owner);
    }

    fn function(&self, name: &str, owner: Option<&'static str>) -> Value {
        let mut labels = owner.map_or(json!({}), |owner| json!({"com.openfaas.cloud.git-owner": owner}));
        let mut annotations = json!({});
        if let Some((id, more)) = self.more.lock().unwrap().get(name) {
            labels["com.openfaas.cloud.git-owner-id"] = id.to_string().into();
            labels["com.openfaas.cloud.git-scm"] = "github.com".into();
            more.iter().for_each(|(key, value)| annotations[key] = (*value).into());
        }
        json!({
            "name": name, "image": "x", "replicas": 1, "availableReplicas": 1,
            "labels": labels, "annotations": annotations,
        })
    }

    pub(crate) fn reached(&self) -> Vec<Reached> {
        self.reached.lock().unwrap().clone()
    }

    pub(crate) fn asked(&self) -> usize {
        self.questions.lock().unwrap().len()
    }
}

async fn status(State(gateway): State<Gateway>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    gateway.questions.lock().unwrap().push(name.clone());
    if headers.get("authorization").is_none_or(|value| value != "Basic YWRtaW46c2VjcmV0") {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    match gateway.mood.lock().unwrap().clone() {
        Mood::Status(code) => return StatusCode::from_u16(code).unwrap().into_response(),
        Mood::Text(text) => return text.into_response(),
        Mood::Honest => {}
    }
    match gateway.labels.lock().unwrap().get(&name) {
        None => StatusCode::NOT_FOUND.into_response(),
        Some(owner) => Json(gateway.function(&name, *owner)).into_response(),
    }
}

async fn list(State(gateway): State<Gateway>) -> Response {
    gateway.listed.fetch_add(1, Ordering::Relaxed);
    let labels = gateway.labels.lock().unwrap();
    Json(labels.iter().map(|(name, owner)| gateway.function(name, *owner)).collect::<Vec<_>>()).into_response()
}

/// Gives back what it gets, for as long as the connection stands.
fn tunnel(mut request: Request) -> Response {
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let (mut read, mut write) = tokio::io::split(hyper_util::rt::TokioIo::new(upgrade.await.unwrap()));
        tokio::io::copy(&mut read, &mut write).await
    });
    let head = http::Response::builder().status(101).header("connection", "upgrade").header("upgrade", "websocket");
    head.body(Body::empty()).unwrap()
}

async fn function(State(gateway): State<Gateway>, request: Request) -> Response {
    let target = request.uri().to_string();
    if target.ends_with("/live") {
        return tunnel(request);
    }
    if target.ends_with("/drip") {
        let first = tokio_stream::once(Ok::<_, std::io::Error>("first"));
        return Body::from_stream(first.chain(tokio_stream::pending())).into_response();
    }
    gateway.reached.lock().unwrap().push(Reached { target: target.clone(), headers: request.headers().clone() });
    if target.ends_with("/slow") {
        std::future::pending::<()>().await;
    }
    let mut response = Response::new(Body::from_stream(request.into_body().into_data_stream()));
    response.headers_mut().insert("x-call-id", "the-function-s".parse().unwrap());
    response.headers_mut().insert("x-echo", "yes".parse().unwrap());
    if target.ends_with("/cookies") {
        for cookie in ["a=1", "ofc_session=forged"] {
            response.headers_mut().append("set-cookie", cookie.parse().unwrap());
        }
    }
    response
}

/// A running router.
pub(crate) struct Router {
    pub(crate) address: SocketAddr,
    shutdown: CancellationToken,
    running: JoinHandle<anyhow::Result<()>>,
}

pub(crate) fn config(gateway: SocketAddr) -> Config {
    let url = format!("http://{gateway}").parse().unwrap();
    Config::new(Domain::localhost(), url, "admin", "secret".into())
}

impl Router {
    pub(crate) async fn start(config: Config) -> Self {
        Self::start_changing(config).await.0
    }

    /// A router that can be told to go on differently.
    pub(crate) async fn start_changing(config: Config) -> (Self, mpsc::Sender<Change>) {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let (tell, changes) = mpsc::channel(1);
        let listeners = Listeners { plain: listener, encrypted: None };
        let running = tokio::spawn(of_router::serve_on(config, listeners, shutdown.clone(), changes));
        (Self { address, shutdown, running }, tell)
    }

    pub(crate) async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(DEADLINE, self.running).await.unwrap().unwrap().unwrap();
    }

    /// A client for which the owner's host is this router.
    pub(crate) fn get(&self, host: &str, path: &str) -> reqwest::RequestBuilder {
        self.request(reqwest::Method::GET, host, path)
    }

    pub(crate) fn post(&self, host: &str, path: &str) -> reqwest::RequestBuilder {
        self.request(reqwest::Method::POST, host, path)
    }

    pub(crate) fn request(&self, method: reqwest::Method, host: &str, path: &str) -> reqwest::RequestBuilder {
        let url = format!("http://{}{path}", self.address);
        sdk::http::client().request(method, url).header("host", host).timeout(DEADLINE)
    }

    pub(crate) async fn status(&self, host: &str, path: &str) -> u16 {
        self.get(host, path).send().await.unwrap().status().as_u16()
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes as they are and returns everything that comes back until the connection closes.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut answer)).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// The status of a request whose target is sent as it is.
    pub(crate) async fn raw_status(&self, host: &str, target: &str) -> u16 {
        let request = format!("GET {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        status_of(&self.raw(request.as_bytes()).await)
    }
}

/// The status of an answer; 0 if there is none.
pub(crate) fn status_of(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
}

/// Reads until `end` came.
pub(crate) async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut seen = Vec::new();
    let read = async {
        while !String::from_utf8_lossy(&seen).contains(end) {
            let mut chunk = [0; 1024];
            let count = stream.read(&mut chunk).await.unwrap();
            assert!(count > 0, "closed after {:?}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&chunk[..count]);
        }
    };
    tokio::time::timeout(DEADLINE, read).await.unwrap();
    String::from_utf8_lossy(&seen).into_owned()
}
