//! Streams, upgrades and HTTP/2 pass through.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use axum::routing::{any, get, post};
use bytes::Bytes;
use http_body_util::{BodyExt, Channel, Full};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{start, within};

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let server = start(&[], hello()).await;
    let mut connection = server.connect().await;
    for _ in 0..3 {
        connection.send("GET / HTTP/1.1\r\nhost: test\r\n\r\n").await;
        let head = connection.until("\r\n\r\n").await;
        assert!(
            head.starts_with("HTTP/1.1 200 OK") && head.contains("x-duration-seconds: 0."),
            "{head}"
        );
        connection.until("hello").await;
    }
}

#[tokio::test]
async fn http2_without_tls_is_served_on_the_same_port() {
    let server = start(&[], hello().route("/echo", post(|body: Bytes| async { body }))).await;
    let stream = TokioIo::new(TcpStream::connect(server.http).await.unwrap());
    let (mut client, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream)
        .await
        .unwrap();
    let connection = tokio::spawn(connection);
    let body = Bytes::from(vec![7; 200_000]);
    let request = http::Request::post("http://test/echo")
        .body(Full::new(body.clone()))
        .unwrap();
    let response = within(client.send_request(request)).await.unwrap();
    assert!(response.headers().contains_key("x-duration-seconds"));
    assert_eq!(within(response.into_body().collect()).await.unwrap().to_bytes(), body);
    drop(client);
    within(connection).await.unwrap().unwrap();
}

#[tokio::test]
async fn each_event_of_a_stream_arrives_as_it_is_made() {
    let (mut events, body) = Channel::<Bytes>::new(1);
    let body = std::sync::Arc::new(std::sync::Mutex::new(Some(body)));
    let stream = move || async move {
        let body = Body::new(body.lock().unwrap().take().unwrap());
        Response::builder()
            .header("content-type", "text/event-stream")
            .body(body)
            .unwrap()
    };
    let server = start(&[], Router::new().route("/events", get(stream))).await;
    let mut connection = server.connect().await;
    connection
        .send("GET /events HTTP/1.1\r\nhost: test\r\naccept: text/event-stream\r\n\r\n")
        .await;
    connection.until("\r\n\r\n").await;
    for number in 0..3 {
        // The next event exists only once the last one has arrived.
        events
            .send_data(Bytes::from(format!("data: {number}\n\n")))
            .await
            .unwrap();
        connection.until(&format!("data: {number}\n\n\r\n")).await;
    }
    drop(events);
    connection.until("0\r\n\r\n").await;
}

#[tokio::test]
async fn a_request_streams_in_while_its_response_streams_out() {
    let echo = |request: Request| async { Response::new(request.into_body()) };
    let server = start(&[], Router::new().route("/", post(echo))).await;
    let mut connection = server.connect().await;
    connection
        .send("POST / HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n")
        .await;
    connection.until("\r\n\r\n").await;
    for part in ["one", "two"] {
        connection.send(&format!("3\r\n{part}\r\n")).await;
        connection.until(&format!("3\r\n{part}\r\n")).await;
    }
    connection.send("0\r\n\r\n").await;
    connection.until("0\r\n\r\n").await;
}

/// Upgrades to a protocol that says everything back in capitals.
async fn shout(request: Request) -> Response {
    tokio::spawn(async move {
        let Ok(upgraded) = hyper::upgrade::on(request).await else {
            return;
        };
        let mut stream = TokioIo::new(upgraded);
        let mut word = [0; 5];
        while stream.read_exact(&mut word).await.is_ok() {
            let _ = stream.write_all(word.to_ascii_uppercase().as_slice()).await;
        }
    });
    let upgraded = Response::builder()
        .status(101)
        .header("connection", "upgrade")
        .header("upgrade", "shout");
    upgraded.body(Body::empty()).unwrap_or_default()
}

#[tokio::test]
async fn an_upgraded_connection_outlives_exec_timeout() {
    let server = start(&[("exec_timeout", "50ms")], Router::new().route("/", any(shout))).await;
    let mut connection = server.connect().await;
    connection
        .send("GET / HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: shout\r\n\r\n")
        .await;
    let head = connection.until("\r\n\r\n").await;
    assert!(head.starts_with("HTTP/1.1 101"), "{head}");
    let begun = std::time::Instant::now();
    while begun.elapsed().as_millis() < 120 {
        connection.send("hello").await;
        connection.until("HELLO").await;
    }
}

#[tokio::test]
async fn an_upgraded_connection_counts_as_open_until_it_closes() {
    let router = Router::new()
        .route("/up", any(shout))
        .route("/", get(|| async { "hello" }));
    let mut server = start(&[("write_timeout", "10s")], router).await;
    let mut connection = server.connect().await;
    connection
        .send("GET /up HTTP/1.1\r\nhost: test\r\nconnection: upgrade\r\nupgrade: shout\r\n\r\n")
        .await;
    connection.until("\r\n\r\n").await;
    server.ask_to_stop();
    for _ in 0..20 {
        connection.send("hello").await;
        connection.until("HELLO").await;
    }
    drop(connection);
    server.ended().await;
}
