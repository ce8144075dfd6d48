//! From the image to a function that serves.

use http::StatusCode;
use sdk::deploy::OrderImage;
use sdk::labels;

use crate::setup::{deployed, order, setup, setup_with};

#[tokio::test]
async fn the_trail_is_told_and_only_git_tar_tells_the_author() {
    let setup = setup().await;
    assert_eq!(setup.ship(&order()).await.0, StatusCode::OK);
    let audit: sdk::audit::AuditEvent = setup.gateway.messages("audit-event")[0].read();
    assert!(audit.message.starts_with("deployed greet as alice/hello-greet@sha256:"), "{}", audit.message);
    let event = order().event;
    let told = (audit.owner.as_str(), audit.repo.as_str(), audit.sha.as_str(), audit.actor.as_str());
    assert_eq!(told, ("alice", "hello", event.sha.as_str(), "alice"));
    assert_eq!((audit.source.as_str(), audit.call_id.as_str()), ("buildshiprun", "call-1"));
    assert_eq!((audit.owner_id, audit.function.as_str()), (Some(event.owner_id()), "greet"));
    assert!(setup.gateway.messages("github-status").is_empty());
}

#[tokio::test]
async fn the_owners_own_function_is_replaced_with_right_labels() {
    let setup = setup().await;
    setup.gateway.put_function(deployed("7", "hello"));
    assert_eq!(setup.ship(&order()).await.0, StatusCode::OK);
    let function = setup.gateway.function("alice-greet").unwrap();
    assert!(function.image.starts_with("alice/hello-greet@sha256:"));
    assert_eq!(function.labels[labels::GIT_OWNER_ID], "7");
    assert_eq!(function.labels[labels::GIT_REPO_ID], "9");
    assert_eq!(function.labels[labels::BUILD_DIGEST], "b".repeat(40));
    assert!(function.read_only_root_filesystem);
}

#[tokio::test]
async fn the_same_order_twice_ends_as_one() {
    let setup = setup().await;
    assert_eq!(setup.ship(&order()).await.0, StatusCode::OK);
    let first = setup.gateway.function("alice-greet");
    assert_eq!(setup.ship(&order()).await.0, StatusCode::OK);
    assert_eq!(setup.gateway.function("alice-greet"), first);
}

#[tokio::test]
async fn a_gateway_that_answers_at_once_is_asked_until_the_version_serves() {
    let setup = setup().await;
    setup.gateway.become_ready_after(3);
    assert_eq!(setup.ship(&order()).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_version_that_does_not_become_ready_is_a_failure() {
    let setup = setup_with(&[("ready_timeout", "100ms")]).await;
    setup.gateway.become_ready_after(u32::MAX);
    let (status, text) = setup.ship(&order()).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(text.starts_with("the function was not ready within"), "{text}");
}

#[tokio::test]
async fn the_gateways_reason_and_the_containers_last_lines_are_shown() {
    let setup = setup().await;
    let text = "the function alice-greet ended with exit code 1 before it was ready; the end of its log:\nTraceback\nImportError: x";
    setup.gateway.refuse_next("PUT /system/functions", StatusCode::UNPROCESSABLE_ENTITY, text);
    let sentence = "the function alice-greet ended with exit code 1 before it was ready";
    let (status, refused) = setup.refused(&order()).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!((refused.error.as_str(), refused.log.as_str()), (sentence, "Traceback\nImportError: x"));
}

#[tokio::test]
async fn what_the_gateway_refuses_is_final_and_what_it_cannot_do_is_not() {
    for (answer, code, sentence) in [
        (StatusCode::CONFLICT, StatusCode::CONFLICT, "the reason"),
        (StatusCode::BAD_REQUEST, StatusCode::UNPROCESSABLE_ENTITY, "the reason"),
        (StatusCode::UNAUTHORIZED, StatusCode::BAD_GATEWAY, "the gateway does not accept this platform's credentials"),
        (StatusCode::TOO_MANY_REQUESTS, StatusCode::BAD_GATEWAY, "the gateway is busy"),
        (StatusCode::SERVICE_UNAVAILABLE, StatusCode::BAD_GATEWAY, "the gateway could not deploy the function"),
    ] {
        let setup = setup().await;
        setup.gateway.refuse_next("PUT /system/functions", answer, "the reason");
        assert_eq!(setup.ship(&order()).await, (code, sentence.to_owned()));
        assert!(setup.gateway.function_names().is_empty());
    }
}

#[tokio::test]
async fn a_gateway_that_does_not_say_who_holds_the_name_stops_the_order() {
    let setup = setup().await;
    setup.gateway.refuse_next("GET /system/function/alice-greet", StatusCode::INTERNAL_SERVER_ERROR, "engine away");
    let sentence = "the gateway does not say whether the function exists";
    assert_eq!(setup.ship(&order()).await, (StatusCode::BAD_GATEWAY, sentence.to_owned()));
    assert!(setup.builder.archives().is_empty());
}

#[tokio::test]
async fn a_restart_keeps_the_time_and_brings_nothing_back() {
    let setup = setup().await;
    let restart = || {
        let mut order = order();
        order.event.restart = vec![order.function.clone()];
        order.image = OrderImage::Existing("alice/hello-greet@sha256:1".to_owned());
        order.deploy_digest = "e".repeat(40);
        order
    };
    let (status, text) = setup.ship(&restart()).await;
    assert_eq!(
        (status, text.as_str()),
        (StatusCode::UNPROCESSABLE_ENTITY, "it is not deployed any more: nothing to restart")
    );
    assert!(setup.gateway.function_names().is_empty());
    let mut deployed = deployed("7", "hello");
    deployed.labels.insert(labels::GIT_DEPLOY_TIME.to_owned(), "12345".to_owned());
    setup.gateway.put_function(deployed);
    assert_eq!(setup.ship(&restart()).await.0, StatusCode::OK);
    let function = setup.gateway.function("alice-greet").unwrap();
    assert_eq!(
        (function.labels[labels::GIT_DEPLOY_TIME].as_str(), function.image.as_str()),
        ("12345", "alice/hello-greet@sha256:1")
    );
    assert_eq!(function.labels[labels::DEPLOY_DIGEST], "e".repeat(40));
    assert!(setup.builder.archives().is_empty());
}
