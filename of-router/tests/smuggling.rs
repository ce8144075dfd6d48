//! Requests that two readers could read in two ways: each is refused and its connection closed, or goes on as exactly
//! one request in one form.

mod support;

use std::time::Duration;

use support::recorder::Recorder;
use support::{Router, config, status_of};

/// What another reader could take for a request of its own.
const SECOND: &str = "GET /github-event/smuggled HTTP/1.1\r\nhost: system.localhost\r\n\r\n";

async fn place() -> (Recorder, Router) {
    let recorder = Recorder::start().await;
    let mut config = config(recorder.address);
    // A connection that is kept open is not waited for.
    config.serving.client_idle = Duration::from_millis(50);
    config.client_timeout = Duration::from_millis(500);
    (recorder, Router::start(config).await)
}

fn post(lines: &str, body: &str) -> String {
    format!("POST /github-event HTTP/1.1\r\nhost: system.localhost\r\n{lines}\r\n{body}")
}

/// Refused: an answer of this status, the connection closed, nothing at the service.
async fn refused(status: u16, bytes: &str) {
    let (recorder, router) = place().await;
    let answer = router.raw(bytes.as_bytes()).await;
    assert_eq!(status_of(&answer), status, "{bytes:?} -> {answer:?}");
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "one answer and the end: {bytes:?} -> {answer:?}");
    assert_eq!(recorder.raw(), "", "{bytes:?}");
}

/// One request goes on, and nothing of what follows it.
async fn one(bytes: &str) {
    let (recorder, router) = place().await;
    let answer = router.raw(bytes.as_bytes()).await;
    assert_eq!(status_of(&answer), 200, "{bytes:?} -> {answer:?}");
    assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{bytes:?} -> {answer:?}");
    assert_eq!(recorder.requests().len(), 1, "{bytes:?}");
    assert!(!recorder.requests()[0].starts_with("get /function/github-event/smuggled"), "{bytes:?}");
}

/// Cut off in the middle: the service may have seen a beginning, but no whole request.
async fn cut_off(bytes: &str) {
    let (recorder, router) = place().await;
    let answer = router.raw(bytes.as_bytes()).await;
    assert_ne!(status_of(&answer), 200, "{bytes:?} -> {answer:?}");
    assert!(answer.matches("HTTP/1.1 ").count() <= 1, "{bytes:?} -> {answer:?}");
    assert_eq!(recorder.requests(), Vec::<String>::new(), "{bytes:?}");
    assert!(!recorder.raw().contains("get /function"), "{bytes:?}");
}

#[tokio::test]
async fn a_length_beside_chunked_does_not_go_on() {
    let body = format!("0\r\n\r\n{SECOND}");
    let length = body.len();
    one(&post(&format!("content-length: {length}\r\ntransfer-encoding: chunked\r\n"), &body)).await;
    one(&post(&format!("transfer-encoding: chunked\r\ncontent-length: {length}\r\n"), &body)).await;
    one(&post("transfer-encoding: chunked\r\ncontent-length: 3\r\n", &body)).await;
}

#[tokio::test]
async fn lengths_are_one_number() {
    for lines in [
        "content-length: 5\r\ncontent-length: 6\r\n",
        "content-length: 0\r\ncontent-length: 60\r\n",
        "content-length: +5\r\n",
        "content-length: -5\r\n",
        "content-length: 0x5\r\n",
        "content-length: 5 5\r\n",
        "content-length: 5,5\r\n",
        "content-length: 5, 6\r\n",
        "content-length: \r\n",
        "content-length: 5.0\r\n",
        "content-length: 5\u{b}\r\n",
        "content-length: 18446744073709551621\r\n",
    ] {
        refused(400, &post(lines, &format!("abcde{SECOND}"))).await;
    }
    refused(431, &post("content-length: 18446744073709551615\r\n", SECOND)).await;
    let same = post("content-length: 5\r\ncontent-length: 5\r\nconnection: close\r\n", &format!("abcde{SECOND}"));
    one(&same).await;
}

