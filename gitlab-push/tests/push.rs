//! Pushes against the whole function, with a gateway that keeps what it is sent. The gate itself is tried with
//! `github-push`, which is the same code.

use axum::Router;
use http::StatusCode;
use sdk::audit::AuditEvent;
use sdk::event::{PushEvent, Scm};
use sdk::fake_gateway::FakeGateway;
use sdk::status::{State, Status};
use tower::ServiceExt;

#[expect(clippy::unwrap_used, reason = "test helper")]
fn push(branch: &str) -> PushEvent {
    PushEvent {
        scm: Scm::Gitlab,
        host: "gitlab.example".to_owned(),
        owner: "acme-team".parse().unwrap(),
        owner_id: 7,
        repo: "hello".parse().unwrap(),
        repo_id: 9,
        path: Some("Acme/team/hello".parse().unwrap()),
        private: true,
        branch: branch.to_owned(),
        default_branch: "main".to_owned(),
        sha: "6113728f27ae82c7b1a177c8d03f9e96e0adf246".parse().unwrap(),
        html_url: "https://gitlab.example/Acme/team/hello".to_owned(),
        installation: 0,
        pusher: "alice".to_owned(),
        pinned: false,
        asked_at: None,
        rebuild: false,
        restart: Vec::new(),
    }
}

#[expect(clippy::unwrap_used, reason = "test helper")]
async fn setup(vars: &[(&str, &str)]) -> (FakeGateway, Router) {
    let gateway = FakeGateway::start().await;
    let router = gitlab_push::router(&gateway.env(vars, &[])).unwrap();
    (gateway, router)
}

async fn send(gateway: &FakeGateway, router: &Router, event: &PushEvent) -> StatusCode {
    router.clone().oneshot(gateway.signed("gitlab-push", event, "call-1")).await.unwrap().status()
}

#[expect(clippy::unwrap_used, reason = "test helper")]
fn last_status(gateway: &FakeGateway) -> Status {
    gateway.messages("gitlab-status").last().unwrap().read()
}

#[tokio::test]
async fn a_push_of_the_default_branch_goes_to_git_tar_as_it_is_and_gitlab_is_told() {
    let (gateway, router) = setup(&[]).await;
    assert_eq!(send(&gateway, &router, &push("main")).await, StatusCode::ACCEPTED);
    let queued = gateway.messages("git-tar");
    assert_eq!((queued.len(), queued[0].call.as_str(), queued[0].queued), (1, "call-1", true));
    assert_eq!(queued[0].read::<PushEvent>(), push("main"));
    let status = last_status(&gateway);
    assert_eq!((status.scm, status.repo_id, status.state), (Scm::Gitlab, 9, State::Queued));
    assert!(gateway.messages("github-status").is_empty());
    let audit: AuditEvent = gateway.messages("audit-event")[0].read();
    assert_eq!((audit.source.as_str(), audit.owner.as_str()), ("gitlab-push", "acme-team"));
}

/// S41: the last part of a branch's name is not the branch.
#[tokio::test]
async fn s41_whole_branch_names_are_compared_and_others_are_never_failures() {
    let (gateway, router) = setup(&[("build_branch", "live")]).await;
    for branch in ["main", "evil/live", "Live", "live/x"] {
        assert_eq!(send(&gateway, &router, &push(branch)).await, StatusCode::OK, "{branch}");
        assert_eq!(last_status(&gateway).state, State::Neutral, "{branch}");
    }
    assert!(gateway.messages("git-tar").is_empty());
    assert_eq!(send(&gateway, &router, &push("live")).await, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn neither_a_status_that_fails_nor_a_queue_that_is_full_loses_the_push() {
    let (gateway, router) = setup(&[]).await;
    gateway.refuse_next("POST /function/gitlab-status", StatusCode::BAD_GATEWAY, "GitLab is away");
    gateway.refuse_next("POST /async-function/git-tar", StatusCode::INSUFFICIENT_STORAGE, "disk full");
    assert_eq!(send(&gateway, &router, &push("main")).await, StatusCode::BAD_GATEWAY, "worth another try");
    assert_eq!(send(&gateway, &router, &push("main")).await, StatusCode::ACCEPTED);
    assert_eq!(gateway.messages("git-tar").len(), 1);
}

/// S22: a message is for one function only.
#[tokio::test]
async fn s22_messages_that_are_unsigned_or_for_github_push_are_refused() {
    let (gateway, router) = setup(&[]).await;
    let unsigned = http::Request::post("/").body(serde_json::to_string(&push("main")).unwrap()).unwrap();
    assert_eq!(router.clone().oneshot(unsigned).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let for_another = gateway.signed("github-push", &push("main"), "call-1");
    assert_eq!(router.oneshot(for_another).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert!(gateway.messages("git-tar").is_empty());
}
