//! Bodies, tunnels, limits and failures.

#![expect(clippy::unwrap_used, reason = "test helpers")]

mod support;

use std::time::Duration;

use bytes::Bytes;
use support::{DEADLINE, Gateway, Router, config, status_of};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;

async fn place_with(change: impl FnOnce(&mut of_router::Config)) -> (Gateway, Router) {
    let gateway = Gateway::start().await;
    gateway.deploy("alice-greet", "alice");
    let mut config = config(gateway.address);
    change(&mut config);
    let router = Router::start(config).await;
    (gateway, router)
}

/// A server that hands its connections to the test. Only public names of the platform lead to it, so no owner is asked for.
async fn bare_server(change: impl FnOnce(&mut of_router::Config)) -> (TcpListener, Router) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = config(listener.local_addr().unwrap());
    change(&mut config);
    let router = Router::start(config).await;
    (listener, router)
}

async fn read_until(stream: &mut TcpStream, end: &str) -> String {
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

#[tokio::test]
async fn bodies_stream_both_ways_part_by_part() {
    let (_gateway, router) = place_with(|_| ()).await;
    let (send, receive) = mpsc::channel::<Result<Bytes, std::io::Error>>(1);
    let body = reqwest::Body::wrap_stream(ReceiverStream::new(receive));
    let request = tokio::spawn(router.post("alice.localhost", "/greet").body(body).send());
    send.send(Ok(Bytes::from_static(b"one"))).await.unwrap();
    let response = request.await.unwrap().unwrap();
    let mut parts = response.bytes_stream();
    assert_eq!(parts.next().await.unwrap().unwrap(), "one", "the first part comes back before the second is sent");
    send.send(Ok(Bytes::from_static(b"two"))).await.unwrap();
    assert_eq!(parts.next().await.unwrap().unwrap(), "two");
    drop(send);
    assert!(parts.next().await.is_none());
}

#[tokio::test]
async fn large_bodies_pass_whole() {
    let (_gateway, router) = place_with(|_| ()).await;
    let content = Bytes::from(vec![7; 8 << 20]);
    let back = router.post("alice.localhost", "/greet").body(content.clone()).send().await.unwrap();
    assert_eq!(back.bytes().await.unwrap(), content);
}

#[tokio::test]
async fn an_upgrade_becomes_a_tunnel() {
    let (listener, router) = bare_server(|_| ()).await;
    let mut client = router.connect().await;
    let ask = "GET /github-event/live HTTP/1.1\r\nhost: system.localhost\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x\r\n\r\n";
    client.write_all(ask.as_bytes()).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    let asked = read_until(&mut server, "\r\n\r\n").await.to_ascii_lowercase();
    assert!(asked.starts_with("get /function/github-event/live http/1.1"), "{asked}");
    assert!(asked.contains("connection: upgrade") && asked.contains("upgrade: websocket"), "{asked}");
    server
        .write_all(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nfrom server")
        .await
        .unwrap();
    let answer = read_until(&mut client, "from server").await;
    assert_eq!(status_of(&answer), 101);
    client.write_all(b"from client").await.unwrap();
    read_until(&mut server, "from client").await;
    drop(client);
    let mut rest = Vec::new();
    tokio::time::timeout(DEADLINE, server.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert!(rest.is_empty(), "the other side learns that it is over");
}

#[tokio::test]
async fn an_upgrade_that_nobody_asked_for_is_no_answer() {
    let (listener, router) = bare_server(|_| ()).await;
    let asked = tokio::spawn(router.get("system.localhost", "/github-event").send());
    let (mut server, _) = listener.accept().await.unwrap();
    read_until(&mut server, "\r\n\r\n").await;
    server.write_all(b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n").await.unwrap();
    assert_eq!(asked.await.unwrap().unwrap().status(), 502);
}

#[tokio::test]
async fn connections_are_used_again_and_dead_ones_are_noticed() {
    let (listener, router) = bare_server(|_| ()).await;
    for round in 0..3 {
        let first = tokio::spawn(router.get("system.localhost", "/github-event").send());
        let (mut server, _) = tokio::time::timeout(DEADLINE, listener.accept()).await.unwrap().unwrap();
        read_until(&mut server, "\r\n\r\n").await;
        server.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        assert_eq!(first.await.unwrap().unwrap().text().await.unwrap(), "ok");
        let second = tokio::spawn(router.get("system.localhost", "/github-event").send());
        read_until(&mut server, "\r\n\r\n").await;
        server.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
        assert_eq!(second.await.unwrap().unwrap().status(), 200, "round {round}");
        // The server closes the idle connection; the next round has to make a new one and lose no request.
        drop(server);
    }
}

#[tokio::test]
async fn a_server_that_is_gone_slow_or_broken_is_said_to_be() {
    let (listener, router) = bare_server(|c| c.upstream_timeout = Duration::from_millis(100)).await;
    let slow = router.get("system.localhost", "/github-event").send().await.unwrap();
    assert_eq!(slow.status(), 504);
    assert!(slow.text().await.unwrap().contains("no answer within"));
    while let Ok(Ok(_)) = tokio::time::timeout(Duration::from_millis(1), listener.accept()).await {}
    let broken = tokio::spawn(router.get("system.localhost", "/github-event").send());
    let (mut server, _) = listener.accept().await.unwrap();
    server.write_all(b"this is no HTTP\r\n\r\n").await.unwrap();
    assert_eq!(broken.await.unwrap().unwrap().status(), 502);
    drop((server, listener));
    assert_eq!(router.status("system.localhost", "/github-event").await, 502);
}

#[tokio::test]
async fn an_answer_that_stalls_is_cut_off_not_ended() {
    let (listener, router) = bare_server(|c| c.idle_timeout = Duration::from_millis(100)).await;
    let asked = tokio::spawn(router.get("system.localhost", "/github-event").send());
    let (mut server, _) = listener.accept().await.unwrap();
    read_until(&mut server, "\r\n\r\n").await;
    server.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\none\r\n").await.unwrap();
    let response = asked.await.unwrap().unwrap();
    assert!(response.text().await.is_err(), "half an answer must not look whole");
}

#[tokio::test]
async fn requests_that_are_too_long_are_refused_however_they_are_sent() {
    let (gateway, router) = place_with(|c| c.max_body_bytes = 1000).await;
    let announced = router.post("alice.localhost", "/greet").body(vec![0; 1001]).send().await.unwrap();
    assert_eq!(announced.status(), 413);
    assert!(gateway.reached().is_empty(), "what is announced too long is not begun");
    let (listener, bare) = bare_server(|c| c.max_body_bytes = 1000).await;
    let parts = tokio_stream::iter((0..20).map(|_| Ok::<_, std::io::Error>(Bytes::from_static(&[0; 100]))));
    let asked =
        tokio::spawn(bare.post("system.localhost", "/github-event").body(reqwest::Body::wrap_stream(parts)).send());
    let (mut server, _) = listener.accept().await.unwrap();
    let mut got = Vec::new();
    let _ = tokio::time::timeout(DEADLINE, server.read_to_end(&mut got)).await.unwrap();
    assert_eq!(asked.await.unwrap().unwrap().status(), 413);
    let exact = router.post("alice.localhost", "/greet").body(vec![0; 1000]).send().await.unwrap();
    assert_eq!(exact.status(), 200);
}

#[tokio::test]
async fn slow_clients_lose_their_place() {
    let (_gateway, router) = place_with(|c| c.client_timeout = Duration::from_millis(100)).await;
    let head = router.raw(b"GET /greet HTTP/1.1\r\nhost: alice.loc").await;
    assert!(matches!(status_of(&head), 0 | 408), "{head}");
    let (_listener, bare) = bare_server(|c| c.client_timeout = Duration::from_millis(100)).await;
    let body =
        bare.raw(b"POST /github-event HTTP/1.1\r\nhost: system.localhost\r\ncontent-length: 10\r\n\r\nabc").await;
    assert_eq!(status_of(&body), 408, "{body}");
}

#[tokio::test]
async fn clients_over_the_limit_wait_for_a_place() {
    let (_gateway, router) = place_with(|c| c.max_connections = 1).await;
    let mut first = router.connect().await;
    first.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    read_until(&mut first, "OK").await;
    let mut second = router.connect().await;
    second.write_all(b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
    let mut byte = [0; 1];
    assert!(tokio::time::timeout(Duration::from_millis(50), second.read(&mut byte)).await.is_err());
    drop(first);
    read_until(&mut second, "OK").await;
}

#[tokio::test]
async fn a_stop_lets_open_requests_end() {
    let (listener, router) = bare_server(|_| ()).await;
    let asked = tokio::spawn(router.get("system.localhost", "/github-event").send());
    let (mut server, _) = listener.accept().await.unwrap();
    read_until(&mut server, "\r\n\r\n").await;
    let stopping = tokio::spawn(router.stop());
    server.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
    assert_eq!(asked.await.unwrap().unwrap().text().await.unwrap(), "ok");
    stopping.await.unwrap();
}
