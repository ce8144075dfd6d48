//! Pushes, and how webhooks are refused.

use http::{Request, StatusCode};
use sdk::event::PushEvent;
use sdk::id::OwnerId;
use sdk::signing::sha256_header;

use crate::setup::{DELIVERY, PUSH, sample, setup, signed};

#[tokio::test]
async fn a_push_is_queued_under_the_deliverys_id_and_a_redelivery_is_the_same_job() {
    let setup = setup(&[]).await;
    for _ in 0..2 {
        let (status, text) = setup.send(signed("push", PUSH, "now"), PUSH).await;
        assert_eq!((status, text.as_str()), (StatusCode::ACCEPTED, "codertocat/Hello-World master 6113728: queued\n"));
    }
    let messages = setup.gateway.messages("github-push");
    assert_eq!(messages.len(), 1);
    assert!(messages[0].queued);
    assert_eq!(messages[0].call, DELIVERY);
    let event: PushEvent = messages[0].read();
    assert_eq!((event.host.as_str(), event.owner_id), ("github.com", 21_031_067));
}

#[tokio::test]
async fn both_secrets_hold_while_the_secret_is_changed() {
    let setup = setup(&[]).await;
    assert_eq!(setup.send(signed("push", PUSH, "next"), PUSH).await.0, StatusCode::ACCEPTED);
    assert_eq!(setup.send(signed("push", PUSH, "former"), PUSH).await.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn the_host_is_the_configured_one() {
    let setup = setup(&[("github_url", "http://git.localhost:8000/")]).await;
    assert_eq!(setup.send(signed("push", PUSH, "now"), PUSH).await.0, StatusCode::ACCEPTED);
    let event: PushEvent = setup.gateway.messages("github-push")[0].read();
    assert_eq!(event.host, "git.localhost");
    assert_eq!(event.html_url, "http://git.localhost:8000/codertocat/Hello-World");
}

#[tokio::test]
async fn a_wrong_signature_is_refused_before_anything_is_read() {
    let setup = setup(&[]).await;
    let (status, text) = setup.send(signed("push", "not even json", "wrong"), "not even json").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(text.starts_with("the webhook's signature is wrong"), "{text}");
    let tampered = PUSH.replace("6113728", "6113729");
    assert_eq!(setup.send(signed("push", PUSH, "now"), tampered).await.0, StatusCode::UNAUTHORIZED);
    assert!(setup.first_audit().await.message.starts_with("webhook refused: the webhook's signature is wrong"));
    assert!(setup.nothing_was_queued());
}

#[tokio::test]
async fn a_missing_signature_and_the_old_kind_are_refused() {
    let setup = setup(&[]).await;
    let unsigned = Request::post("/").header("x-github-event", "push");
    assert_eq!(setup.send(unsigned, PUSH).await.0, StatusCode::UNAUTHORIZED);
    let sha1 = Request::post("/").header("x-hub-signature", "sha1=0000000000000000000000000000000000000000");
    assert_eq!(setup.send(sha1, PUSH).await.0, StatusCode::UNAUTHORIZED);
    assert!(setup.nothing_was_queued());
}

#[tokio::test]
async fn a_flood_of_bad_requests_does_not_fill_the_audit_trail() {
    let setup = setup(&[]).await;
    for _ in 0..500 {
        assert_eq!(setup.send(signed("push", PUSH, "wrong"), PUSH).await.0, StatusCode::UNAUTHORIZED);
    }
    // An audit line that would follow is a task of this runtime, which runs before a later one of the same kind.
    setup.gateway.messages_when("audit-event", |messages| messages.len() >= 10).await;
    assert_eq!(setup.send(signed("push", PUSH, "now"), PUSH).await.0, StatusCode::ACCEPTED);
    assert_eq!(setup.gateway.messages("audit-event").len(), 10);
}

#[tokio::test]
async fn strangers_and_reserved_names_are_refused_and_audited() {
    let setup = setup(&[]).await;
    let mallory = PUSH.replace("\"login\": \"Codertocat\"", "\"login\": \"mallory\"");
    let (status, text) = setup.send(signed("push", &mallory, "now"), mallory.clone()).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    assert_eq!(text, "'mallory' is not on the tenant list: ask the operator of this platform\n");
    let audit = setup.first_audit().await;
    assert_eq!((audit.owner.as_str(), audit.repo.as_str(), audit.sha.len()), ("mallory", "Hello-World", 40));
    assert_eq!((audit.actor.as_str(), audit.call_id.as_str()), ("Codertocat", DELIVERY));
    assert_eq!(audit.owner_id, None, "who is no tenant has no trail");
    let git = PUSH.replace("\"login\": \"Codertocat\"", "\"login\": \"git\"");
    let (status, text) = setup.send(signed("push", &git, "now"), git.clone()).await;
    assert_eq!(
        (status, text.as_str()),
        (StatusCode::FORBIDDEN, "'git' is a name of the platform and cannot deploy here\n")
    );
    assert!(setup.nothing_was_queued());
}

#[tokio::test]
async fn a_tenant_with_an_account_on_the_list_is_nobody_else_who_has_the_login() {
    let setup = setup(&[]).await;
    setup.list_tenants("codertocat github.com/9");
    let (status, text) = setup.send(signed("push", PUSH, "now"), PUSH).await;
    let sentence = "'codertocat' is another account's name on the tenant list: ask the operator of this platform\n";
    assert_eq!((status, text.as_str()), (StatusCode::FORBIDDEN, sentence));
    assert_eq!(setup.first_audit().await.owner, "codertocat");
    assert!(setup.nothing_was_queued());
    setup.list_tenants("codertocat github.com/21031067");
    assert_eq!(setup.send(signed("push", PUSH, "now"), PUSH).await.0, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn pushes_without_meaning_are_taken_and_not_acted_on() {
    let setup = setup(&[]).await;
    let tag = sample(include_str!("../data/published/push.jsonl"), |push| push["ref"] == "refs/tags/simple-tag");
    let (status, text) = setup.post("push", &tag).await;
    let sentence = "refs/tags/simple-tag is no branch: nothing to do";
    assert_eq!((status, text), (StatusCode::ACCEPTED, format!("{sentence}\n")));
    let audit = setup.first_audit().await;
    assert_eq!(
        (audit.message.as_str(), audit.owner.as_str(), audit.repo.as_str()),
        (sentence, "codertocat", "Hello-World")
    );
    assert_eq!((audit.actor.as_str(), audit.call_id.as_str()), ("Codertocat", DELIVERY));
    assert_eq!(audit.owner_id, Some(OwnerId { host: "github.com".to_owned(), id: 21_031_067 }));
    let mut profile = sample(include_str!("../data/published/push.jsonl"), |push| push["ref"] == "refs/heads/master");
    profile["repository"]["name"] = ".github".into();
    let (status, text) = setup.post("push", &profile).await;
    assert_eq!(
        (status, text.as_str()),
        (StatusCode::ACCEPTED, "a repository named .github is not deployed: nothing to do\n")
    );
    assert!(setup.nothing_was_queued());
}

#[tokio::test]
async fn malformed_pushes_are_refused_by_the_fields_name() {
    let setup = setup(&[]).await;
    let bad = PUSH.replace("\"after\": \"6113728", "\"after\": \"xyz");
    let (status, text) = setup.send(signed("push", &bad, "now"), bad.clone()).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(text.starts_with("the webhook is not understood: after: "), "{text}");
}

#[tokio::test]
async fn a_form_is_refused_with_the_remedy() {
    let setup = setup(&[]).await;
    let request = Request::post("/")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("x-github-event", "push")
        .header("x-hub-signature-256", sha256_header(&"now".into(), b"payload=%7B%7D"));
    let (status, text) = setup.send(request, "payload=%7B%7D").await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(text.contains("choose application/json"), "{text}");
}

#[tokio::test]
async fn bodies_over_the_limit_are_refused_announced_or_not() {
    let setup = setup(&[("max_webhook_mb", "1")]).await;
    let large = "x".repeat((1 << 20) + 1);
    assert_eq!(setup.send(signed("push", &large, "now"), large.clone()).await.0, StatusCode::PAYLOAD_TOO_LARGE);
    let unannounced = Request::post("/").header("x-github-event", "push");
    assert_eq!(setup.send(unannounced, large).await.0, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn a_queue_that_does_not_take_the_push_is_said_to_the_sender() {
    let setup = setup(&[]).await;
    setup.gateway.refuse_next("POST /async-function/github-push", StatusCode::INSUFFICIENT_STORAGE, "disk full");
    let (status, text) = setup.send(signed("push", PUSH, "now"), PUSH).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert_eq!(text, "the webhook could not be queued: send it again in a minute\n");
    assert_eq!(setup.send(signed("push", PUSH, "now"), PUSH).await.0, StatusCode::ACCEPTED);
}

#[test]
fn every_problem_of_the_configuration_is_named() {
    let env = sdk::Env::from_map([("github_url", "ftp://x"), ("max_webhook_mb", "much")], [("x", "y")]);
    let error = github_event::router(&env).unwrap_err();
    let names: Vec<_> = error.problems().iter().map(|problem| problem.name.as_str()).collect();
    let expected =
        ["gateway_url", "payload-secret", "customers_path", "github_url", "github-webhook-secret", "max_webhook_mb"];
    assert_eq!(names, expected);
}
