//! What GitHub does not take, and what the caller is told: 4xx is final, 5xx is worth another try.

use axum::Router;
use github_app::fake_github::{FakeGithub, Refusal};
use http::StatusCode;
use sdk::fake_gateway::PAYLOAD_SECRET;
use sdk::status::{State, Status};
use serde_json::Value;
use tower::ServiceExt;

use super::{Lab, REPORTED, send, status};

const FIND: &str = "GET /repos/{owner}/{repo}/commits/{ref}/check-runs";
const MAKE: &str = "POST /repos/{owner}/{repo}/check-runs";
const CHANGE: &str = "PATCH /repos/{owner}/{repo}/check-runs/{check_run_id}";

fn greet(state: State) -> Status {
    status("greet", state, "a title")
}

#[tokio::test]
async fn a_lost_answer_makes_no_second_run() {
    let lab = Lab::start(&[]).await;
    lab.github.refuse_next(MAKE, Refusal::new(StatusCode::BAD_GATEWAY, "lost").after_the_work());
    lab.told("call-1", &[greet(State::InProgress)]).await;
    lab.github.refuse_next(MAKE, Refusal::new(StatusCode::BAD_GATEWAY, "nothing was done"));
    lab.told("call-1", &[status("count", State::InProgress, "building")]).await;
    let names: Vec<Value> = lab.github.runs().iter().map(|run| run["name"].clone()).collect();
    assert_eq!(names, ["greet", "count"]);
}

#[tokio::test]
async fn a_lost_answer_to_a_change_leaves_no_annotation_twice() {
    let lab = Lab::start(&[]).await;
    lab.told("call-1", &[greet(State::InProgress)]).await;
    lab.github.refuse_next(CHANGE, Refusal::new(StatusCode::GATEWAY_TIMEOUT, "lost").after_the_work());
    let remark =
        sdk::status::Annotation { path: "stack.yml".to_owned(), line: 3, message: "no such template".to_owned() };
    lab.told("call-1", &[greet(State::Failure).with_annotations([remark])]).await;
    assert_eq!((&lab.run(0)["output"]["annotations_count"], &lab.run(0)["conclusion"]), (&1.into(), &"failure".into()));
}

#[tokio::test]
async fn a_github_that_is_down_is_worth_another_try() {
    let lab = Lab::start(&[]).await;
    for _ in 0..3 {
        lab.github.refuse_next(FIND, Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "a secret of GitHub's"));
    }
    let (code, text) = lab.send(&greet(State::Success)).await;
    assert_eq!((code, text.as_str()), (StatusCode::BAD_GATEWAY, "the status could not be reported\n"));
    lab.told("call-1", &[greet(State::Success)]).await;
    assert_eq!(lab.github.runs().len(), 1);
    let nobody = Lab::start(&[("github_api_url", "http://127.0.0.1:1/api/v3")]).await;
    assert_eq!(nobody.send(&greet(State::Success)).await.0, StatusCode::BAD_GATEWAY);
}

