//! `ofc login`: a code in the terminal, a yes in the browser.

#![expect(clippy::unwrap_used, reason = "test helper")]

use http::Method;
use serde_json::{Value, json};

use crate::support::{AUTH_HOST, Browser, ISSUER, Service};

async fn begin(service: &Service) -> Value {
    let wish = json!({"name": "ofc on laptop", "scopes": ["read", "write"]});
    let (status, begun) = service.api(Method::POST, "/api/device", None, Some(wish)).await;
    assert_eq!(status, 200, "{begun}");
    begun
}

async fn poll(service: &Service, begun: &Value) -> (u16, Value) {
    let question = json!({"device_code": begun["device_code"]});
    service.api(Method::POST, "/api/device/token", None, Some(question)).await
}

async fn decide(browser: &mut Browser, begun: &Value, decision: &str) -> u16 {
    let code = begun["user_code"].as_str().unwrap();
    browser.post(&format!("{ISSUER}/device"), &[("user_code", code), ("decision", decision)]).await.status
}

#[tokio::test]
async fn a_command_line_gets_its_token_once_somebody_says_yes() {
    let service = Service::start().await;
    let begun = begin(&service).await;
    assert_eq!(begun["verification_uri"], format!("{ISSUER}/device"));
    assert_eq!((&begun["interval"], &begun["expires_in"]), (&json!(5), &json!(600)));
    assert_eq!(poll(&service, &begun).await.1["error"], "authorization_pending");
    // Signing in leads back to the page with the code.
    service.provider.is_used_by("alice");
    let mut browser = service.browser();
    let page = browser.follow(begun["verification_uri_complete"].as_str().unwrap()).await;
    for part in ["ofc on laptop", "192.0.2.7", "read write", begun["user_code"].as_str().unwrap(), "<strong>alice"] {
        assert!(page.text.contains(part), "{part} is not in {}", page.text);
    }
    assert_eq!(decide(&mut browser, &begun, "grant").await, 200);
    service.clock.advance(5);
    let (status, given) = poll(&service, &begun).await;
    assert_eq!((status, &given["token_type"], &given["scope"]), (200, &json!("bearer"), &json!("read write")));
    let token = given["access_token"].as_str().unwrap();
    assert_eq!(service.ask(AUTH_HOST, token).await.unwrap().claims.sub, "127.0.0.1/42");
    service.clock.advance(5);
    assert_eq!(poll(&service, &begun).await.1["error"], "expired_token", "only once");
    assert_eq!(decide(&mut browser, &begun, "grant").await, 404);
    service.trail.has("Let the command line 'ofc on laptop' at 192.0.2.7 act for: read write.").await;
}

#[tokio::test]
async fn a_no_is_a_no() {
    let service = Service::start().await;
    let begun = begin(&service).await;
    let mut browser = service.signed_in("alice").await;
    assert_eq!(decide(&mut browser, &begun, "deny").await, 200);
    assert_eq!(decide(&mut browser, &begun, "grant").await, 404, "and stays one");
    assert_eq!(poll(&service, &begun).await.1["error"], "access_denied");
}

#[tokio::test]
async fn who_asks_too_often_has_to_wait_longer() {
    let service = Service::start().await;
    let begun = begin(&service).await;
    assert_eq!(poll(&service, &begun).await.1["error"], "authorization_pending");
    assert_eq!(poll(&service, &begun).await.1["error"], "slow_down");
    service.clock.advance(6);
    assert_eq!(poll(&service, &begun).await.1["error"], "slow_down", "now it is ten seconds, and then fifteen");
    service.clock.advance(16);
    assert_eq!(poll(&service, &begun).await.1["error"], "authorization_pending");
}

#[tokio::test]
async fn it_is_over_after_ten_minutes() {
    let service = Service::start().await;
    let begun = begin(&service).await;
    let mut browser = service.signed_in("alice").await;
    service.clock.advance(600);
    assert_eq!(decide(&mut browser, &begun, "grant").await, 404);
    assert_eq!(
        poll(&service, &begun).await,
        (
            400,
            json!({
                "error": "expired_token", "error_description": "this is over; begin anew"
            })
        )
    );
}

#[tokio::test]
async fn codes_are_hashed_made_up_ones_are_refused_and_guessing_is_slow() {
    // A minute has four tries, so a slow machine gives none back within this test.
    let service = Service::start_with(&[("login_attempts_per_minute", "4")]).await;
    let begun = begin(&service).await;
    let code = begun["device_code"].as_str().unwrap();
    assert!(!service.files().windows(code.len()).any(|window| window == code.as_bytes()));
    let made_up = json!({"device_code": "x".repeat(43)});
    assert_eq!(poll(&service, &made_up).await.1["error"], "expired_token");
    let mut browser = service.signed_in("alice").await;
    let mut statuses = Vec::new();
    for _ in 0..5 {
        statuses.push(browser.get(&format!("{ISSUER}/device?user_code=BBBB-BBBB")).await.status);
    }
    assert_eq!((statuses[3], statuses[4]), (404, 429));
}

#[tokio::test]
async fn wishes_that_make_no_sense_are_refused() {
    let service = Service::start().await;
    for wish in [json!({}), json!({"name": "x", "scopes": []}), json!({"name": "", "scopes": ["read"]}), json!("x")] {
        let (status, refused) = service.api(Method::POST, "/api/device", None, Some(wish.clone())).await;
        assert_eq!((status, &refused["error"]), (400, &json!("invalid_request")), "{wish}");
    }
}
