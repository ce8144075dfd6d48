//! Events against the whole function, with a Slack that keeps what it is sent.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::routing::post;
use http::StatusCode;
use sdk::audit::AuditEvent;
use sdk::fake_gateway::{FakeGateway, PAYLOAD_SECRET};
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
    assert_eq!(*slack.posts.lock().unwrap(), [r#"{"text":"[buildshiprun] alice/hello: deployed &lt;b&gt;"}"#]);
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
async fn an_unsigned_event_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("audit.jsonl");
    let router = function(&[("audit_file", path.to_str().unwrap())]);
    let unsigned = http::Request::post("/").body(serde_json::to_string(&event()).unwrap()).unwrap();
    assert_eq!(router.oneshot(unsigned).await.unwrap().status(), StatusCode::UNAUTHORIZED);
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