#[tokio::test]
async fn the_coding_is_chunked_and_nothing_else() {
    for coding in [
        "xchunked",
        "gzip, chunked",
        "chunked, gzip",
        "chunked, chunked",
        "identity",
        "identity, chunked",
        "chunked;q=1",
        "\"chunked\"",
        "",
    ] {
        refused(400, &post(&format!("transfer-encoding: {coding}\r\n"), &format!("0\r\n\r\n{SECOND}"))).await;
    }
    for lines in [
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: x\r\ntransfer-encoding: chunked\r\n",
        "transfer-encoding: chunked\r\ntransfer-encoding: identity\r\n",
        "transfer-encoding: chunked\u{b}\r\n",
        "transfer-encoding:\r\n chunked\r\n",
        "transfer-encoding : chunked\r\n",
        "transfer_encoding: chunked\r\ntransfer-encoding: x\r\n",
    ] {
        refused(400, &post(lines, &format!("0\r\n\r\n{SECOND}"))).await;
    }
}

#[tokio::test]
async fn heads_are_lines_of_plain_text() {
    for lines in [
        "x-folded: a\r\n b\r\n",
        "x-folded: a\r\n\tb\r\n",
        "x-null: a\0b\r\n",
        "x-control: a\u{1}b\r\n",
        "x-return: a\rb\r\n",
        "x-delete: a\u{7f}b\r\n",
        "content-length : 5\r\n",
        "x name: a\r\n",
        "x\0name: a\r\n",
        ": a\r\n",
        "no colon\r\n",
        " content-length: 5\r\n",
        "x-\u{e9}: a\r\n",
    ] {
        refused(400, &post(lines, "")).await;
    }
}

#[tokio::test]
async fn bare_line_feeds_go_on_as_whole_line_ends_or_not_at_all() {
    one("GET /github-event HTTP/1.1\nhost: system.localhost\nconnection: close\n\n").await;
    let hidden = format!("GET /github-event HTTP/1.1\r\nhost: system.localhost\nconnection: close\r\n\r\n{SECOND}");
    one(&hidden).await;
    let length = format!("transfer-encoding: chunked\nx: y\nconnection: close\r\n\r\n0\r\n\r\n{SECOND}");
    one(&format!("POST /github-event HTTP/1.1\r\nhost: system.localhost\r\n{length}")).await;
}

#[tokio::test]
async fn chunks_are_framed_exactly() {
    for body in [
        "FFFFFFFFFFFFFFFFF\r\n",
        "10000000000000000\r\n",
        "-1\r\n",
        "0x5\r\n",
        "+5\r\nabcde\r\n0\r\n\r\n",
        "5\nabcde\r\n0\r\n\r\n",
        "5\r\nabcdeX0\r\n\r\n",
        "5\r\nabcde\n0\r\n\r\n",
        "5;a\nb\r\nabcde\r\n0\r\n\r\n",
        "\r\n0\r\n\r\n",
        "g\r\n",
    ] {
        cut_off(&post("transfer-encoding: chunked\r\n", &format!("{body}{SECOND}"))).await;
    }
    let flood = format!("5;{}\r\nabcde\r\n0\r\n\r\n", "a".repeat(64 * 1024));
    cut_off(&post("transfer-encoding: chunked\r\n", &flood)).await;
    one(&post("transfer-encoding: chunked\r\nconnection: close\r\n", "5;name=value\r\nabcde\r\n0\r\n\r\n")).await;
}

