//! Pushes against the whole function, with a gateway that keeps what it is sent.

use axum::Router;
use http::StatusCode;
use sdk::audit::AuditEvent;
use sdk::event::PushEvent;
use sdk::fake_gateway::FakeGateway;
use sdk::status::{State, Status};
use tower::ServiceExt;

#[expect(clippy::unwrap_used, reason = "test helper")]
fn push(branch: &str) -> PushEvent {
    PushEvent {
        scm: sdk::event::Scm::Github,
        host: "git.localhost".to_owned(),
        owner: "alice".parse().unwrap(),
        owner_id: 7,
        repo: "hello".parse().unwrap(),
        repo_id: 9,
        path: None,
        private: false,
        branch: branch.to_owned(),
        default_branch: "main".to_owned(),
        sha: "6113728f27ae82c7b1a177c8d03f9e96e0adf246".parse().unwrap(),
        html_url: "http://git.localhost/alice/hello".to_owned(),
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
    let router = github_push::router(&gateway.env(vars, &[])).unwrap();
    (gateway, router)
}

#[expect(clippy::unwrap_used, reason = "test helper")]
async fn send(gateway: &FakeGateway, router: &Router, event: &PushEvent) -> (StatusCode, String) {
    let response = router.clone().oneshot(gateway.signed("github-push", event, "call-1")).await.unwrap();
    let status = response.status();
    let text = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(text.to_vec()).unwrap())
}

fn statuses(gateway: &FakeGateway) -> Vec<Status> {
    gateway.messages("github-status").iter().map(sdk::fake_gateway::Message::read).collect()
}

#[tokio::test]
async fn a_push_of_the_default_branch_goes_to_git_tar_under_the_same_call() {
    let (gateway, router) = setup(&[]).await;
    assert_eq!(send(&gateway, &router, &push("main")).await.0, StatusCode::ACCEPTED);
    let queued = gateway.messages("git-tar");
    assert_eq!((queued.len(), queued[0].call.as_str(), queued[0].queued), (1, "call-1", true));
    assert_eq!(queued[0].read::<PushEvent>(), push("main"));
    let status = &statuses(&gateway)[0];
    assert_eq!((status.context.as_str(), status.state), ("stack-deploy", State::Queued));
    let audit: AuditEvent = gateway.messages("audit-event")[0].read();
    assert_eq!((audit.source.as_str(), audit.message.as_str()), ("github-push", "deployment of main queued"));
}

#[tokio::test]
async fn the_same_message_twice_is_one_job() {
    let (gateway, router) = setup(&[]).await;
    for _ in 0..2 {
        assert_eq!(send(&gateway, &router, &push("main")).await.0, StatusCode::ACCEPTED);
    }
    assert_eq!(gateway.messages("git-tar").len(), 1);
}

#[tokio::test]
async fn other_branches_get_a_neutral_status_and_nothing_else() {
    let (gateway, router) = setup(&[]).await;
    for branch in ["dev", "evil/main", "Main"] {
        let sentence = format!("skipping build for refs/heads/{branch}: the build branch is main");
        assert_eq!(send(&gateway, &router, &push(branch)).await, (StatusCode::OK, sentence.clone() + "\n"));
        let status = statuses(&gateway).pop().unwrap();
        assert_eq!((status.state, status.title), (State::Neutral, sentence));
    }
    assert!(gateway.messages("git-tar").is_empty());
    assert_eq!(gateway.messages("audit-event").len(), 3);
}

#[tokio::test]
async fn the_operators_build_branch_wins_over_the_default() {
    let (gateway, router) = setup(&[("build_branch", "live")]).await;
    assert_eq!(send(&gateway, &router, &push("live")).await.0, StatusCode::ACCEPTED);
    let (status, text) = send(&gateway, &router, &push("main")).await;
    assert_eq!(
        (status, text.as_str()),
        (StatusCode::OK, "skipping build for refs/heads/main: the build branch is live\n")
    );
}

