//! How a function ends.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use openfaas_runtime::{Config, Env, Listeners, serve};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::support::{eventually, start, within};

/// `/` answers at once, `/slow` when told.
fn slow(release: &Arc<Notify>) -> Router {
    let release = Arc::clone(release);
    let wait = move || async move {
        release.notified().await;
        "finished"
    };
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/slow", get(wait))
}

#[tokio::test]
async fn the_lock_file_is_there_while_serving() {
    let mut server = start(&[], Router::new()).await;
    let lock = server.folder.path().join(".lock");
    assert!(server.get("/_/health").await.starts_with("HTTP/1.1 200"));
    assert!(lock.exists());
    std::fs::remove_file(&lock).unwrap();
    assert!(server.get("/_/health").await.starts_with("HTTP/1.1 503"));
    server.ask_to_stop();
    server.ended().await;
    assert!(!lock.exists());
}

#[tokio::test]
async fn suppress_lock_writes_none() {
    let server = start(&[("suppress_lock", "true")], Router::new()).await;
    assert!(server.get("/_/health").await.starts_with("HTTP/1.1 200"));
    assert!(!server.folder.path().join(".lock").exists());
}

#[tokio::test]
async fn a_request_under_way_is_finished() {
    let release = Arc::new(Notify::new());
    let mut server = start(&[], slow(&release)).await;
    let address = server.http;
    let mut busy = server.connect().await;
    let mut idle = server.connect().await;
    idle.send("GET / HTTP/1.1\r\nhost: test\r\n\r\n").await;
    idle.until("hello").await;
    busy.send("GET /slow HTTP/1.1\r\nhost: test\r\n\r\n").await;
    eventually(async || {
        crate::support::get(server.metrics, "/metrics")
            .await
            .contains("in_flight 1\n")
    })
    .await;
    server.ask_to_stop();
    assert_eq!(idle.rest().await, "");
    eventually(async || TcpStream::connect(address).await.is_err()).await;
    release.notify_one();
    let head = busy.until("\r\n\r\n").await;
    assert!(
        head.starts_with("HTTP/1.1 200") && head.contains("connection: close"),
        "{head}"
    );
    assert_eq!(busy.rest().await, "finished");
    server.ended().await;
}

#[tokio::test]
async fn requests_are_still_answered_during_healthcheck_interval() {
    let mut server = start(&[("healthcheck_interval", "500ms")], slow(&Arc::default())).await;
    let lock = server.folder.path().join(".lock");
    eventually(async || lock.exists()).await;
    server.ask_to_stop();
    eventually(async || !lock.exists()).await;
    assert!(server.get("/_/health").await.starts_with("HTTP/1.1 503"));
    assert!(server.get("/").await.ends_with("hello"));
    server.ended().await;
}

#[tokio::test]
async fn what_does_not_end_within_write_timeout_is_cut_off() {
    let mut server = start(&[("write_timeout", "100ms")], slow(&Arc::default())).await;
    let mut connection = server.connect().await;
    connection.send("GET /slow HTTP/1.1\r\nhost: test\r\n\r\n").await;
    eventually(async || {
        crate::support::get(server.metrics, "/metrics")
            .await
            .contains("in_flight 1\n")
    })
    .await;
    server.ask_to_stop();
    server.ended().await;
    assert_eq!(connection.rest().await, "");
}

#[tokio::test]
async fn an_unwritable_folder_is_said_plainly() {
    let env = Env::from_map([("TMPDIR", "/nonexistent")], [] as [(&str, &str); 0]);
    let config = Config::from_env(&env).unwrap();
    let listeners = Listeners {
        http: TcpListener::bind("127.0.0.1:0").await.unwrap(),
        metrics: TcpListener::bind("127.0.0.1:0").await.unwrap(),
    };
    let error = within(serve(config, Router::new(), listeners, std::future::pending()))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "could not write the lock file /nonexistent/.lock; mount a writable folder there or set suppress_lock=true"
    );
}

#[tokio::test]
async fn a_taken_port_is_said_plainly() {
    let taken = TcpListener::bind("[::]:0").await.unwrap();
    let port = taken.local_addr().unwrap().port();
    let env = Env::from_map([("port", port.to_string())], [] as [(&str, &str); 0]);
    let error = Listeners::bind(&Config::from_env(&env).unwrap()).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("could not listen on port {port} (port); is another process using it?")
    );
}

#[tokio::test]
async fn dropping_the_server_closes_its_connections() {
    let env = Env::from_map([("suppress_lock", "1"), ("access_log", "0")], [] as [(&str, &str); 0]);
    let http = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = http.local_addr().unwrap();
    let listeners = Listeners {
        http,
        metrics: TcpListener::bind("127.0.0.1:0").await.unwrap(),
    };
    let config = Config::from_env(&env).unwrap();
    let server = tokio::spawn(serve(config, slow(&Arc::default()), listeners, std::future::pending()));
    let mut connection = crate::support::Connection(TcpStream::connect(address).await.unwrap());
    connection.send("GET / HTTP/1.1\r\nhost: test\r\n\r\n").await;
    connection.until("hello").await;
    server.abort();
    assert_eq!(connection.rest().await, "");
    eventually(async || {
        tokio::time::timeout(Duration::from_secs(1), TcpStream::connect(address))
            .await
            .is_ok_and(|c| c.is_err())
    })
    .await;
}
