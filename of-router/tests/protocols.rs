//! HTTP/2 before HTTP/1.1, trailers, expectations, answers without bodies, and clients that go away.

#![expect(clippy::unwrap_used, reason = "test helpers")]

mod support;

use std::time::Duration;

use bytes::Bytes;
use http::{Request, Version};
use http_body_util::{BodyExt, Empty, Full};
use hyper::client::conn::http2::SendRequest;
use hyper_util::rt::{TokioExecutor, TokioIo};
use support::recorder::Recorder;
use support::{DEADLINE, Gateway, Router, config, read_until, status_of};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

async fn bare_server(change: impl FnOnce(&mut of_router::Config)) -> (TcpListener, Router) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut config = config(listener.local_addr().unwrap());
    change(&mut config);
    let router = Router::start(config).await;
    (listener, router)
}

async fn http2<B>(router: &Router) -> SendRequest<B>
where
    B: hyper::body::Body<Data = Bytes> + Send + Unpin + 'static,
    B::Error: std::error::Error + Send + Sync,
{
    let stream = TokioIo::new(router.connect().await);
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
    tokio::spawn(connection);
    sender
}

#[tokio::test]
async fn http2_by_prior_knowledge_reaches_functions() {
    let gateway = Gateway::start().await;
    gateway.deploy("alice-greet", "alice");
    let router = Router::start(config(gateway.address)).await;
    let mut sender = http2::<Full<Bytes>>(&router).await;
    let ask = |body: &'static str| {
        let request =
            Request::post("http://alice.localhost/greet/x?y=1").header("cookie", "a=1").header("cookie", "b=2");
        request.body(Full::from(body)).unwrap()
    };
    let (one, two) = (sender.send_request(ask("one")), sender.send_request(ask("two")));
    let (one, two) = tokio::join!(one, two);
    let one = one.unwrap();
    assert_eq!((one.status().as_u16(), one.version()), (200, Version::HTTP_2));
    assert_eq!(one.into_body().collect().await.unwrap().to_bytes(), "one");
    assert_eq!(two.unwrap().into_body().collect().await.unwrap().to_bytes(), "two");
    let reached = gateway.reached();
    assert_eq!(reached[0].target, "/function/alice-greet/x?y=1");
    assert_eq!(reached[0].headers["x-forwarded-host"], "alice.localhost");
    assert_eq!(reached[0].headers.get_all("cookie").iter().collect::<Vec<_>>(), ["a=1; b=2"]);
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A request for `/` of `system.localhost`, complete.
fn headers_frame(stream: u32, path: &str) -> Vec<u8> {
    let mut block = vec![0x82, 0x86, 0x04, u8::try_from(path.len()).unwrap()];
    block.extend(path.as_bytes());
    block.extend([0x41, 16]);
    block.extend(b"system.localhost");
    frame(1, 0x5, stream, &block)
}

/// Sends frames and counts the kinds of those that come back until `kind` came `count` times.
async fn frames_until(router: &Router, frames: &[u8], kind: u8, count: usize) {
    let mut stream = router.connect().await;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    stream.write_all(&frame(4, 0, 0, &[])).await.unwrap();
    stream.write_all(frames).await.unwrap();
    let wait = async {
        let mut seen = 0;
        while seen < count {
            let mut head = [0; 9];
            stream.read_exact(&mut head).await.unwrap();
            let length = usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2]);
            stream.read_exact(&mut vec![0; length]).await.unwrap();
            seen += usize::from(head[3] == kind);
        }
    };
    tokio::time::timeout(DEADLINE, wait).await.unwrap();
}

#[tokio::test]
async fn a_flood_of_resets_ends_the_connection() {
    let (_listener, router) = bare_server(|_| ()).await;
    let flood: Vec<u8> = (0..500_u32)
        .flat_map(|n| {
            [headers_frame(2 * n + 1, "/github-event"), frame(3, 0, 2 * n + 1, &8_u32.to_be_bytes())].concat()
        })
        .collect();
    frames_until(&router, &flood, 7, 1).await;
    assert_eq!(router.status("system.localhost", "/healthz").await, 200);
}