#[tokio::test]
async fn old_and_invented_versions() {
    for bytes in [
        "GET /github-event\r\n\r\n",
        "GET /github-event HTTP/0.9\r\nhost: system.localhost\r\n\r\n",
        "GET /github-event HTTP/2.0\r\nhost: system.localhost\r\n\r\n",
        "GET /github-event HTTP/1.2\r\nhost: system.localhost\r\n\r\n",
        "GET /github-event http/1.1\r\nhost: system.localhost\r\n\r\n",
        "GET /github-event HTTP/1.0\r\n\r\n",
        "GET /github-event HTTP/1.1\r\n\r\n",
        "POST /github-event HTTP/1.0\r\nhost: system.localhost\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        " GET /github-event HTTP/1.1\r\nhost: system.localhost\r\n\r\n",
        "GET  /github-event HTTP/1.1\r\nhost: system.localhost\r\n\r\n",
        "GET /github-event HTTP/1.1 \r\nhost: system.localhost\r\n\r\n",
        "GET /github-event x HTTP/1.1\r\nhost: system.localhost\r\n\r\n",
        "GET\t/github-event\tHTTP/1.1\r\nhost: system.localhost\r\n\r\n",
    ] {
        let (recorder, router) = place().await;
        let answer = router.raw(bytes.as_bytes()).await;
        assert!(matches!(status_of(&answer), 400 | 505), "{bytes:?} -> {answer:?}");
        assert_eq!(recorder.raw(), "", "{bytes:?}");
    }
    let old = format!("POST /github-event HTTP/1.0\r\nhost: system.localhost\r\ncontent-length: 2\r\n\r\nab{SECOND}");
    let (recorder, router) = place().await;
    router.raw(old.as_bytes()).await;
    assert_eq!(recorder.requests().len(), 1, "a connection of HTTP/1.0 ends with its request");
}

#[tokio::test]
async fn hosts_are_named_once() {
    let differing = "GET http://alice.localhost/github-event HTTP/1.1\r\nhost: system.localhost\r\n\r\n";
    refused(400, differing).await;
    let twice = "GET /github-event HTTP/1.1\r\nhost: system.localhost\r\nhost: system.localhost\r\n\r\n";
    refused(400, twice).await;
    let same =
        "GET http://system.localhost/github-event HTTP/1.1\r\nhost: system.localhost\r\nconnection: close\r\n\r\n";
    one(same).await;
    refused(405, "CONNECT system.localhost:80 HTTP/1.1\r\nhost: system.localhost:80\r\nconnection: close\r\n\r\n")
        .await;
}

#[tokio::test]
async fn a_pipelined_request_behind_a_refused_body_is_not_read_from_the_body() {
    let (recorder, router) = place().await;
    let body = post(&format!("content-length: {}\r\nexpect: a miracle\r\n", SECOND.len()), SECOND);
    let answer = router.raw(body.as_bytes()).await;
    assert_eq!(status_of(&answer), 417, "{answer:?}");
    assert_eq!(recorder.raw(), "");
}

#[tokio::test]
async fn nothing_that_a_client_sends_adds_a_line_to_what_goes_on() {
    let (recorder, router) = place().await;
    let bytes = "GET /github-event?a=%0d%0ax-auth-user:%20root HTTP/1.1\r\nhost: system.localhost\r\n\
                 x-forwarded-for: 1.2.3.4\r\nx-forwarded-host: evil\r\nforwarded: for=1.2.3.4\r\nx-auth-user: root\r\n\
                 x_auth_user: root\r\nx-call-id: mine\r\nconnection: x-call-id, x-forwarded-for, host, close\r\n\r\n";
    assert_eq!(status_of(&router.raw(bytes.as_bytes()).await), 200);
    let requests = recorder.requests();
    let lines: Vec<&str> = requests[0].lines().skip(1).filter(|line| !line.is_empty()).collect();
    let names: Vec<&str> = lines.iter().filter_map(|line| line.split_once(':')).map(|(name, _)| name).collect();
    for name in ["x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "host"] {
        assert_eq!(names.iter().filter(|given| **given == name).count(), 1, "{name}: {lines:?}");
    }
    assert!(lines.contains(&"x-forwarded-for: 127.0.0.1") && lines.contains(&"x-forwarded-host: system.localhost"));
    let forged = ["1.2.3.4", "evil", "root", "mine"];
    assert!(lines.iter().all(|line| !forged.iter().any(|text| line.contains(text))), "{lines:?}");
}
