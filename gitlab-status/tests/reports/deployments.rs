//! Deployments and their environment.

use gitlab_api::fake::Fault;
use http::StatusCode;
use sdk::status::{STACK_CONTEXT, State, Status};

use crate::setup::{SHA, Setup, live, router, setup, setup_with, status};

fn statuses(setup: &Setup) -> Vec<String> {
    let of = setup.gitlab.deployments().into_iter();
    of.map(|deployment| deployment["status"].as_str().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn the_stack_is_a_deployment_to_an_environment_with_its_address() {
    let setup = setup_with(&[("environment", "live/openfaas")]).await;
    setup.report("greet", &[State::InProgress, State::Success]).await;
    assert!(setup.gitlab.deployments().is_empty(), "only the stack is one");
    setup.report(STACK_CONTEXT, &[State::Queued, State::InProgress]).await;
    let deployment = &setup.gitlab.deployments()[0];
    assert_eq!(
        (deployment["sha"].as_str(), deployment["ref"].as_str(), deployment["tag"].as_bool()),
        (Some(SHA), Some("main"), Some(false))
    );
    assert_eq!(
        (deployment["environment"].as_str(), deployment["status"].as_str()),
        (Some("live/openfaas"), Some("running"))
    );
    let functions = vec![live("greet", "https://acme-team.example.com/greet")];
    let done = Status { functions, ..status(STACK_CONTEXT, State::Success, 9) };
    assert_eq!(setup.send(&done).await.0, StatusCode::OK);
    assert_eq!(statuses(&setup), ["success"]);
    assert_eq!(setup.gitlab.environments()[0]["external_url"], "https://acme-team.example.com/greet");
}

#[tokio::test]
async fn an_environment_follows_its_stack_and_is_asked_about_once() {
    let setup = setup_with(&[]).await;
    setup.report(STACK_CONTEXT, &[State::Success]).await;
    let environment = || setup.gitlab.environments()[0].clone();
    assert_eq!(
        (environment()["name"].as_str(), environment()["external_url"].as_str()),
        (Some("production"), Some("https://system.example.com/dashboard/acme-team"))
    );
    setup.gitlab.requests();
    let next = Status { sha: "b".repeat(40).parse().unwrap(), ..status(STACK_CONTEXT, State::Success, 2) };
    assert_eq!(setup.send(&next).await.0, StatusCode::OK);
    assert!(!setup.gitlab.requests().iter().any(|request| request.contains("environments")));
    let moved = Status {
        sha: "c".repeat(40).parse().unwrap(),
        functions: vec![live("a", "https://acme-team.example.com/a")],
        ..next
    };
    assert_eq!(setup.send(&moved).await.0, StatusCode::OK);
    assert_eq!(environment()["external_url"], "https://acme-team.example.com/a");
    assert_eq!(setup.gitlab.environments().len(), 1);
}

#[tokio::test]
async fn failures_and_superseded_pushes_end_their_deployments_and_re_runs_begin_new_ones() {
    let setup = setup_with(&[]).await;
    setup
        .report(
            STACK_CONTEXT,
            &[State::InProgress, State::Failure, State::InProgress, State::InProgress, State::Neutral],
        )
        .await;
    assert_eq!(statuses(&setup), ["failed", "canceled"]);
    assert!(setup.gitlab.environments()[0]["external_url"].is_null(), "nothing is live");
    let other_branch = Status { sha: "b".repeat(40).parse().unwrap(), ..status(STACK_CONTEXT, State::Neutral, 1) };
    assert_eq!(setup.send(&other_branch).await.0, StatusCode::OK);
    assert_eq!(statuses(&setup).len(), 2, "nothing was to be deployed");
}

#[tokio::test]
async fn a_deployment_is_found_again_after_a_restart() {
    let setup = setup_with(&[]).await;
    setup.report(STACK_CONTEXT, &[State::InProgress]).await;
    let setup = Setup { router: router(&setup.gateway, &setup.gitlab, &[]), ..setup };
    setup.report(STACK_CONTEXT, &[State::InProgress, State::Success]).await;
    assert_eq!(statuses(&setup), ["success"]);
}

#[tokio::test]
async fn deployments_can_be_turned_off() {
    let setup = setup().await;
    setup.report(STACK_CONTEXT, &[State::InProgress, State::Success]).await;
    assert!(setup.gitlab.deployments().is_empty() && setup.gitlab.environments().is_empty());
}

#[tokio::test]
async fn a_deployment_that_gitlab_does_not_take_never_fails_the_status() {
    let setup = setup_with(&[]).await;
    let route = "GET projects/15/deployments";
    let forbidden = Fault::new(StatusCode::FORBIDDEN, r#"{"message":"403 Forbidden"}"#);
    setup.gitlab.fail_next(route, forbidden.clone());
    setup.report(STACK_CONTEXT, &[State::InProgress]).await;
    setup.gitlab.fail_next(route, forbidden);
    assert_eq!(setup.send(&status(STACK_CONTEXT, State::Success, 2)).await.0, StatusCode::OK);
    assert_eq!(setup.histories(STACK_CONTEXT), ["running success"]);
    // What may be better at the next try is tried again, and the commit's status is not told twice for it.
    let put = "GET projects/15/environments";
    for _ in 0..3 {
        setup.gitlab.fail_next(put, Fault::new(StatusCode::BAD_GATEWAY, ""));
    }
    let last = status(STACK_CONTEXT, State::Success, 3);
    assert_eq!(setup.send(&last).await.0, StatusCode::BAD_GATEWAY);
    assert_eq!(setup.send(&last).await.0, StatusCode::OK);
    assert_eq!(setup.histories(STACK_CONTEXT), ["running success", "success"]);
    assert_eq!(statuses(&setup), ["success"]);
}
