//! Who does not have the token, or has it and lies.

use http::{Request, StatusCode};
use sdk::event::PushEvent;
use serde_json::json;
use tower::ServiceExt;

use crate::setup::{DESTROY, PUSH, SECRET, TRANSFER, UPDATE, setup, setup_with, webhook};

/// S38: one POST without a token queued the deletion of somebody's repository.
#[tokio::test]
async fn s38_no_webhook_without_the_token_is_acted_on_and_no_switch_changes_that() {
    let setup = setup_with(&[("validate_token", "false"), ("validate_hmac", "false")], "acme\n").await;
    setup.gitlab.remove_project(15);
    for body in [UPDATE, DESTROY, TRANSFER, PUSH] {
        let bare = || Request::post("/").header("x-gitlab-event", "System Hook");
        let (status, text) = setup.send(bare(), body).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED);
        assert!(text.starts_with("the webhook has no token: set the webhook's secret token"), "{text}");
        let longer = format!("{SECRET}x");
        for token in ["", " ", "wrong", &SECRET[1..], &SECRET.to_uppercase(), longer.as_str()] {
            assert_eq!(setup.send(bare().header("x-gitlab-token", token), body).await.0, StatusCode::UNAUTHORIZED);
        }
    }
    assert!(setup.gateway.messages("gitlab-event").is_empty() && setup.nothing_was_done());
    assert!(setup.gitlab.requests().is_empty());
}

#[tokio::test]
async fn both_secrets_hold_while_the_secret_is_changed() {
    let setup = setup().await;
    for token in [SECRET, "next-secret-of-tests"] {
        assert_eq!(setup.send(webhook("Push Hook", token), PUSH).await.0, StatusCode::ACCEPTED);
    }
    assert_eq!(setup.send(webhook("Push Hook", "former"), PUSH).await.0, StatusCode::UNAUTHORIZED);
}

/// S39: the token was sent to whatever host an event named.
#[tokio::test]
async fn s39_gitlab_is_where_the_operator_says_whatever_a_webhook_says() {
    let setup = setup().await;
    let elsewhere = PUSH.replace("gitlab.example", "127.0.0.1:9");
    setup.send(webhook("Push Hook", SECRET).header("x-gitlab-instance", "http://127.0.0.1:9"), elsewhere).await;
    assert_eq!(setup.work().await.status, StatusCode::ACCEPTED);
    assert_eq!(setup.gitlab.requests(), ["GET projects/15", "GET namespaces/acme"]);
    let message = &setup.gateway.messages("gitlab-push")[0];
    let event: PushEvent = message.read();
    assert_eq!(event.html_url, format!("{}/acme/team/hello", setup.gitlab.url()));
    let said = String::from_utf8_lossy(&message.body).into_owned();
    assert!(!said.contains(":9/") && !said.contains("elsewhere.example") && !said.contains("token-of-tests"), "{said}");
}

/// S42: nothing is parsed, fetched or told before it is proven who asks.
#[tokio::test]
async fn s42_a_flood_of_strangers_fills_neither_the_audit_trail_nor_a_queue() {
    let setup = setup().await;
    let loud = "*LOUD* <!channel> not even json";
    for _ in 0..500 {
        assert_eq!(setup.send(webhook("Push Hook", "wrong"), loud).await.0, StatusCode::UNAUTHORIZED);
    }
    setup.gateway.messages_when("audit-event", |messages| messages.len() >= 10).await;
    assert_eq!(setup.send(webhook("Push Hook", SECRET), PUSH).await.0, StatusCode::ACCEPTED);
    let audits = setup.audits();
    assert_eq!(audits.len(), 10);
    assert!(audits.iter().all(|line| !line.message.contains("LOUD") && !line.message.contains("wrong\"")));
    assert!(setup.gitlab.requests().is_empty());
}

/// S43: no token is in an answer or the audit trail.
#[tokio::test]
async fn s43_tokens_are_told_to_nobody() {
    let setup = setup().await;
    let (_, text) = setup.send(webhook("Push Hook", "a-token-that-somebody-mistook"), PUSH).await;
    let audit = setup.first_audit().await;
    assert!(!text.contains("mistook") && !format!("{audit:?}").contains("mistook"), "{text} {audit:?}");
    assert!(!text.contains(SECRET) && !format!("{audit:?}").contains(SECRET));
}

#[tokio::test]
async fn bodies_over_the_limit_are_refused_announced_or_not_signed_or_not() {
    let setup = setup_with(&[("max_webhook_mb", "1")], "acme\n").await;
    let large = "x".repeat((1 << 20) + 1);
    let announced = webhook("Push Hook", SECRET).header("content-length", large.len());
    assert_eq!(setup.send(announced, large.clone()).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(setup.send(webhook("Push Hook", SECRET), large.clone()).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    let signed = Request::post("/").header("x-cloud-signature", "v1=00");
    assert_eq!(setup.send(signed, large).await.0, StatusCode::PAYLOAD_TOO_LARGE);
}

/// S22, S23: what this function tells itself is signed for it alone, and a token does not replace that.
#[tokio::test]
async fn s22_s23_messages_of_the_queue_are_believed_by_their_signature_only() {
    let setup = setup().await;
    let notice = json!({"project": 15, "path": "acme/team/hello", "what": "destroyed"});
    setup.gitlab.remove_project(15);
    let forged = webhook("System Hook", SECRET).header("x-cloud-signature", "v1=00").header("x-cloud-expires", "1");
    assert_eq!(setup.send(forged, notice.to_string()).await.0, StatusCode::UNAUTHORIZED);
    let for_another = setup.gateway.signed("gitlab-push", &notice, "call-1");
    let response = setup.router.clone().oneshot(for_another).await.unwrap();
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert!(setup.nothing_was_done());
}

#[test]
fn every_problem_of_the_configuration_is_named() {
    let env =
        sdk::Env::from_map([("gitlab_instance", "http://gitlab.example"), ("max_webhook_mb", "much")], [("x", "y")]);
    let error = gitlab_event::router(&env).unwrap_err();
    let names: Vec<_> = error.problems().iter().map(|problem| problem.name.as_str()).collect();
    let expected = [
        "gateway_url",
        "payload-secret",
        "customers_path",
        "gitlab_instance",
        "gitlab-api-token",
        "gitlab-webhook-secret",
        "max_webhook_mb",
    ];
    assert_eq!(names, expected);
}
