use std::time::Duration;

use axum::Router;
use axum::routing::{any, post};
use of_gateway::{Config, Graces};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::support::{DEADLINE, Running};
use crate::without_engine;

/// Tells when it is called, and never answers.
fn hang() -> (Router, mpsc::UnboundedReceiver<()>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let call = move || {
        let _ = sender.send(());
        std::future::pending::<()>()
    };
    (Router::new().route("/", any(call)), receiver)
}

fn impatient(config: Config) -> Config {
    let short = Duration::from_millis(50);
    Config { graces: Graces { calls: short, connections: short, deployments: short }, ..config }
}

#[tokio::test]
async fn what_does_not_end_in_time_is_cut_off_and_queued_calls_are_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let (router, mut called) = hang();
    let gateway = Running::start(impatient(without_engine(dir.path(), [("f", router)]))).await;
    let queued = gateway.http.post(gateway.at("/async-function/f")).body("later").send().await.unwrap();
    assert_eq!(queued.status(), 202);
    called.recv().await.unwrap();
    let mut client = TcpStream::connect(gateway.url.trim_start_matches("http://")).await.unwrap();
    client.write_all(b"GET /function/f HTTP/1.1\r\nhost: f\r\n\r\n").await.unwrap();
    called.recv().await.unwrap();

    tokio::time::timeout(DEADLINE, gateway.stop()).await.unwrap();
    assert_eq!(client.read(&mut [0; 1]).await.unwrap_or(0), 0, "closed without an answer");

    let (sender, mut bodies) = mpsc::unbounded_channel();
    let take = Router::new().route("/", post(async move |body: String| drop(sender.send(body))));
    let gateway = Running::start(without_engine(dir.path(), [("f", take)])).await;
    assert_eq!(tokio::time::timeout(DEADLINE, bodies.recv()).await.unwrap().unwrap(), "later");
    gateway.stop().await;
}

#[tokio::test]
async fn a_full_port_can_be_shut_down_too() {
    let dir = tempfile::tempdir().unwrap();
    let (router, mut called) = hang();
    let config = Config { max_connections: 1, ..impatient(without_engine(dir.path(), [("f", router)])) };
    let gateway = Running::start(config).await;
    let mut client = TcpStream::connect(gateway.url.trim_start_matches("http://")).await.unwrap();
    client.write_all(b"GET /function/f HTTP/1.1\r\nhost: f\r\n\r\n").await.unwrap();
    called.recv().await.unwrap();
    tokio::time::timeout(DEADLINE, gateway.stop()).await.unwrap();
}