#[tokio::test]
async fn streams_over_the_limit_are_refused() {
    let (_listener, router) = bare_server(|c| c.serving.max_streams = 4).await;
    let many: Vec<u8> = (0..10_u32).flat_map(|n| headers_frame(2 * n + 1, "/github-event")).collect();
    frames_until(&router, &many, 3, 6).await;
}

#[tokio::test]
async fn a_bomb_of_headers_is_defused() {
    let (_listener, router) = bare_server(|_| ()).await;
    let mut sender = http2::<Empty<Bytes>>(&router).await;
    let mut request = Request::get("http://system.localhost/healthz");
    for number in 0..30 {
        request = request.header(format!("x-{number}"), "v".repeat(4000));
    }
    let answer = sender.send_request(request.body(Empty::new()).unwrap()).await;
    assert!(answer.is_err() || answer.unwrap().status() == 431);
    let mut sender = http2::<Empty<Bytes>>(&router).await;
    let mut many = Request::get("http://system.localhost/healthz");
    for number in 0..101 {
        many = many.header(format!("x-{number}"), "v");
    }
    assert_eq!(sender.send_request(many.body(Empty::new()).unwrap()).await.unwrap().status(), 431);
}

#[tokio::test]
async fn trailers_travel_both_ways() {
    let (listener, router) = bare_server(|_| ()).await;
    let mut client = router.connect().await;
    let ask = "POST /github-event HTTP/1.1\r\nhost: system.localhost\r\nte: trailers\r\ntrailer: x-sum\r\n\
               transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nx-sum: 7\r\n\r\n";
    client.write_all(ask.as_bytes()).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    let asked = read_until(&mut server, "x-sum: 7\r\n\r\n").await;
    assert!(asked.contains("te: trailers\r\n") && asked.contains("trailer: x-sum\r\n"), "{asked}");
    let answer =
        "HTTP/1.1 200 OK\r\ntrailer: x-end\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-end: 1\r\n\r\n";
    server.write_all(answer.as_bytes()).await.unwrap();
    read_until(&mut client, "0\r\nx-end: 1\r\n\r\n").await;
}

#[tokio::test]
async fn a_body_is_asked_for_only_when_the_request_is_taken() {
    let (listener, router) = bare_server(|c| c.max_body_bytes = 1000).await;
    let ask = |path: &str, length: usize| {
        format!(
            "POST {path} HTTP/1.1\r\nhost: system.localhost\r\nexpect: 100-continue\r\ncontent-length: {length}\r\n\r\n"
        )
    };
    for (path, length, status) in [("/nothing", 10, 404), ("/github-event", 1001, 413)] {
        let answer = router.raw(ask(path, length).as_bytes()).await;
        assert_eq!(status_of(&answer), status, "{answer}");
        assert!(!answer.contains(" 100 "), "{answer}");
    }
    let mut client = router.connect().await;
    client.write_all(ask("/github-event", 3).as_bytes()).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    read_until(&mut client, "HTTP/1.1 100 Continue\r\n\r\n").await;
    client.write_all(b"abc").await.unwrap();
    let asked = read_until(&mut server, "abc").await;
    assert!(!asked.contains("expect:"), "{asked}");
    server.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
    read_until(&mut client, "ok").await;
}

