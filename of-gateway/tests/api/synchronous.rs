use std::convert::Infallible;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{any, get, post};
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use of_gateway::PlatformFunction;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Running, answer, eventually};
use crate::without_engine;

/// Answers with method, path and query; repeats the headers it got with an `got-` before their names.
#[expect(clippy::unwrap_used, reason = "test helper")]
fn mirror() -> Router {
    Router::new().fallback(any(|request: Request| async move {
        let mut response = Response::new(Body::from(format!("{} {}", request.method(), request.uri())));
        for (name, value) in request.headers() {
            let name = http::HeaderName::try_from(format!("got-{name}")).unwrap();
            response.headers_mut().insert(name, value.clone());
        }
        response
    }))
}

#[tokio::test]
async fn the_function_sees_its_own_path_and_the_callers_marks() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Running::start(without_engine(dir.path(), [("mirror", mirror())])).await;
    for (path, seen) in [
        ("/function/mirror", "GET /"),
        ("/function/mirror/", "GET /"),
        ("/function/mirror.openfaas-fn/a/b%20c?x=1&y=%2F", "GET /a/b%20c?x=1&y=%2F"),
        ("/function/mirror?q", "GET /?q"),
    ] {
        assert_eq!(gateway.get(path).await, (200, seen.to_owned()));
    }
    let response = gateway.http.delete(gateway.at("/function/mirror")).send().await.unwrap();
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    assert_eq!(header("x-call-id").unwrap().len(), 36);
    assert_eq!(header("x-call-id"), header("got-x-call-id"));
    assert_eq!(header("x-start-time"), header("got-x-start-time"));
    assert!(header("x-start-time").unwrap().parse::<u64>().unwrap() > 1_700_000_000_000_000_000);
    assert_eq!(header("got-x-forwarded-for").unwrap(), "127.0.0.1");
    assert_eq!(header("got-x-forwarded-host"), header("got-host"));
    assert!(header("x-served-by").unwrap().starts_with("of-gateway/"));

    let marked = gateway.http.get(gateway.at("/function/mirror"));
    let marked =
        marked.header("x-call-id", "mine").header("x-forwarded-for", "1.2.3.4").header("x-forwarded-host", "h");
    let headers = marked.send().await.unwrap().headers().clone();
    for (name, value) in [("x-call-id", "mine"), ("got-x-forwarded-for", "1.2.3.4"), ("got-x-forwarded-host", "h")] {
        assert_eq!(headers[name], value);
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_caller_cannot_keep_the_marks_from_the_function() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Running::start(without_engine(dir.path(), [("mirror", mirror())])).await;
    let request = gateway.http.get(gateway.at("/function/mirror")).header("x-own", "1");
    let request = request.header("connection", "X-Forwarded-For, x-call-id,X-OWN").header("connection", "x-start-time");
    let headers = request.send().await.unwrap().headers().clone();
    for mark in ["got-x-forwarded-for", "got-x-forwarded-host", "got-x-call-id", "got-x-start-time"] {
        assert!(headers.contains_key(mark), "{mark} is not in {headers:?}");
    }
    assert!(!headers.contains_key("got-x-own") && !headers.contains_key("got-connection"), "{headers:?}");
    gateway.stop().await;
}

#[tokio::test]
async fn whether_a_function_is_there_is_not_known_before_the_engine_has_answered() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Running::start(without_engine(dir.path(), [("mirror", mirror())])).await;
    for path in ["/function/nobody/x", "/async-function/nobody", "/function/mirror.elsewhere", "/function/"] {
        let response = gateway.http.post(gateway.at(path)).send().await.unwrap();
        assert_eq!(response.headers()["x-openfaas-internal"], "proxy");
        assert_eq!(response.headers()["retry-after"], "2");
        let (status, text) = answer(response).await;
        assert_eq!(status, 503, "{path}");
        assert!(text.contains("is not known yet"), "{text}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn bodies_stream_both_ways_without_being_collected() {
    let echo = Router::new().route("/", post(|request: Request| async move { Response::new(request.into_body()) }));
    let dir = tempfile::tempdir().unwrap();
    let gateway = Running::start(without_engine(dir.path(), [("echo", echo)])).await;
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<Bytes, Infallible>>(1);
    sender.send(Ok(Bytes::from_static(b"one"))).await.unwrap();
    let body = reqwest::Body::wrap_stream(tokio_stream::wrappers::ReceiverStream::new(receiver));
    let mut response = gateway.http.post(gateway.at("/function/echo")).body(body).send().await.unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), "one");
    sender.send(Ok(Bytes::from_static(b"two"))).await.unwrap();
    assert_eq!(response.chunk().await.unwrap().unwrap(), "two");
    drop(sender);
    assert!(response.chunk().await.unwrap().is_none());
    gateway.stop().await;
}

