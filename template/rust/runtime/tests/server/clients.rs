//! Clients that are slow, silent or too many.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use bytes::Bytes;
use http_body::Frame;

use crate::support::{PATIENCE, eventually, start};

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" })).route(
        "/read",
        post(
            |body: Result<Bytes, axum::extract::rejection::BytesRejection>| async move {
                match body {
                    Ok(body) => format!("read {}", body.len()),
                    Err(error) => format!("failed: {error}"),
                }
            },
        ),
    )
}

#[tokio::test]
async fn who_sends_nothing_is_disconnected() {
    let server = start(&[("read_timeout", "100ms")], hello()).await;
    for sent in ["", "P", "PRI * HT", "GET / HTTP/1.1\r\nhost:"] {
        let mut connection = server.connect().await;
        connection.send(sent).await;
        let begun = Instant::now();
        let answer = connection.rest().await;
        assert!(begun.elapsed() < PATIENCE / 2, "{sent:?}");
        assert!(!answer.contains("200 OK"), "{sent:?}: {answer}");
    }
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let server = start(&[("read_timeout", "100ms")], hello()).await;
    let mut connection = server.connect().await;
    connection.send("GET / HTTP/1.1\r\nhost: test\r\n\r\n").await;
    connection.until("hello").await;
    assert_eq!(connection.rest().await, "");
}

#[tokio::test]
async fn a_body_that_stops_coming_fails_its_request() {
    let server = start(&[("read_timeout", "100ms"), ("exec_timeout", "0")], hello()).await;
    let mut connection = server.connect().await;
    connection
        .send("POST /read HTTP/1.1\r\nhost: test\r\ncontent-length: 10\r\n\r\nabc")
        .await;
    let answer = connection.rest().await;
    assert!(answer.contains("failed: "), "{answer}");
}

/// A response without end.
struct Endless;

impl http_body::Body for Endless {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(&[b'x'; 16 * 1024])))))
    }
}

#[tokio::test]
async fn a_response_that_nobody_reads_is_given_up() {
    let vars = [("write_timeout", "100ms"), ("exec_timeout", "0"), ("max_inflight", "1")];
    let server = start(&vars, hello().route("/endless", get(|| async { Body::new(Endless) }))).await;
    let mut stuck = server.connect().await;
    stuck.send("GET /endless HTTP/1.1\r\nhost: test\r\n\r\n").await;
    eventually(async || server.get("/").await.starts_with("HTTP/1.1 429")).await;
    // Its place becomes free although it never went away.
    eventually(async || server.get("/").await.starts_with("HTTP/1.1 200")).await;
    drop(stuck);
}

#[tokio::test]
async fn a_response_that_always_has_more_still_ends_at_exec_timeout() {
    let vars = [("exec_timeout", "100ms")];
    let server = start(&vars, hello().route("/endless", get(|| async { Body::new(Endless) }))).await;
    let mut connection = server.connect().await;
    connection.send("GET /endless HTTP/1.1\r\nhost: test\r\n\r\n").await;
    assert!(connection.rest().await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn the_number_of_connections_is_bounded() {
    let server = start(&[("max_connections", "2"), ("read_timeout", "10s")], hello()).await;
    let mut first = server.connect().await;
    let mut second = server.connect().await;
    for connection in [&mut first, &mut second] {
        connection.send("GET / HTTP/1.1\r\nhost: test\r\n\r\n").await;
        connection.until("hello").await;
    }
    let third = server.get("/");
    tokio::pin!(third);
    assert!(
        tokio::time::timeout(Duration::from_millis(50), &mut third)
            .await
            .is_err()
    );
    drop(first);
    assert!(third.await.ends_with("hello"));
}

#[tokio::test]
async fn a_client_that_leaves_frees_its_place() {
    let forever = || async { std::future::pending::<()>().await };
    let server = start(&[("max_inflight", "1")], hello().route("/forever", get(forever))).await;
    let mut connection = server.connect().await;
    connection.send("GET /forever HTTP/1.1\r\nhost: test\r\n\r\n").await;
    eventually(async || server.get("/").await.starts_with("HTTP/1.1 429")).await;
    drop(connection);
    eventually(async || server.get("/").await.starts_with("HTTP/1.1 200")).await;
}