#[tokio::test]
async fn answers_without_a_body_have_none() {
    for (method, head) in [
        ("HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n"),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", "HTTP/1.1 304 Not Modified\r\ncontent-length: 1000\r\netag: \"x\"\r\n\r\n"),
    ] {
        let (listener, router) = bare_server(|c| c.serving.workers = 1).await;
        let mut client = router.connect().await;
        let ask = format!("{method} /github-event HTTP/1.1\r\nhost: system.localhost\r\n\r\n");
        client.write_all(ask.as_bytes()).await.unwrap();
        let (mut server, _) = listener.accept().await.unwrap();
        read_until(&mut server, "\r\n\r\n").await;
        server.write_all(head.as_bytes()).await.unwrap();
        let first = read_until(&mut client, "\r\n\r\n").await;
        assert!(first.ends_with("\r\n\r\n") && (method != "HEAD" || first.contains("content-length: 1000")), "{first}");
        // Both connections go on in step.
        client.write_all(b"GET /github-event/again HTTP/1.1\r\nhost: system.localhost\r\n\r\n").await.unwrap();
        read_until(&mut server, "/again").await;
        server.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nagain").await.unwrap();
        let second = read_until(&mut client, "again").await;
        assert!(second.starts_with("HTTP/1.1 200"), "{second}");
    }
}

#[tokio::test]
async fn a_client_that_goes_away_is_not_worked_for() {
    let (listener, router) = bare_server(|_| ()).await;
    let mut client = router.connect().await;
    client.write_all(b"GET /github-event HTTP/1.1\r\nhost: system.localhost\r\n\r\n").await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    read_until(&mut server, "\r\n\r\n").await;
    drop(client);
    let ended = tokio::time::timeout(DEADLINE, server.read(&mut [0; 8])).await.unwrap();
    assert!(matches!(ended, Ok(0) | Err(_)));
    let mut sender = http2::<Empty<Bytes>>(&router).await;
    let request = Request::get("http://system.localhost/github-event").body(Empty::new()).unwrap();
    let asked = tokio::spawn(async move { sender.send_request(request).await });
    let (mut server, _) = listener.accept().await.unwrap();
    read_until(&mut server, "\r\n\r\n").await;
    asked.abort();
    let ended = tokio::time::timeout(DEADLINE, server.read(&mut [0; 8])).await.unwrap();
    assert!(matches!(ended, Ok(0) | Err(_)), "a reset stream is no different");
}

#[tokio::test]
async fn no_other_protocol_is_tunnelled() {
    let recorder = Recorder::start().await;
    let router = Router::start(config(recorder.address)).await;
    let ask = "GET /github-event HTTP/1.1\r\nhost: system.localhost\r\nconnection: upgrade, http2-settings, close\r\n\
               upgrade: h2c\r\nhttp2-settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n";
    let mut client = router.connect().await;
    client.write_all(ask.as_bytes()).await.unwrap();
    read_until(&mut client, "ok").await;
    let head = recorder.requests().remove(0);
    assert!(!head.contains("upgrade") && !head.contains("http2-settings"), "{head}");
}

/// S11: the original built a return address from the host, held whole answers in memory and believed `X-Forwarded-*`.
#[tokio::test]
async fn s11_answers_are_not_held_back_and_nothing_forged_goes_on() {
    let (listener, router) = bare_server(|_| ()).await;
    let mut client = router.connect().await;
    let ask = "GET /github-event HTTP/1.1\r\nhost: system.localhost\r\nx-forwarded-host: evil.example\r\n\
               x-forwarded-proto: gopher\r\nx-forwarded-for: 6.6.6.6\r\n\r\n";
    client.write_all(ask.as_bytes()).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    let asked = read_until(&mut server, "\r\n\r\n").await.to_ascii_lowercase();
    assert!(!asked.contains("evil") && !asked.contains("gopher") && !asked.contains("6.6.6.6"), "{asked}");
    // An endless answer: what comes is passed on at once.
    server.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n").await.unwrap();
    for number in 0..3 {
        server.write_all(format!("data: {number}\n\n").as_bytes()).await.unwrap();
        read_until(&mut client, &format!("data: {number}\n\n")).await;
    }
    // And what the client does not take is not taken from the service either.
    let block = vec![b'x'; 64 * 1024];
    let mut written = 0_usize;
    while let Ok(done) = tokio::time::timeout(Duration::from_millis(300), server.write_all(&block)).await {
        done.unwrap();
        written += block.len();
        assert!(written < 64 << 20, "the router holds {written} bytes that nobody reads");
    }
}

