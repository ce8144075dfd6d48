//! Events against the whole function, with a Slack that keeps what it is sent.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use http::{Method, StatusCode};
use sdk::audit::AuditEvent;
use sdk::fake_gateway::{FakeGateway, PAYLOAD_SECRET};
use sdk::signing::Key;
use tower::ServiceExt;

#[derive(Clone, Default)]
struct FakeSlack {
    posts: Arc<Mutex<Vec<String>>>,
    broken: bool,
}

impl FakeSlack {
    #[expect(clippy::unwrap_used, reason = "test helper")]
    async fn start(self) -> String {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/services/secret-path", listener.local_addr().unwrap());
        let routes = Router::new().route("/services/secret-path", post(Self::take)).with_state(self);
        tokio::spawn(async move { axum::serve(listener, routes).await });
        url
    }

    #[expect(clippy::unwrap_used, reason = "test helper")]
    async fn take(State(slack): State<Self>, body: String) -> StatusCode {
        slack.posts.lock().unwrap().push(body);
        if slack.broken { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK }
    }
}

fn event() -> AuditEvent {
    AuditEvent {
        source: "buildshiprun".to_owned(),
        message: "deployed <b>".to_owned(),
        owner: "alice".to_owned(),
        repo: "hello".to_owned(),
        call_id: "call-1".to_owned(),
        ..AuditEvent::default()
    }
}

#[expect(clippy::unwrap_used, reason = "test helper")]
fn function(vars: &[(&str, &str)]) -> Router {
    audit_event::router(&sdk::Env::from_map(vars.to_vec(), [("payload-secret", PAYLOAD_SECRET)])).unwrap()
}

async fn send(router: &Router, event: &AuditEvent) -> StatusCode {
    let request = FakeGateway::start().await.signed("audit-event", event, "call-1");
    router.clone().oneshot(request).await.unwrap().status()
}

#[tokio::test]
async fn an_event_reaches_slack_escaped_and_the_file() {
    let slack = FakeSlack::default();
    let url = slack.clone().start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let router = function(&[("slack_url", &url), ("audit_file", path.to_str().unwrap())]);
    assert_eq!(send(&router, &event()).await, StatusCode::OK);
    let post: serde_json::Value = serde_json::from_str(&slack.posts.lock().unwrap()[0]).unwrap();
    assert_eq!(post["text"], "[buildshiprun] alice/hello: deployed &lt;b&gt;");
    assert_eq!((&post["mrkdwn"], &post["unfurl_links"]), (&false.into(), &false.into()));
    let line: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    assert_eq!(line["message"], "deployed <b>");
    assert_eq!(line["call_id"], "call-1");
    assert!(line["time"].as_str().unwrap().ends_with('Z'));
}

#[tokio::test]
async fn a_slack_that_fails_loses_no_event() {
    let slack = FakeSlack { broken: true, ..FakeSlack::default() };
    let url = slack.clone().start().await;
    assert_eq!(send(&function(&[("slack_url", &url)]), &event()).await, StatusCode::OK);
    assert_eq!(slack.posts.lock().unwrap().len(), 1);
    assert_eq!(send(&function(&[("slack_url", "http://127.0.0.1:1/x")]), &event()).await, StatusCode::OK);
}

#[tokio::test]
async fn an_event_that_cannot_be_written_is_brought_again_by_the_queue() {
    let router = function(&[("audit_file", "/dev/full")]);
    assert_eq!(send(&router, &event()).await, StatusCode::INTERNAL_SERVER_ERROR);
}

#[tokio::test]
async fn s44_only_events_that_are_signed_for_the_trail_and_not_too_old_get_into_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let router = function(&[("audit_file", path.to_str().unwrap())]);
    let body = serde_json::to_string(&event()).unwrap();
    let key = |secret: &str, function: &str| Key::derive(&secret.into(), function);
    let minute = Duration::from_secs(60);
    let sign = |key: Key, lifetime| key.sign(&Method::POST, body.as_bytes(), lifetime).to_vec();
    let right = sign(key(PAYLOAD_SECRET, "audit-event"), minute);
    let mut later = right.clone();
    later[0].1 = "99999999999".to_owned();
    let second_ago = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs() - 1;
    let over = key(PAYLOAD_SECRET, "audit-event").sign_until(&Method::POST, body.as_bytes(), second_ago).to_vec();
    let refused = [
        ("no signature", Vec::new(), body.clone()),
        ("another secret", sign(key("other", "audit-event"), minute), body.clone()),
        ("another function's key", sign(key(PAYLOAD_SECRET, "git-tar"), minute), body.clone()),
        ("another event", right.clone(), body.replace("deployed", "deleted")),
        ("another expiry", later, body.clone()),
        ("too late", over, body.clone()),
    ];
    for (what, headers, body) in refused {
        let mut request = http::Request::post("/");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let answer = router.clone().oneshot(request.body(axum::body::Body::from(body)).unwrap()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{what}");
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), "");
}

#[test]
fn a_file_or_address_that_cannot_be_used_stops_the_start_by_its_name() {
    let env = sdk::Env::from_map([("slack_url", "hooks.example"), ("audit_file", "/nowhere/at/all")], [("a", "b")]);
    let error = audit_event::router(&env).unwrap_err();
    let names: Vec<_> = error.problems().iter().map(|problem| problem.name.as_str()).collect();
    assert_eq!(names, ["payload-secret", "slack_url", "audit_file"]);
    assert!(!error.to_string().contains("hooks.example"));
}
