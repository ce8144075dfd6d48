//! How much one owner, one client and one connection may take.

#![expect(clippy::unwrap_used, reason = "test helpers")]

mod support;

use std::time::Duration;

use support::{DEADLINE, Gateway, Router, config, read_until, status_of};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

async fn place(change: impl FnOnce(&mut of_router::Config)) -> (Gateway, Router) {
    let gateway = Gateway::start().await;
    gateway.deploy("alice-greet", "alice");
    gateway.deploy("bob-greet", "bob");
    let mut config = config(gateway.address);
    change(&mut config);
    let router = Router::start(config).await;
    (gateway, router)
}

async fn closed(stream: &mut tokio::net::TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut bytes)).await.unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

const HEALTH: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test]
async fn an_owner_has_so_many_requests_a_second() {
    let (gateway, router) = place(|c| {
        c.serving.owner_requests_per_second = 1;
        c.serving.owner_burst = 3;
    })
    .await;
    for _ in 0..3 {
        assert_eq!(router.status("alice.localhost", "/greet").await, 200);
    }
    let refused = router.get("alice.localhost", "/greet").send().await.unwrap();
    assert_eq!(refused.status(), 429);
    assert_eq!(refused.headers()["retry-after"], "1");
    assert_eq!(router.status("bob.localhost", "/greet").await, 200, "others do not suffer");
    assert_eq!(gateway.reached().len(), 4);
}

#[tokio::test]
async fn an_owner_has_so_many_requests_at_once() {
    let (gateway, router) = place(|c| c.serving.owner_max_concurrent = 1).await;
    let mut first = router.connect().await;
    first.write_all(b"GET /greet/slow HTTP/1.1\r\nhost: alice.localhost\r\n\r\n").await.unwrap();
    while gateway.reached().is_empty() {
        tokio::task::yield_now().await;
    }
    let refused = router.get("alice.localhost", "/greet").send().await.unwrap();
    assert_eq!((refused.status().as_u16(), refused.headers()["retry-after"].to_str().unwrap()), (429, "1"));
    assert_eq!(router.status("bob.localhost", "/greet").await, 200);
    drop(first);
    let again = async { while router.status("alice.localhost", "/greet").await != 200 {} };
    tokio::time::timeout(DEADLINE, again).await.unwrap();
}

#[tokio::test]
async fn a_client_has_so_many_connections() {
    let (_gateway, router) = place(|c| c.serving.max_client_connections = 2).await;
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut stream = router.connect().await;
        stream.write_all(HEALTH).await.unwrap();
        read_until(&mut stream, "OK").await;
        open.push(stream);
    }
    let mut third = router.connect().await;
    let _ = third.write_all(HEALTH).await;
    assert_eq!(closed(&mut third).await, "");
    drop(open.pop());
    let again = async { while status_of(&router.raw(HEALTH_CLOSE).await) != 200 {} };
    tokio::time::timeout(DEADLINE, again).await.unwrap();
}

const HEALTH_CLOSE: &[u8] = b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";

#[tokio::test]
async fn heads_have_a_length_and_so_many_lines() {
    let (_gateway, router) = place(|c| c.serving.max_head_bytes = 8192).await;
    let head = |lines: String| format!("GET /healthz HTTP/1.1\r\nhost: x\r\n{lines}\r\n");
    let long = router.raw(head(format!("x-long: {}\r\n", "a".repeat(20_000))).as_bytes()).await;
    assert!(matches!(status_of(&long), 431 | 0), "{long}");
    let many: String = (0..200).map(|number| format!("x-{number}: a\r\n")).collect();
    assert_eq!(status_of(&router.raw(head(many).as_bytes()).await), 431);
    let target = format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", "a".repeat(7000));
    assert_eq!(
        status_of(&router.raw(target.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n").as_bytes()).await),
        404
    );
}

#[tokio::test]
async fn a_connection_ends_after_so_many_requests() {
    let (_gateway, router) = place(|c| c.serving.max_connection_requests = 2).await;
    let mut stream = router.connect().await;
    stream.write_all(HEALTH).await.unwrap();
    assert!(!read_until(&mut stream, "OK\n").await.contains("connection: close"));
    stream.write_all(HEALTH).await.unwrap();
    let last = closed(&mut stream).await;
    assert!(last.contains("connection: close") && last.contains("OK"), "{last}");
}

#[tokio::test]
async fn idle_connections_and_slow_heads_are_closed_each_at_their_time() {
    let (_gateway, router) = place(|c| c.serving.client_idle = Duration::from_millis(100)).await;
    let mut stream = router.connect().await;
    stream.write_all(HEALTH).await.unwrap();
    read_until(&mut stream, "OK").await;
    assert_eq!(closed(&mut stream).await.trim(), "");
    let (_gateway, router) = place(|c| c.client_timeout = Duration::from_millis(100)).await;
    let mut silent = router.connect().await;
    assert_eq!(closed(&mut silent).await, "", "a first request has to come");
    let mut second_head = router.connect().await;
    second_head.write_all(HEALTH).await.unwrap();
    read_until(&mut second_head, "OK").await;
    second_head.write_all(b"GET /health").await.unwrap();
    assert_eq!(closed(&mut second_head).await.trim(), "");
}

#[tokio::test]
async fn who_does_not_take_an_answer_loses_it() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = config(listener.local_addr().unwrap());
    config.client_timeout = Duration::from_millis(200);
    let router = Router::start(config).await;
    let mut client = router.connect().await;
    client.write_all(b"GET /github-event HTTP/1.1\r\nhost: system.localhost\r\n\r\n").await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    read_until(&mut server, "\r\n\r\n").await;
    server.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n").await.unwrap();
    let block = vec![0; 1 << 20];
    let cut = async { while server.write_all(&block).await.is_ok() {} };
    tokio::time::timeout(DEADLINE, cut).await.unwrap();
}

#[tokio::test]
async fn half_a_request_behind_a_whole_one_holds_no_connection() {
    let (_gateway, router) = place(|c| {
        c.client_timeout = Duration::from_secs(2);
        c.serving.client_idle = Duration::from_millis(500);
    })
    .await;
    let plain = "GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n";
    let other = "GET /healthz HTTP/1.1\r\nhost: x\r\nte: trailers\r\n\r\n";
    for whole in [plain, other] {
        let mut stream = router.connect().await;
        stream.write_all(format!("{whole}GET /hea").as_bytes()).await.unwrap();
        assert_eq!(closed(&mut stream).await.matches("200 OK").count(), 1, "{whole}");
    }
    // Who is only slow is served.
    for whole in [plain, other] {
        let mut stream = router.connect().await;
        stream.write_all(format!("{whole}GET /hea").as_bytes()).await.unwrap();
        read_until(&mut stream, "OK").await;
        // A connection that is idle is parked long before it is closed, so this one is parked when another has closed.
        let mut idle = router.connect().await;
        idle.write_all(HEALTH).await.unwrap();
        closed(&mut idle).await;
        stream.write_all(b"lthz HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        read_until(&mut stream, "200 OK").await;
    }
}
