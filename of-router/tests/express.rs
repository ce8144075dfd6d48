//! Requests that go on nearly as they came get there, and their answers come back, as all others do.

#![expect(clippy::unwrap_used, reason = "test helpers")]

mod support;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use support::{DEADLINE, Router, config, read_until, until};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const HELLO: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-Of-Function: 1\r\n\r\nhello";
/// More connections than there are workers on any machine that tests run on, so that each has been asked.
const WORKERS: usize = 64;

/// A gateway that keeps what reaches its function byte by byte, and answers with bytes.
#[derive(Clone)]
struct Raw {
    address: SocketAddr,
    reached: Arc<Mutex<Vec<String>>>,
    answer: Arc<Mutex<String>>,
}

impl Raw {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let this = Self { address, reached: Arc::default(), answer: Arc::new(Mutex::new(HELLO.to_owned())) };
        let raw = this.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(raw.clone().serve(stream));
            }
        });
        this
    }

    async fn serve(self, mut stream: TcpStream) {
        while let Some(request) = one_message(&mut stream).await {
            if request.contains(" /system/function/") {
                let word = r#"{"name":"alice-greet","image":"x","labels":{"com.openfaas.cloud.git-owner":"alice"}}"#;
                let head =
                    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}", word.len());
                stream.write_all(format!("{head}\r\n\r\n{word}").as_bytes()).await.unwrap();
                continue;
            }
            self.reached.lock().unwrap().push(request);
            let answer = self.answer.lock().unwrap().clone();
            if answer.is_empty() {
                return;
            }
            stream.write_all(answer.as_bytes()).await.unwrap();
            if answer.contains("\r\nConnection: close\r\n") {
                return;
            }
        }
    }

    fn answer_with(&self, answer: &str) {
        answer.clone_into(&mut self.answer.lock().unwrap());
    }

    fn last(&self) -> String {
        self.reached.lock().unwrap().last().unwrap().clone()
    }
}

/// A head and the body whose length it says; nothing when the connection ends.
async fn one_message(stream: &mut TcpStream) -> Option<String> {
    let mut seen = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&seen).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return Some(text);
            }
        }
        let mut chunk = [0; 4096];
        let count = stream.read(&mut chunk).await.ok().filter(|count| *count > 0)?;
        seen.extend_from_slice(&chunk[..count]);
    }
}

/// Each worker has decided about the function, and has a connection to the gateway.
async fn place(change: impl FnOnce(&mut of_router::Config)) -> (Raw, Router) {
    let raw = Raw::start().await;
    let mut config = config(raw.address);
    config.serving.owner_requests_per_second = 0;
    change(&mut config);
    let router = Router::start(config).await;
    for _ in 0..WORKERS {
        assert_eq!(router.raw_status("alice.localhost", "/greet").await, 200);
    }
    (raw, router)
}

/// A connection on which the next request goes this way; or the long way, as all behind one that is not plain.
async fn connection(router: &Router, express: bool) -> TcpStream {
    let mut stream = router.connect().await;
    if !express {
        stream.write_all(b"GET /greet HTTP/1.1\r\nhost: alice.localhost\r\nte: gzip\r\n\r\n").await.unwrap();
        read_until(&mut stream, "hello").await;
    }
    stream
}

async fn ask(stream: &mut TcpStream, request: &str) -> String {
    stream.write_all(request.as_bytes()).await.unwrap();
    tokio::time::timeout(DEADLINE, one_message(stream)).await.unwrap().unwrap()
}

/// The first line, the headers in an order of their own and without what differs each time, and the body.
fn essence(message: &str) -> (String, Vec<String>, String) {
    let (head, body) = message.split_once("\r\n\r\n").unwrap();
    let mut lines = head.split("\r\n").map(str::to_owned);
    let first = lines.next().unwrap();
    let differs = |line: &String| line.starts_with("date: ") || line.starts_with("x-call-id: ");
    let mut lines: Vec<String> = lines.filter(|line| !differs(line)).collect();
    lines.sort();
    (first, lines, body.to_owned())
}

/// Whether the request went this way: the client's lines come first then, in their order.
fn went_express(reached: &str) -> bool {
    !reached.lines().nth(1).unwrap().starts_with("host: ")
}

#[tokio::test]
async fn requests_and_answers_are_the_same_by_either_way() {
    let (raw, router) = place(|_| {}).await;
    let head = "Host: alice.localhost\r\nUser-Agent: Browser/1.0\r\naccept: text/html";
    for request in [
        format!("GET /greet HTTP/1.1\r\n{head}\r\n\r\n"),
        format!("GET /greet/a%20b?c=d HTTP/1.1\r\n{head}\r\nConnection: keep-alive\r\n\r\n"),
        format!("POST /greet HTTP/1.1\r\n{head}\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nhi"),
        format!("POST /greet/ HTTP/1.1\r\n{head}\r\n\r\n"),
        format!("DELETE /greet? HTTP/1.1\r\n{head}\r\nX-Twice: 1\r\nx-twice: 2\r\n\r\n"),
    ] {
        let mut seen = Vec::new();
        for express in [true, false] {
            let mut stream = connection(&router, express).await;
            let answer = ask(&mut stream, &request).await;
            let reached = raw.last();
            assert_eq!(went_express(&reached), express, "{reached}");
            assert_eq!(reached.matches("\r\nx-call-id: ").count(), 1, "{reached}");
            assert_eq!(answer.matches("\r\nx-call-id: ").count(), 1, "{answer}");
            assert_eq!(answer.matches("\r\ndate: ").count(), 1, "{answer}");
            // The connection is still good.
            assert!(ask(&mut stream, &request).await.ends_with("hello"));
            seen.push((essence(&reached), essence(&answer)));
        }
        assert_eq!(seen[0], seen[1], "{request}");
    }
}

