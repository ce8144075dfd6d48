//! The router's own answers about requests that went wrong: a page for browsers, a sentence for everybody else.

#![expect(clippy::unwrap_used, reason = "test helpers")]

mod support;

use std::time::Duration;

use of_router::Config;
use support::{Gateway, Router, config, status_of};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

const ALICE: &str = "alice.localhost";

async fn router(change: impl FnOnce(&mut Config)) -> Router {
    let gateway = Gateway::start().await;
    gateway.deploy("alice-greet", "alice");
    let mut config = config(gateway.address);
    change(&mut config);
    Router::start(config).await
}

/// Asks for a page and for none.
async fn both(ask: impl Fn() -> reqwest::RequestBuilder, status: u16, title: &str, words: &str) {
    let page = ask().header("accept", "text/html,*/*;q=0.8").send().await.unwrap();
    assert_eq!(page.status(), status);
    assert_eq!(
        (&page.headers()["content-type"], &page.headers()["vary"]),
        (&"text/html; charset=utf-8".parse().unwrap(), &"accept".parse().unwrap())
    );
    let html = page.text().await.unwrap();
    assert!(html.contains(&format!("<h1>{title}</h1>")) && html.contains(words), "{html}");
    let plain = ask().header("accept", "*/*").send().await.unwrap();
    assert_eq!(
        (plain.status().as_u16(), plain.headers()["content-type"].to_str().unwrap()),
        (status, "text/plain; charset=utf-8")
    );
    let text = plain.text().await.unwrap();
    assert!(text.contains(words) && !text.contains('<'), "{text}");
}

#[tokio::test]
async fn a_service_that_does_not_answer() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let gone = router(|config| config.gateway_url = format!("http://{closed}").parse().unwrap()).await;
    both(|| gone.get("system.localhost", "/github-event"), 502, "There is no answer", "Try again in a moment").await;
    let slow = router(|config| config.upstream_timeout = Duration::from_millis(100)).await;
    both(|| slow.get(ALICE, "/greet/slow"), 504, "This takes too long", "look whether it is done").await;
}

#[tokio::test]
async fn a_request_that_is_too_much() {
    let small = router(|config| config.max_body_bytes = 1024).await;
    let long = || small.post(ALICE, "/greet").body(vec![b'x'; 2000]);
    both(long, 413, "This is too large", "at most 1 KiB. Send less").await;
    let busy = router(|config| config.serving.owner_requests_per_second = 1).await;
    assert_eq!(busy.status(ALICE, "/greet").await, 200);
    both(|| busy.get(ALICE, "/greet"), 429, "Too much at once", "Wait a second, and try again").await;
    let strict = router(|config| config.serving.max_headers = 16).await;
    let many = || (0..17).fold(strict.get(ALICE, "/greet"), |ask, number| ask.header(format!("x-{number}"), "1"));
    both(many, 431, "There are too many headers", "There are too many headers").await;
}

#[tokio::test]
async fn a_request_that_does_not_come_to_its_end() {
    let router = router(|config| config.client_timeout = Duration::from_millis(100)).await;
    for (accept, expected) in [("text/html", "<h1>The request broke off</h1>"), ("*/*", "send it again.\n")] {
        let head = format!("POST /greet HTTP/1.1\r\nhost: {ALICE}\r\naccept: {accept}\r\ncontent-length: 90\r\n\r\nx");
        let mut stream = router.connect().await;
        stream.write_all(head.as_bytes()).await.unwrap();
        let answer = support::read_until(&mut stream, expected).await;
        assert_eq!(status_of(&answer), 408);
    }
}

#[tokio::test]
async fn a_function_s_own_failure_stays_as_it_is() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = axum::Router::new().fallback(async || (http::StatusCode::BAD_GATEWAY, "mine"));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    let router = router(|config| config.gateway_url = format!("http://{address}").parse().unwrap()).await;
    let answer = router.get("system.localhost", "/github-event").header("accept", "text/html").send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers().get("vary")), (502, None));
    assert_eq!(answer.text().await.unwrap(), "mine");
}
