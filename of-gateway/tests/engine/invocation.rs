//! What passes between a client and a container.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::bench::{Bench, with};
use crate::support::{DEADLINE, Running, eventually};

#[expect(clippy::unwrap_used, reason = "test helper")]
async fn connect(gateway: &Running) -> TcpStream {
    TcpStream::connect(gateway.url.strip_prefix("http://").unwrap()).await.unwrap()
}

#[expect(clippy::unwrap_used, reason = "test helper")]
/// Reads until `end` has come.
async fn read_until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    let mut buffer = [0; 1024];
    while !text.contains(end) {
        let read = tokio::time::timeout(DEADLINE, stream.read(&mut buffer)).await.unwrap().unwrap();
        assert!(read > 0, "the connection ended after: {text}");
        text.push_str(&String::from_utf8_lossy(&buffer[..read]));
    }
    text
}

#[tokio::test]
async fn http_2_without_tls_reaches_a_container() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    gateway.deployed(&bench.spec("modern")).await;
    let client = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let calls = (0..50).map(|n| {
        let call = client.post(gateway.at("/function/modern")).body(n.to_string()).send();
        async move {
            let response = call.await.unwrap();
            assert_eq!((response.version(), response.status()), (http::Version::HTTP_2, http::StatusCode::OK));
            assert_eq!(response.text().await.unwrap(), n.to_string());
        }
    });
    futures_util::future::join_all(calls).await;
    gateway.stop().await;
}

#[tokio::test]
async fn events_come_one_by_one_and_the_function_learns_that_the_client_left() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    gateway.deployed(&bench.spec("ticker")).await;
    let response = gateway.http.get(gateway.at("/function/ticker/events")).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.bytes_stream();
    let first = tokio::time::timeout(DEADLINE, body.next()).await.unwrap().unwrap().unwrap();
    assert!(first.starts_with(b"data: 1\n\n") && first.len() < 100, "{first:?}");
    drop(body);
    eventually("the function to notice", async || {
        (gateway.get("/function/ticker/gone").await.1 == "gone").then_some(())
    })
    .await;
    gateway.stop().await;
}

#[tokio::test]
async fn an_upgrade_becomes_a_tunnel() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    gateway.deployed(&bench.spec("tunnel")).await;
    let mut stream = connect(&gateway).await;
    let head = "GET /function/tunnel/upgrade HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = read_until(&mut stream, "\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 101") && answer.to_lowercase().contains("upgrade: echo"), "{answer}");
    for word in ["one", "two"] {
        stream.write_all(format!("{word}\n").as_bytes()).await.unwrap();
        assert_eq!(read_until(&mut stream, "\n").await, format!("echo {word}\n"));
    }
    drop(stream);
    gateway.stop().await;
}

#[tokio::test]
async fn heads_that_are_bombs_are_refused_and_others_are_served() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    gateway.deployed(&bench.spec("target")).await;
    let mut stream = connect(&gateway).await;
    let mut head = "GET /function/target HTTP/1.1\r\nHost: x\r\n".to_owned();
    (0..200).for_each(|n| head.push_str(&format!("x-{n}: 1\r\n")));
    stream.write_all(format!("{head}\r\n").as_bytes()).await.unwrap();
    assert!(read_until(&mut stream, "\r\n").await.starts_with("HTTP/1.1 431"));
    let mut stream = connect(&gateway).await;
    // It is cut off in the middle, so the last part may find nobody who reads it.
    let _ = stream.write_all(b"GET /function/target HTTP/1.1\r\nHost: x\r\nx-long: ").await;
    let _ = stream.write_all(&vec![b'a'; 2 << 20]).await;
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut rest)).await.unwrap();
    assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&rest));
    assert_eq!(gateway.get("/function/target/version").await.0, 200);
    gateway.stop().await;
}

#[tokio::test]
async fn slow_readers_and_writers_hold_up_nobody_else() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    gateway.deployed(&bench.spec("patient")).await;
    let mut slow = Vec::new();
    for _ in 0..100 {
        let mut stream = connect(&gateway).await;
        stream.write_all(b"POST /function/patient HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nh").await.unwrap();
        slow.push(stream);
    }
    let began = std::time::Instant::now();
    for _ in 0..20 {
        assert_eq!(gateway.get("/function/patient/version").await.0, 200);
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    for stream in &mut slow {
        stream.write_all(b"ello").await.unwrap();
    }
    for mut stream in slow {
        assert!(read_until(&mut stream, "hello").await.starts_with("HTTP/1.1 200"));
    }
    gateway.stop().await;
}

#[tokio::test]
async fn tunnels_are_bounded_and_their_room_comes_back() {
    let bench = Bench::set_up().await;
    let config = of_gateway::Config { max_connections: 3, ..bench.config() };
    let gateway = Running::start(config).await;
    gateway.deployed(&bench.spec("tunnel")).await;
    let head = "GET /function/tunnel/upgrade HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
    let ask = async || {
        let mut stream = connect(&gateway).await;
        stream.write_all(head.as_bytes()).await.unwrap();
        let answer = read_until(&mut stream, "\r\n\r\n").await;
        (stream, answer)
    };
    let mut open = Vec::new();
    for _ in 0..3 {
        let (stream, answer) = ask().await;
        assert!(answer.starts_with("HTTP/1.1 101"), "{answer}");
        open.push(stream);
    }
    let (_refused, answer) = ask().await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert_eq!(gateway.get("/function/tunnel/version").await.0, 200, "calls are none the worse for it");
    drop(open.pop());
    eventually("room for a tunnel", async || ask().await.1.starts_with("HTTP/1.1 101").then_some(())).await;
    drop(open);
    gateway.stop().await;
}

#[tokio::test]
async fn a_slow_sender_is_told_so_and_not_the_function() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    let limit = serde_json::json!({"annotations": {"com.openfaas.upstream_timeout": "1s"}});
    gateway.deployed(&with(bench.spec("patient"), limit)).await;
    let (mut read, mut write) = connect(&gateway).await.into_split();
    write.write_all(b"POST /function/patient HTTP/1.1\r\nHost: x\r\nContent-Length: 10000\r\n\r\n").await.unwrap();
    let trickle = async {
        let mut pause = tokio::time::interval(Duration::from_millis(200));
        while write.write_all(b"x").await.is_ok() {
            pause.tick().await;
        }
        std::future::pending::<()>().await
    };
    let mut answer = [0; 12];
    tokio::select! {
        read = tokio::time::timeout(DEADLINE, read.read_exact(&mut answer)) => drop(read.unwrap().unwrap()),
        () = trickle => unreachable!(),
    }
    assert_eq!(&answer, b"HTTP/1.1 408");
    gateway.stop().await;
}