#[tokio::test]
async fn what_has_to_be_looked_at_goes_the_long_way() {
    let (raw, router) = place(|_| {}).await;
    for line in
        ["Cookie: ofc_session=1; a=b", "X-Forwarded-For: 1.2.3.4", "x_auth_user: root", "Authorization: Basic x"]
    {
        let request = format!("GET /greet HTTP/1.1\r\nHost: alice.localhost\r\nA: 1\r\n{line}\r\n\r\n");
        let answer = ask(&mut connection(&router, true).await, &request).await;
        assert!(answer.ends_with("hello"), "{answer}");
        let reached = raw.last();
        assert!(!went_express(&reached), "{reached}");
        assert!(
            !reached.contains("1.2.3.4") && !reached.contains("root") && !reached.contains("ofc_session"),
            "{reached}"
        );
    }
}

#[tokio::test]
async fn answers_of_all_kinds_come_back() {
    let (raw, router) = place(|_| {}).await;
    for answer in [
        "HTTP/1.1 404 Gone\r\nContent-Length: 2\r\nVary: a\r\nDate: today\r\nX-Call-Id: forged\r\n\r\nno",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: ofc_session=forged\r\nset-cookie: a=1\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nClear-Site-Data: *\r\nConnection: x-own\r\nX-Own: 1\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    ] {
        let mut seen = Vec::new();
        for express in [true, false] {
            raw.answer_with(HELLO);
            let mut stream = connection(&router, express).await;
            assert!(ask(&mut stream, "GET /greet HTTP/1.1\r\nHost: alice.localhost\r\n\r\n").await.ends_with("hello"));
            raw.answer_with(answer);
            let request = "GET /greet HTTP/1.1\r\nHost: alice.localhost\r\nAccept: x\r\n\r\n";
            stream.write_all(request.as_bytes()).await.unwrap();
            let end = if answer.ends_with("\r\n\r\n") { "\r\n\r\n" } else { "hi" };
            let end = if answer.ends_with("no") { "no" } else { end };
            let back = read_until(&mut stream, end).await;
            assert!(!back.contains("forged") && !back.to_ascii_lowercase().contains("clear-site-data"), "{back}");
            seen.push(essence(&back));
        }
        assert_eq!(seen[0], seen[1], "{answer}");
    }
}

#[tokio::test]
async fn a_body_that_comes_later_is_passed_on_as_it_comes() {
    let (raw, router) = place(|_| {}).await;
    raw.answer_with("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi");
    let mut stream = connection(&router, true).await;
    stream.write_all(b"GET /greet HTTP/1.1\r\nHost: alice.localhost\r\nAccept: x\r\n\r\n").await.unwrap();
    let back = read_until(&mut stream, "hi").await;
    assert!(back.contains("content-length: 9\r\n"), "{back}");
    assert!(went_express(&raw.last()));
}

#[tokio::test]
async fn no_answer_is_said_in_the_form_that_was_asked_for() {
    let (raw, router) = place(|_| {}).await;
    for (accept, form) in [("text/html", "<!doctype html>"), ("*/*", "gave no answer")] {
        raw.answer_with(HELLO);
        for _ in 0..WORKERS {
            router.raw_status("alice.localhost", "/greet").await;
        }
        raw.answer_with("");
        let request = format!("GET /greet HTTP/1.1\r\nHost: alice.localhost\r\nAccept: {accept}\r\n\r\n");
        let back = ask(&mut connection(&router, true).await, &request).await;
        assert!(back.starts_with("HTTP/1.1 502 ") && back.to_lowercase().contains(form), "{back}");
        assert!(went_express(&raw.last()));
    }
}

#[tokio::test]
async fn a_client_that_leaves_gives_its_place_back() {
    let (raw, router) = place(|config| config.serving.owner_max_concurrent = 1).await;
    raw.answer_with("HTTP/1.1 200");
    let mut stream = connection(&router, true).await;
    stream.write_all(b"GET /greet HTTP/1.1\r\nHost: alice.localhost\r\nAccept: x\r\n\r\n").await.unwrap();
    until("the request is there", async || raw.last().contains("accept: x")).await;
    assert!(went_express(&raw.last()));
    assert_eq!(router.raw_status("alice.localhost", "/greet").await, 429);
    drop(stream);
    raw.answer_with(HELLO);
    until("the place is free", async || router.raw_status("alice.localhost", "/greet").await == 200).await;
}

#[tokio::test]
async fn several_requests_at_once_are_answered_in_turn() {
    let (_raw, router) = place(|_| {}).await;
    let one = "GET /greet HTTP/1.1\r\nHost: alice.localhost\r\nAccept: x\r\n\r\n";
    let last = "GET /greet HTTP/1.1\r\nHost: alice.localhost\r\nConnection: close\r\n\r\n";
    let back = router.raw(format!("{one}{one}{one}{last}").as_bytes()).await;
    assert_eq!(back.matches("\r\n\r\nhello").count(), 4, "{back}");
}

#[tokio::test]
async fn a_connection_has_so_many_requests_this_way_too() {
    let (_raw, router) = place(|config| config.serving.max_connection_requests = 3).await;
    let one = "GET /greet HTTP/1.1\r\nHost: alice.localhost\r\nAccept: x\r\n\r\n";
    let back = router.raw(one.repeat(5).as_bytes()).await;
    assert_eq!(back.matches("\r\n\r\nhello").count(), 3, "{back}");
    assert_eq!(back.matches("\r\nconnection: close\r\n").count(), 1, "{back}");
}
