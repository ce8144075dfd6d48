use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::StreamExt;
use http::header::{CONNECTION, HeaderMap, HeaderValue, UPGRADE};
use http::{Request, Response};
use http_body_util::BodyExt;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::functions::{Containers, Replica};

const LIMIT: Duration = Duration::from_secs(10);

fn containers(upstream: Arc<Upstream>) -> Containers {
    Containers {
        spec: Arc::default(),
        generation: 1,
        image_id: String::new(),
        secrets: String::new(),
        replicas: vec![Replica::new("r".into(), 0, Some(upstream))],
        parked: None,
    }
}

async fn listen() -> (TcpListener, Containers) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let upstream = Upstream::new(listener.local_addr().unwrap());
    (listener, containers(upstream))
}

/// A server that counts its connections and answers with what it got.
async fn echo() -> (Containers, Arc<AtomicUsize>) {
    let (listener, containers) = listen().await;
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            count.fetch_add(1, Ordering::SeqCst);
            let service = service_fn(|request: Request<hyper::body::Incoming>| async {
                let (head, body) = request.into_parts();
                let mut response = Response::new(body);
                *response.headers_mut() = head.headers;
                Ok::<_, Infallible>(response)
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    (containers, connections)
}

fn post(body: impl Into<Body>) -> Request<Body> {
    Request::post("/x").header("host", "f").body(body.into()).unwrap()
}

async fn send(containers: &Containers, request: Request<Body>) -> Result<Response<Body>, ForwardError> {
    forward(request, containers.choose().unwrap(), LIMIT, &CancellationToken::new()).await
}

async fn text(response: Response<Body>) -> Bytes {
    response.into_body().collect().await.unwrap().to_bytes()
}

#[tokio::test]
async fn calls_one_after_the_other_share_a_connection() {
    let (containers, connections) = echo().await;
    for _ in 0..20 {
        let response = send(&containers, post("hello")).await.unwrap();
        assert_eq!(text(response).await, "hello");
        // The connection's own task notices the end of the answer a moment later.
        tokio::task::yield_now().await;
    }
    assert!(connections.load(Ordering::SeqCst) <= 2, "{connections:?} connections");
    containers.replicas[0].idle().await;
}

#[tokio::test]
async fn a_server_that_closes_idle_connections_fails_no_call() {
    let (listener, containers) = listen().await;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = [0; 1024];
                let _ = stream.read(&mut buffer).await;
                // It promises keep-alive and closes all the same.
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
            });
        }
    });
    for _ in 0..40 {
        let response = send(&containers, Request::get("/").body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(text(response).await, "ok");
    }
}

#[tokio::test]
async fn failures_are_told_apart() {
    let (listener, nobody) = listen().await;
    drop(listener);
    assert!(matches!(send(&nobody, post("x")).await, Err(ForwardError::Connect { .. })));

    let (listener, hangs_up) = listen().await;
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 64]).await;
        }
    });
    assert!(matches!(send(&hangs_up, post("x")).await, Err(ForwardError::Broken(_))));

    let (_listener, silent) = listen().await;
    let claim = silent.choose().unwrap();
    let limit = Duration::from_millis(30);
    let outcome = forward(post("x"), claim, limit, &CancellationToken::new()).await;
    assert!(matches!(outcome, Err(ForwardError::Timeout(_))));
    silent.replicas[0].idle().await;
}

#[tokio::test]
async fn a_body_over_the_limit_is_the_clients_fault() {
    let (containers, _) = echo().await;
    let chunks = futures_util::stream::repeat_with(|| Ok::<_, Infallible>(Bytes::from_static(&[0; 1024]))).take(64);
    let body = cap(Body::from_stream(chunks), 10_000);
    let outcome = send(&containers, post(body)).await;
    // The head may have come back before the limit was passed; then it is the answer that breaks off.
    match outcome {
        Err(error) => assert!(matches!(error, ForwardError::BodyTooLarge), "{error:?}"),
        Ok(response) => assert!(response.into_body().collect().await.is_err()),
    }
}

