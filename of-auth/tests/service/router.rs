//! What is for the router alone.

use std::time::Duration;

use http::Method;
use sdk::signing::Key;
use session::protocol::{AUTH, NOTICES_PATH, Notice, QUESTION_PATH};

use crate::support::{AUTH_HOST, PAYLOAD_SECRET, Service};

#[tokio::test]
async fn s1_nobody_but_the_router_gets_answers_or_notices() {
    let service = Service::start().await;
    let token = service.signed_in("alice").await.token(AUTH_HOST);
    let body = serde_json::json!({"host": AUTH_HOST, "token": token}).to_string();
    let right = Key::derive(&PAYLOAD_SECRET.into(), AUTH);
    let other = Key::derive(&PAYLOAD_SECRET.into(), "github-push");
    let stranger = Key::derive(&"guess".into(), AUTH);
    let minute = Duration::from_secs(60);
    let signatures = [
        None,
        Some(other.sign(&Method::POST, body.as_bytes(), minute)),
        Some(stranger.sign(&Method::POST, body.as_bytes(), minute)),
        Some(right.sign(&Method::GET, body.as_bytes(), minute)),
        Some(right.sign(&Method::POST, b"another body", minute)),
    ];
    for signature in signatures {
        for (method, path) in [(Method::POST, QUESTION_PATH), (Method::GET, NOTICES_PATH)] {
            let mut request = sdk::http::client().request(method, format!("http://{}{path}", service.address));
            for (name, value) in signature.iter().flatten() {
                request = request.header(*name, value);
            }
            let response = request.body(body.clone()).send().await.unwrap();
            assert_eq!(response.status(), 401, "{path} {signature:?}");
            assert!(!response.text().await.unwrap().contains("alice"));
        }
    }
}

#[tokio::test]
async fn s1_a_question_that_is_not_understood_is_no_yes() {
    let service = Service::start().await;
    let token = service.signed_in("alice").await.token(AUTH_HOST);
    let key = Key::derive(&PAYLOAD_SECRET.into(), AUTH);
    for body in ["", "{}", "null", "[]", &format!("{{\"token\":\"{token}\"}}"), &"x".repeat(100_000)] {
        let mut request = sdk::http::client().post(format!("http://{}{QUESTION_PATH}", service.address));
        for (name, value) in key.sign(&Method::POST, body.as_bytes(), Duration::from_secs(60)) {
            request = request.header(name, value);
        }
        let status = request.body(body.to_owned()).send().await.unwrap().status();
        assert!(status.is_client_error(), "{status}");
    }
    for host in ["", "evil.org", "AUTH.system.example.com", "auth.system.example.com:443", "x.auth.system.example.com"]
    {
        assert_eq!(service.ask(host, &token).await.unwrap_err(), 401, "{host}");
    }
}

#[tokio::test]
async fn notices_show_that_the_connection_stands() {
    let service = Service::start().await;
    let mut listener = service.listen().await;
    assert_eq!(listener.next().await, Some(Notice::Alive));
    assert!(listener.before.is_empty());
    service.stop().await.unwrap();
    while let Some(notice) = listener.next().await {
        assert_eq!(notice, Notice::Alive);
    }
}
