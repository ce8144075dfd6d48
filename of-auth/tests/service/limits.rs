//! What is too much.

use http::Method;
use serde_json::json;

use crate::support::{ISSUER, Service};

#[tokio::test]
async fn an_address_tries_to_sign_in_so_often_a_minute() {
    let service = Service::start_with(&[("login_attempts_per_minute", "4")]).await;
    service.provider.is_used_by("alice");
    let mut browser = service.browser();
    for _ in 0..4 {
        assert_eq!(browser.get(&format!("{ISSUER}/login")).await.status, 303);
    }
    let reply = browser.get(&format!("{ISSUER}/login")).await;
    assert_eq!((reply.status, reply.header("retry-after")), (429, Some("60")));
    assert_eq!(browser.get(&format!("{ISSUER}/oauth2/authorized?state=x")).await.status, 429);
    browser.address = "192.0.2.99".into();
    assert_eq!(browser.get(&format!("{ISSUER}/login")).await.status, 303, "another address has its own allowance");
    // What a client says before the router's own word does not count.
    browser.address = "203.0.113.5, 192.0.2.1".into();
    assert_eq!(browser.get(&format!("{ISSUER}/login")).await.status, 429);
    service.clock.advance(15);
    assert_eq!(browser.get(&format!("{ISSUER}/login")).await.status, 303);
}

#[tokio::test]
async fn command_lines_begin_and_ask_so_often_a_minute() {
    let service = Service::start_with(&[("login_attempts_per_minute", "2")]).await;
    let begin = async || {
        let wish = json!({"name": "x", "scopes": ["read"]});
        service.api(Method::POST, "/api/device", None, Some(wish)).await
    };
    assert_eq!((begin().await.0, begin().await.0, begin().await.0), (200, 200, 429));
    let mut last = 0;
    for _ in 0..9 {
        last = service.api(Method::POST, "/api/device/token", None, Some(json!({"device_code": "x"}))).await.0;
    }
    assert_eq!(last, 429);
}

#[tokio::test]
async fn bodies_are_small() {
    let service = Service::start().await;
    let mut browser = service.signed_in("alice").await;
    let long = "x".repeat(70_000);
    let reply = browser.post(&format!("{ISSUER}/tokens"), &[("name", &long), ("days", "1"), ("read", "1")]).await;
    assert_eq!(reply.status, 413);
    let wish = json!({"name": long, "scopes": ["read"]});
    assert_ne!(service.api(Method::POST, "/api/device", None, Some(wish)).await.0, 200);
}