#[tokio::test]
async fn a_commit_that_was_asked_for_by_itself_passes_whatever_its_branch() {
    let (gateway, router) = setup(&[("build_branch", "live")]).await;
    let pinned = PushEvent { pinned: true, ..push("feature/x") };
    assert_eq!(send(&gateway, &router, &pinned).await.0, StatusCode::ACCEPTED);
    assert_eq!(gateway.messages("git-tar")[0].read::<PushEvent>(), pinned);
}

#[tokio::test]
async fn a_queue_that_does_not_take_the_push_is_worth_another_try_and_leaves_no_status_pending() {
    let (gateway, router) = setup(&[]).await;
    gateway.refuse_next("POST /async-function/git-tar", StatusCode::INSUFFICIENT_STORAGE, "disk full");
    assert_eq!(send(&gateway, &router, &push("main")).await.0, StatusCode::BAD_GATEWAY);
    let last = statuses(&gateway).pop().unwrap();
    assert_eq!(last.state, State::Failure);
    assert_eq!(last.title, "the push could not be queued for git-tar; it will be tried again");
    let audit: AuditEvent = gateway.messages("audit-event").last().unwrap().read();
    assert_eq!(audit.message, "the push could not be queued for git-tar");
    let told = (audit.owner.as_str(), audit.repo.as_str(), audit.sha.as_str(), audit.actor.as_str());
    assert_eq!(told, ("alice", "hello", push("main").sha.as_str(), "alice"));
    assert_eq!(audit.call_id, "call-1");
    assert_eq!(send(&gateway, &router, &push("main")).await.0, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_status_that_cannot_be_sent_does_not_stop_the_push() {
    let (gateway, router) = setup(&[]).await;
    gateway.refuse_next("POST /function/github-status", StatusCode::BAD_GATEWAY, "GitHub is away");
    assert_eq!(send(&gateway, &router, &push("main")).await.0, StatusCode::ACCEPTED);
    assert_eq!(gateway.messages("git-tar").len(), 1);
}

#[tokio::test]
async fn unsigned_messages_and_those_for_others_are_refused() {
    let (gateway, router) = setup(&[]).await;
    let unsigned = http::Request::post("/").body(serde_json::to_string(&push("main")).unwrap()).unwrap();
    assert_eq!(router.clone().oneshot(unsigned).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    let for_another = gateway.signed("git-tar", &push("main"), "call-1");
    assert_eq!(router.oneshot(for_another).await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert!(gateway.messages("git-tar").is_empty());
}

/// A status function that does not answer until it is let go.
#[expect(clippy::unwrap_used, reason = "test helper")]
async fn held_up(gateway: &FakeGateway) -> (String, std::sync::Arc<tokio::sync::Semaphore>) {
    let leave = std::sync::Arc::new(tokio::sync::Semaphore::new(0));
    let inner = gateway.vars(&[])[0].1.clone();
    let wait = std::sync::Arc::clone(&leave);
    let pass = async move |request: axum::extract::Request| {
        if request.uri().path() == "/function/github-status" {
            wait.acquire().await.unwrap().forget();
        }
        let (head, body) = request.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let url = format!("{}{}", inner.trim_end_matches('/'), head.uri.path());
        let mut onward = sdk::http::client().request(head.method, url).body(body);
        for (name, value) in head.headers.iter().filter(|(name, _)| !matches!(name.as_str(), "host" | "content-length"))
        {
            onward = onward.header(name, value);
        }
        onward.send().await.unwrap().status()
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let routes = Router::new().fallback(pass);
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (url, leave)
}

#[tokio::test]
async fn a_host_that_is_slow_with_statuses_does_not_hold_up_the_push() {
    let gateway = FakeGateway::start().await;
    let (url, leave) = held_up(&gateway).await;
    let env = sdk::Env::from_map([("gateway_url", url)], gateway.secrets(&[]));
    let router = github_push::router(&env).unwrap();
    let sent = tokio::spawn({
        let gateway = gateway.clone();
        async move { send(&gateway, &router, &push("main")).await.0 }
    });
    gateway.messages_when("git-tar", |messages| !messages.is_empty()).await;
    assert!(statuses(&gateway).is_empty(), "the status is still on its way");
    leave.add_permits(10);
    assert_eq!(sent.await.unwrap(), StatusCode::ACCEPTED);
    assert_eq!(statuses(&gateway)[0].state, State::Queued);
}
