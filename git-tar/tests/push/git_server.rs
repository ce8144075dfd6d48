//! `git http-backend` over HTTP, with the faults that a host may have.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode};
use tokio::io::AsyncWriteExt;

/// What a host does wrong, or asks for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Manners {
    /// Passes no `Git-Protocol` on: a server of version 0.
    pub(crate) version_0: bool,
    /// The only `Authorization` that is let in.
    pub(crate) authorization: Option<String>,
    /// Answers every request so.
    pub(crate) status: Option<StatusCode>,
    /// Sends people elsewhere.
    pub(crate) redirect: Option<String>,
    /// Takes the request and never answers.
    pub(crate) silent: bool,
    /// Cuts answers off after so many bytes.
    pub(crate) cut: Option<usize>,
    /// Changes a byte of each answer's end.
    pub(crate) corrupt: bool,
}

#[derive(Clone)]
pub(crate) struct GitServer {
    root: PathBuf,
    pub(crate) url: String,
    manners: Arc<Mutex<Manners>>,
    seen: Arc<Mutex<Vec<(String, HeaderMap)>>>,
    requests: Arc<AtomicUsize>,
}

impl GitServer {
    pub(crate) async fn start(root: &Path) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let server = Self {
            root: root.to_owned(),
            url,
            manners: Arc::default(),
            seen: Arc::default(),
            requests: Arc::default(),
        };
        let routes = Router::new().fallback(answer).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        server
    }

    pub(crate) fn behave(&self, manners: Manners) {
        *self.manners.lock().unwrap() = manners;
    }

    pub(crate) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }

    pub(crate) fn headers(&self) -> Vec<(String, HeaderMap)> {
        self.seen.lock().unwrap().clone()
    }
}

async fn answer(State(server): State<GitServer>, request: Request) -> Response {
    server.requests.fetch_add(1, Ordering::SeqCst);
    let manners = server.manners.lock().unwrap().clone();
    let (head, body) = request.into_parts();
    server.seen.lock().unwrap().push((head.uri.path().to_owned(), head.headers.clone()));
    if manners.silent {
        std::future::pending::<()>().await;
    }
    if let Some(status) = manners.status {
        return status.into_response();
    }
    if let Some(target) = manners.redirect {
        return (StatusCode::MOVED_PERMANENTLY, [("location", target)]).into_response();
    }
    if manners.authorization.is_some()
        && head.headers.get("authorization").and_then(|v| v.to_str().ok()) != manners.authorization.as_deref()
    {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let body = axum::body::to_bytes(body, 16 << 20).await.unwrap();
    let output = backend(&server.root, &head, body, manners.version_0).await;
    cgi(&output, &manners)
}

async fn backend(root: &Path, head: &http::request::Parts, body: Bytes, version_0: bool) -> Vec<u8> {
    let header =
        |name: &str| head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let mut command = tokio::process::Command::new("git");
    command
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("PATH_INFO", head.uri.path())
        .env("QUERY_STRING", head.uri.query().unwrap_or_default())
        .env("REQUEST_METHOD", head.method.as_str())
        .env("CONTENT_TYPE", header("content-type"))
        .env("CONTENT_LENGTH", body.len().to_string())
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "safe.directory")
        .env("GIT_CONFIG_VALUE_0", "*")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if !version_0 {
        command.env("GIT_PROTOCOL", header("git-protocol"));
    }
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // A backend that refuses does not read to the end.
    let _ = stdin.write_all(&body).await;
    drop(stdin);
    child.wait_with_output().await.unwrap().stdout
}

fn cgi(output: &[u8], manners: &Manners) -> Response {
    let end = output.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(output.len());
    let headers = String::from_utf8_lossy(&output[..end]).into_owned();
    let mut body = output.get(end + 4..).unwrap_or_default().to_vec();
    if let Some(cut) = manners.cut {
        body.truncate(cut);
    }
    if manners.corrupt && body.len() > 100 {
        let at = body.len() - 60;
        body[at] ^= 0x55;
    }
    let mut response = Response::new(Body::from(body));
    for line in headers.lines() {
        match line.split_once(": ") {
            Some(("Status", status)) => *response.status_mut() = status[..3].parse().unwrap(),
            Some((name, value)) => {
                response.headers_mut().insert(http::HeaderName::try_from(name).unwrap(), value.parse().unwrap());
            }
            None => {}
        }
    }
    response
}