#[tokio::test]
async fn a_refusal_is_final_and_says_what_to_do() {
    let lab = Lab::start(&[]).await;
    for (route, status) in
        [(FIND, StatusCode::NOT_FOUND), (MAKE, StatusCode::UNPROCESSABLE_ENTITY), (MAKE, StatusCode::FORBIDDEN)]
    {
        lab.github.refuse_next(route, Refusal::new(status, "a word of GitHub's"));
        let (code, text) = lab.send(&greet(State::Success)).await;
        assert_eq!(code, StatusCode::UNPROCESSABLE_ENTITY);
        assert!(text.starts_with("GitHub does not take the status") && !text.contains("GitHub's"), "{text}");
    }
    lab.github.withdraw("checks");
    let (code, text) = Lab::start(&[]).await.send(&Status { installation: 5, ..greet(State::Success) }).await;
    assert_eq!((code, text.as_str()), (StatusCode::UNPROCESSABLE_ENTITY, "GitHub does not take the status\n"));
    let (code, _) = lab.send(&Status { installation: 0, ..greet(State::Success) }).await;
    assert_eq!(code, StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn a_missing_permission_is_named() {
    let lab = Lab::start(&[]).await;
    lab.github.withdraw("checks");
    let (code, text) = lab.send(&greet(State::Success)).await;
    assert_eq!(code, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(text.contains("the App needs the permission Checks (read and write)"), "{text}");
}

#[tokio::test]
async fn a_last_word_waits_in_the_queue_until_github_wants_it() {
    let mut lab = Lab::start(&[]).await;
    lab.told("call-1", &[greet(State::InProgress)]).await;
    let limit = || Refusal::new(StatusCode::FORBIDDEN, "You have exceeded a secondary rate limit");
    lab.github.refuse_next(CHANGE, limit());
    let (code, text) = lab.send(&greet(State::Success)).await;
    assert_eq!((code, text.as_str()), (StatusCode::ACCEPTED, "put off: GitHub wants no reports for a while\n"));
    let waiting = lab.gateway.messages("github-status");
    assert_eq!((waiting.len(), waiting[0].queued), (1, true));
    assert!(waiting[0].call.starts_with("call-1."), "an id of its own: {}", waiting[0].call);
    let message: Value = waiting[0].read();

    // The queue brings it too early and is told when, and then in time.
    let early = lab.gateway.signed("github-status", &message, &waiting[0].call);
    let response = lab.router.clone().oneshot(early).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    let after: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((30..=60).contains(&after), "{after}");
    assert_eq!(lab.gateway.messages("github-status").len(), 1, "it waits once");
    lab.restart();
    let (code, text) = send(&lab.gateway, &lab.router, &waiting[0].call, &message).await;
    assert_eq!((code, text.as_str()), REPORTED);
    assert_eq!((lab.github.runs().len(), &lab.run(0)["conclusion"]), (1, &"success".into()));
}

#[tokio::test]
async fn what_is_replaced_soon_does_not_wait() {
    let lab = Lab::start(&[]).await;
    lab.github.refuse_next(FIND, Refusal::new(StatusCode::TOO_MANY_REQUESTS, "slow down").header("retry-after", 600));
    assert_eq!(lab.send(&greet(State::InProgress)).await.0, StatusCode::SERVICE_UNAVAILABLE);
    assert!(lab.gateway.messages("github-status").is_empty());
}

#[tokio::test]
async fn without_a_gateway_a_last_word_is_tried_by_its_caller() {
    let lab = Lab::start(&[("gateway_url", "")]).await;
    lab.github.refuse_next(FIND, Refusal::new(StatusCode::TOO_MANY_REQUESTS, "slow down").header("retry-after", 600));
    assert_eq!(lab.send(&greet(State::Success)).await.0, StatusCode::SERVICE_UNAVAILABLE);
}

#[tokio::test]
async fn a_status_of_another_host_is_not_passed_on() {
    let lab = Lab::start(&[]).await;
    let foreign = Status { host: "evil.example".to_owned(), ..greet(State::Queued) };
    assert_eq!(lab.send(&foreign).await, (StatusCode::OK, "logged\n".to_owned()));
    assert!(lab.github.calls().is_empty());
}

#[tokio::test]
async fn an_unsigned_status_is_refused() {
    let github = FakeGithub::start().await;
    let mut secrets = github.app_secrets();
    secrets.push(("payload-secret".to_owned(), PAYLOAD_SECRET.to_owned()));
    let router: Router = github_status::router(&sdk::Env::from_map(github.app_vars(), secrets)).unwrap();
    let body = serde_json::to_string(&greet(State::Success)).unwrap();
    let unsigned = http::Request::post("/").body(axum::body::Body::from(body)).unwrap();
    assert_eq!(router.oneshot(unsigned).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert!(github.calls().is_empty());
}