/// A connection of HTTP/2 whose streams may have so many bytes under way until the client says more, which it never does.
async fn shut(router: &Router, window: u32, frames: &[u8]) -> tokio::net::TcpStream {
    let mut stream = router.connect().await;
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    stream.write_all(&frame(4, 0, 0, &[&[0, 4], &window.to_be_bytes()[..]].concat())).await.unwrap();
    stream.write_all(frames).await.unwrap();
    stream
}

/// Waits for the first frame of this kind; answers pings, as a client does that is there. None if the connection ends.
async fn first(stream: &mut tokio::net::TcpStream, kind: u8) -> Option<Vec<u8>> {
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.ok()?;
        let mut payload = vec![0; usize::from(head[0]) << 16 | usize::from(head[1]) << 8 | usize::from(head[2])];
        stream.read_exact(&mut payload).await.ok()?;
        if head[3] == kind {
            return Some(payload);
        }
        if head[3] == 6 && head[4] == 0 {
            stream.write_all(&frame(6, 1, 0, &payload)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_stream_whose_client_takes_nothing_is_reset_and_the_service_let_go() {
    for window in [0, 1, 1000] {
        let (listener, router) = bare_server(|c| c.client_timeout = Duration::from_millis(300)).await;
        let mut client = shut(&router, window, &headers_frame(1, "/github-event")).await;
        let (mut server, _) = listener.accept().await.unwrap();
        read_until(&mut server, "\r\n\r\n").await;
        // Who has to wait for the service is not blamed for it: two others have been, one after the other, by then.
        for _ in 0..2 {
            let mut slow = router.connect().await;
            slow.write_all(b"GET /hea").await.unwrap();
            let closed = tokio::time::timeout(DEADLINE, slow.read(&mut [0; 64])).await.unwrap();
            assert!(!matches!(closed, Ok(1..)), "half a head is not answered");
        }
        server.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10000000\r\n\r\n").await.unwrap();
        server.write_all(&[b'x'; 300_000]).await.unwrap();
        let head = tokio::time::timeout(DEADLINE, first(&mut client, 1)).await.unwrap().unwrap();
        assert_eq!(head.first(), Some(&0x88), "200");
        let reset = tokio::time::timeout(DEADLINE, first(&mut client, 3)).await.unwrap();
        assert!(reset.is_some(), "with a window of {window}");
        let rest =
            tokio::time::timeout(DEADLINE, async { while matches!(server.read(&mut [0; 64]).await, Ok(1..)) {} });
        rest.await.unwrap();
    }
}

#[tokio::test]
async fn what_is_left_of_an_answer_that_nobody_takes_holds_no_connection() {
    let (listener, router) = bare_server(|c| {
        c.client_timeout = Duration::from_millis(300);
        c.serving.client_idle = Duration::from_millis(300);
    })
    .await;
    let mut client = shut(&router, 1, &headers_frame(1, "/github-event")).await;
    let (mut server, _) = listener.accept().await.unwrap();
    read_until(&mut server, "\r\n\r\n").await;
    server.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await.unwrap();
    server.write_all(&[b'x'; 1000]).await.unwrap();
    // No frame is of this kind.
    assert_eq!(tokio::time::timeout(DEADLINE, first(&mut client, 99)).await.unwrap(), None);
}

#[tokio::test]
async fn trailers_hold_nothing_that_counts_in_heads() {
    let (listener, router) = bare_server(|_| ()).await;
    let mut client = router.connect().await;
    let forged = "x-auth-user: root\r\nx_forwarded_for: 6.6.6.6\r\ncontent-length: 9\r\nhost: evil\r\ncookie: a=1\r\n\
                  set-cookie: ofc_session=1\r\nclear-site-data: \"*\"\r\nauthorization: x\r\ntransfer-encoding: x\r\n";
    let names = "x-sum, x-auth-user, x_forwarded_for, content-length, host, cookie, set-cookie, clear-site-data, \
                 authorization, transfer-encoding";
    let ask = format!(
        "POST /github-event HTTP/1.1\r\nhost: system.localhost\r\nte: trailers\r\ntrailer: {names}\r\n\
         transfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n{forged}x-sum: 7\r\n\r\n"
    );
    client.write_all(ask.as_bytes()).await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    let asked = read_until(&mut server, "\r\n0\r\nx-sum: 7\r\n\r\n").await;
    assert!(!asked.contains("root") && !asked.contains("6.6.6.6"), "{asked}");
    let answer = format!(
        "HTTP/1.1 200 OK\r\ntrailer: {names}\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n{forged}x-sum: 8\r\n\r\n"
    );
    server.write_all(answer.as_bytes()).await.unwrap();
    let answered = read_until(&mut client, "0\r\nx-sum: 8\r\n\r\n").await;
    assert!(!answered.contains("root") && !answered.contains("ofc_session"), "{answered}");

    // Over HTTP/2 the same, and to who does not ask for trailers, none.
    let mut sender = http2::<Empty<Bytes>>(&router).await;
    let request = Request::get("http://system.localhost/github-event").header("te", "trailers").body(Empty::new());
    let asked = tokio::spawn(async move { sender.send_request(request.unwrap()).await.unwrap() });
    let (mut server, _) = listener.accept().await.unwrap();
    read_until(&mut server, "\r\n\r\n").await;
    server.write_all(answer.as_bytes()).await.unwrap();
    let whole = asked.await.unwrap().into_body().collect().await.unwrap();
    let trailers = whole.trailers().unwrap();
    assert_eq!(trailers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["x-sum"]);
    // So that the next request does not come by the same connection.
    drop(server);
    client.write_all(b"GET /github-event HTTP/1.1\r\nhost: system.localhost\r\n\r\n").await.unwrap();
    let (mut server, _) = listener.accept().await.unwrap();
    read_until(&mut server, "\r\n\r\n").await;
    server.write_all(answer.as_bytes()).await.unwrap();
    let answered = read_until(&mut client, "\r\n0\r\n").await;
    assert!(!answered.contains("x-sum: 8"), "{answered}");
}

#[tokio::test]
async fn answers_are_written_anew_with_one_length_and_without_what_is_about_a_connection() {
    let (listener, router) = bare_server(|c| c.serving.workers = 1).await;
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 2\r\nconnection: upgrade, x-hop\r\nupgrade: h2c\r\n\
                  x-hop: 1\r\nkeep-alive: timeout=5\r\n\r\nok";
    let serving = tokio::spawn(async move {
        loop {
            let (mut server, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                while read_until(&mut server, "\r\n\r\n").await.starts_with("GET") {
                    server.write_all(answer.as_bytes()).await.unwrap();
                }
            });
        }
    });
    for line in ["", "te: trailers\r\n"] {
        let ask = format!("GET /github-event HTTP/1.1\r\nhost: system.localhost\r\n{line}\r\n");
        let mut client = router.connect().await;
        client.write_all(ask.as_bytes()).await.unwrap();
        let seen = read_until(&mut client, "\r\n\r\nok").await.to_ascii_lowercase();
        assert_eq!(seen.matches("content-length").count(), 1, "{seen}");
        assert!(!["upgrade", "x-hop", "keep-alive"].iter().any(|name| seen.contains(name)), "{seen}");
    }
    let mut sender = http2::<Empty<Bytes>>(&router).await;
    let request = Request::get("http://system.localhost/github-event").body(Empty::new()).unwrap();
    let answered = sender.send_request(request).await.unwrap();
    assert_eq!(answered.headers().get_all("content-length").iter().count(), 1);
    assert_eq!(answered.headers().get("upgrade"), None);
    serving.abort();
}