#[tokio::test]
async fn chunks_pass_as_they_come() {
    let (listener, containers) = listen().await;
    let (go, mut gone) = tokio::sync::mpsc::channel::<()>(1);
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        assert!(stream.read(&mut [0; 1024]).await.unwrap() > 0);
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n").await.unwrap();
        gone.recv().await.unwrap();
        stream.write_all(b"3\r\ntwo\r\n0\r\n\r\n").await.unwrap();
    });
    let response = send(&containers, post("x")).await.unwrap();
    assert!(!response.headers().contains_key("transfer-encoding"));
    let mut body = response.into_body();
    assert_eq!(body.frame().await.unwrap().unwrap().into_data().unwrap(), "one");
    go.send(()).await.unwrap();
    assert_eq!(body.collect().await.unwrap().to_bytes(), "two");
}

#[tokio::test]
async fn an_answer_that_stalls_is_broken_off() {
    let (listener, containers) = listen().await;
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf").await;
        std::future::pending::<()>().await;
    });
    let claim = containers.choose().unwrap();
    let limit = Duration::from_millis(50);
    let response = forward(post("x"), claim, limit, &CancellationToken::new()).await.unwrap();
    let error = response.into_body().collect().await.unwrap_err();
    assert!(error.to_string().contains("sent nothing for"), "{error}");
    containers.replicas[0].idle().await;
}

#[tokio::test]
async fn an_upgraded_connection_carries_bytes_both_ways_and_ends_with_the_gateway() {
    let (listener, containers) = listen().await;
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let read = stream.read(&mut [0; 1024]).await.unwrap();
        assert!(read > 0);
        let head = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: echo\r\n\r\n";
        stream.write_all(head).await.unwrap();
        let (mut reader, mut writer) = stream.split();
        let _ = tokio::io::copy(&mut reader, &mut writer).await;
    });
    let front = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let address = front.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let (token, claimed) = (shutdown.clone(), containers.clone());
    tokio::spawn(async move {
        let (stream, _) = front.accept().await.unwrap();
        let service = service_fn(move |request: Request<hyper::body::Incoming>| {
            let (token, claim) = (token.clone(), claimed.choose().unwrap());
            async move { forward(request.map(Body::new), claim, LIMIT, &token).await }
        });
        let server = hyper::server::conn::http1::Builder::new();
        let _ = server.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
    });
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"GET / HTTP/1.1\r\nhost: f\r\nconnection: Upgrade\r\nupgrade: echo\r\n\r\n").await.unwrap();
    let mut seen = Vec::new();
    while !seen.ends_with(b"\r\n\r\n") {
        seen.push(client.read_u8().await.unwrap());
    }
    assert!(seen.starts_with(b"HTTP/1.1 101"));
    client.write_all(b"ping").await.unwrap();
    let mut answer = [0; 4];
    client.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"ping");
    shutdown.cancel();
    assert_eq!(client.read(&mut answer).await.unwrap_or(0), 0);
    containers.replicas[0].idle().await;
}

#[test]
fn hop_by_hop_headers_are_taken_out_and_an_upgrade_stays_one() {
    let mut headers = HeaderMap::new();
    headers.insert(CONNECTION, HeaderValue::from_static("keep-alive, X-Own"));
    headers.insert("keep-alive", HeaderValue::from_static("timeout=5"));
    headers.insert("x-own", HeaderValue::from_static("1"));
    headers.insert("te", HeaderValue::from_static("trailers"));
    headers.insert(UPGRADE, HeaderValue::from_static("h2c"));
    headers.insert("x-kept", HeaderValue::from_static("1"));
    strip_hop_by_hop(&mut headers);
    assert_eq!(headers.keys().map(http::HeaderName::as_str).collect::<Vec<_>>(), ["x-kept"]);

    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    strip_hop_by_hop(&mut headers);
    assert!(is_upgrade(&headers));
}
