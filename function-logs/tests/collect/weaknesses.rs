//! S7: the original answered functions' logs to everybody who reached it.

use axum::body::{Body, to_bytes};
use http::{Method, Request};
use sdk::fake_gateway::forgeries;
use sdk::function_log::{FOLLOW_LOGS, FUNCTION_LOGS_FUNCTION};
use sdk::signing::Key;
use serde_json::json;

use crate::site::{SECRET, Site, request};

const PLACES: [(&str, &str); 2] = [("/", FUNCTION_LOGS_FUNCTION), ("/follow", FOLLOW_LOGS)];

#[tokio::test]
async fn s7_no_line_for_who_is_not_one_of_the_platforms_functions() {
    let site = Site::start(&[]).await;
    site.gateway.deploy("alice-a", 7, "abc");
    site.gateway.write("alice-a", "abc", 100, "hush");
    site.kept_when("hush").await;
    for (path, target) in PLACES {
        for (what, forged) in forgeries(SECRET, target, path, &request(7, "alice-a")) {
            let answer = site.pass(forged).await;
            assert_eq!(answer.status(), 401, "{path}: {what}");
            let text = to_bytes(answer.into_body(), 10_000).await.unwrap();
            assert!(!String::from_utf8_lossy(&text).contains("hush"), "{path}: {what}");
        }
    }
}

#[tokio::test]
async fn s7_names_that_none_can_be_are_refused_before_the_gateway_or_the_store_is_asked() {
    let site = Site::start(&[]).await;
    site.gateway.deploy("alice-a", 7, "abc");
    let right = serde_json::to_value(request(7, "alice-a")).unwrap();
    for (field, value) in [
        ("function", json!("")),
        ("function", json!("..")),
        ("function", json!("../alice-a")),
        ("function", json!("alice-a/../bob-b")),
        ("function", json!("alice-a\0")),
        ("function", json!("alice-a?namespace=kube-system")),
        ("function", json!("ALICE-A")),
        ("since", json!(-1)),
        ("tail", json!("all")),
        ("owner_id", json!({"host": "git.localhost", "id": "7"})),
    ] {
        let mut message = right.clone();
        message[field] = value;
        for (path, target) in PLACES {
            let body = serde_json::to_vec(&message).unwrap();
            let signed =
                Key::derive(&SECRET.into(), target).sign(&Method::POST, &body, std::time::Duration::from_secs(60));
            let asked = signed.into_iter().fold(Request::post(path), |asked, (name, value)| asked.header(name, value));
            let answer = site.pass(asked.body(Body::from(body)).unwrap()).await;
            assert_eq!(answer.status(), 400, "{path} {message}");
        }
    }
}
