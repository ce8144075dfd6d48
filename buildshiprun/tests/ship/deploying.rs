//! From the image to a function that serves.

use http::StatusCode;
use sdk::labels;
use sdk::status::State;

use crate::setup::{deployed, order, setup, setup_with};

#[tokio::test]
async fn the_author_sees_each_step_and_the_address() {
    let setup = setup().await;
    assert_eq!(setup.ship(&order()).await.0, StatusCode::OK);
    let statuses = setup.statuses();
    let seen: Vec<_> = statuses.iter().map(|status| (status.context.as_str(), status.state)).collect();
    assert_eq!(seen, [("greet", State::InProgress), ("greet", State::Success)]);
    assert!(statuses[0].title.starts_with("built in ") && statuses[0].title.ends_with(" s"), "{}", statuses[0].title);
    assert_eq!(statuses[1].title, "live at http://alice.localhost:8000/greet");
    assert_eq!(statuses[1].url.as_deref(), Some("http://alice.localhost:8000/greet"));
    assert!(setup.audits()[0].starts_with("deployed greet as alice/hello-greet@sha256:"));
}

#[tokio::test]
async fn the_owners_own_function_is_replaced_with_right_labels() {
    let setup = setup().await;
    setup.gateway.put_function(deployed("7", "hello"));
    assert_eq!(setup.ship(&order()).await.0, StatusCode::OK);
    let function = setup.gateway.function("alice-greet").unwrap();
    assert!(function.image.starts_with("alice/hello-greet@sha256:"));
    assert_eq!(function.labels[labels::GIT_OWNER_ID], "7");
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
    assert_eq!(setup.last_status().unwrap().state, State::Failure);
}

#[tokio::test]
async fn the_gateways_reason_and_the_containers_last_lines_are_shown() {
    let setup = setup().await;
    let text = "the function alice-greet ended with exit code 1 before it was ready; the end of its log:\nTraceback\nImportError: x";
    setup.gateway.refuse_next("PUT /system/functions", StatusCode::UNPROCESSABLE_ENTITY, text);
    let sentence = "the function alice-greet ended with exit code 1 before it was ready";
    assert_eq!(setup.ship(&order()).await, (StatusCode::UNPROCESSABLE_ENTITY, format!("{sentence}\n")));
    let status = setup.last_status().unwrap();
    assert_eq!((status.title.as_str(), status.log.as_str()), (sentence, "Traceback\nImportError: x"));
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
        assert_eq!(setup.ship(&order()).await, (code, format!("{sentence}\n")));
        assert!(setup.gateway.function_names().is_empty());
        assert_eq!(setup.last_status().unwrap().state, State::Failure);
    }
}

#[tokio::test]
async fn a_gateway_that_does_not_say_who_holds_the_name_stops_the_order() {
    let setup = setup().await;
    setup.gateway.refuse_next("GET /system/function/alice-greet", StatusCode::INTERNAL_SERVER_ERROR, "engine away");
    let sentence = "the gateway does not say whether the function exists\n";
    assert_eq!(setup.ship(&order()).await, (StatusCode::BAD_GATEWAY, sentence.to_owned()));
    assert!(setup.builder.archives().is_empty());
}

#[tokio::test]
async fn statuses_that_cannot_be_sent_do_not_stop_the_order() {
    let setup = setup().await;
    for _ in 0..2 {
        setup.gateway.refuse_next("POST /function/github-status", StatusCode::BAD_GATEWAY, "GitHub is away");
    }
    assert_eq!(setup.ship(&order()).await.0, StatusCode::OK);
}