#[tokio::test]
async fn a_body_over_the_cap_is_413() {
    let take = Router::new().route(
        "/",
        post(|body: Body| async { body.collect().await.map_or(StatusCode::BAD_REQUEST, |_| StatusCode::OK) }),
    );
    let dir = tempfile::tempdir().unwrap();
    let mut config = without_engine(dir.path(), [("take", take)]);
    config.max_body = 1000;
    let gateway = Running::start(config).await;
    let send = |length| gateway.http.post(gateway.at("/function/take")).body(vec![0; length]).send();
    assert_eq!(answer(send(1000).await.unwrap()).await.0, 200);
    let (status, text) = answer(send(1001).await.unwrap()).await;
    assert_eq!(status, 413);
    assert!(text.contains("1000 bytes"), "{text}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_function_that_hangs_or_panics_is_answered_for() {
    let hang = Router::new().route("/", get(async || std::future::pending::<()>().await));
    #[expect(clippy::panic, reason = "what is tested")]
    async fn fall() -> StatusCode {
        panic!("on purpose")
    }
    let dir = tempfile::tempdir().unwrap();
    let mut config = without_engine(dir.path(), [("fall", Router::new().route("/", get(fall)))]);
    config
        .platform
        .push(PlatformFunction { timeout: Duration::from_millis(50), ..PlatformFunction::new("hang", hang) });
    let gateway = Running::start(config).await;
    for (name, status) in [("hang", 502), ("fall", 500)] {
        let response = gateway.http.get(gateway.at(&format!("/function/{name}"))).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["x-openfaas-internal"]),
            (status, &"proxy".parse().unwrap())
        );
    }
    gateway.stop().await;
}

#[tokio::test]
async fn the_content_type_falls_back_on_the_requests() {
    let untyped = Router::new().route("/", post(|| async { Response::new(Body::from("x")) }));
    let dir = tempfile::tempdir().unwrap();
    let gateway = Running::start(without_engine(dir.path(), [("untyped", untyped)])).await;
    let post = || gateway.http.post(gateway.at("/function/untyped"));
    let plain = post().send().await.unwrap();
    assert_eq!(plain.headers()["content-type"], "text/plain");
    let json = post().header("content-type", "application/json").send().await.unwrap();
    assert_eq!(json.headers()["content-type"], "application/json");
    gateway.stop().await;
}

#[tokio::test]
async fn an_upgrade_reaches_a_function_in_the_process() {
    let upgrade = Router::new().route(
        "/",
        get(|mut request: Request| async move {
            let client = hyper::upgrade::on(&mut request);
            tokio::spawn(async move {
                let mut client = hyper_util::rt::TokioIo::new(client.await.unwrap());
                let mut word = [0; 4];
                client.read_exact(&mut word).await.unwrap();
                client.write_all(&word).await.unwrap();
            });
            let headers = HeaderMap::from_iter([
                (http::header::CONNECTION, "upgrade".parse().unwrap()),
                (http::header::UPGRADE, "echo".parse().unwrap()),
            ]);
            (StatusCode::SWITCHING_PROTOCOLS, headers)
        }),
    );
    let dir = tempfile::tempdir().unwrap();
    let gateway = Running::start(without_engine(dir.path(), [("upgrade", upgrade)])).await;
    let mut stream = TcpStream::connect(gateway.url.trim_start_matches("http://")).await.unwrap();
    let head = b"GET /function/upgrade HTTP/1.1\r\nhost: f\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
    stream.write_all(head).await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\n") {
        seen.push(stream.read_u8().await.unwrap());
    }
    assert!(seen.starts_with(b"HTTP/1.1 101"), "{}", String::from_utf8_lossy(&seen));
    stream.write_all(b"ping").await.unwrap();
    let mut word = [0; 4];
    stream.read_exact(&mut word).await.unwrap();
    assert_eq!(&word, b"ping");
    gateway.stop().await;
}

#[tokio::test]
async fn a_client_that_leaves_cancels_the_function() {
    struct Gone(std::sync::mpsc::Sender<()>);
    impl Drop for Gone {
        fn drop(&mut self) {
            let _ = self.0.send(());
        }
    }
    let (sender, receiver) = std::sync::mpsc::channel();
    let (started, mut begun) = tokio::sync::mpsc::channel(1);
    let hang = Router::new().route(
        "/",
        get(move || {
            let (gone, started) = (Gone(sender.clone()), started.clone());
            async move {
                let _gone = gone;
                started.send(()).await.unwrap();
                std::future::pending::<()>().await;
            }
        }),
    );
    let dir = tempfile::tempdir().unwrap();
    let gateway = Running::start(without_engine(dir.path(), [("hang", hang)])).await;
    let mut stream = TcpStream::connect(gateway.url.trim_start_matches("http://")).await.unwrap();
    stream.write_all(b"GET /function/hang HTTP/1.1\r\nhost: f\r\n\r\n").await.unwrap();
    begun.recv().await.unwrap();
    drop(stream);
    eventually("the function to be cancelled", async || receiver.try_recv().ok()).await;
    gateway.stop().await;
}
