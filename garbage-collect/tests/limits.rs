//! Collections at a gateway that takes its time over deletions.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use http::StatusCode;
use sdk::fake_gateway::{FakeGateway, PAYLOAD_SECRET};
use sdk::garbage::{GarbageRequest, Scope};
use sdk::labels;
use serde_json::{Value, json};
use tokio::sync::Barrier;
use tower::ServiceExt;

/// So many functions has the gateway.
const FUNCTIONS: usize = 96;
/// So many deletions may go on at once.
const AT_ONCE: usize = 8;

/// A gateway whose deletions end when so many are under way.
#[derive(Clone)]
struct SlowGateway {
    begun: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
    together: Arc<Barrier>,
}

fn function(number: usize) -> Value {
    let labels = json!({
        labels::GIT_CLOUD: "1", labels::GIT_SCM: "git.localhost", labels::GIT_OWNER_ID: "7", labels::GIT_REPO: "hello",
    });
    json!({"name": format!("alice-{number}"), "image": "i", "labels": labels})
}

async fn delete(State(slow): State<SlowGateway>) -> StatusCode {
    let now = slow.begun.fetch_add(1, Ordering::SeqCst) + 1;
    slow.most.fetch_max(now, Ordering::SeqCst);
    slow.together.wait().await;
    slow.begun.fetch_sub(1, Ordering::SeqCst);
    StatusCode::ACCEPTED
}

#[expect(clippy::unwrap_used, reason = "test helper")]
async fn start(together: usize) -> (SlowGateway, String) {
    let slow = SlowGateway { begun: Arc::default(), most: Arc::default(), together: Arc::new(Barrier::new(together)) };
    let list = || async { axum::Json((0..FUNCTIONS).map(function).collect::<Vec<_>>()) };
    let routes = Router::new()
        .route("/system/functions", get(list).delete(delete))
        .route("/system/function/{name}", get(|| async { axum::Json(function(0)) }))
        .route("/async-function/audit-event", axum::routing::post(|| async { StatusCode::ACCEPTED }))
        .with_state(slow.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    (slow, url)
}

#[expect(clippy::unwrap_used, reason = "test helper")]
async fn collect(gateway: &str, vars: &[(&str, &str)]) -> (StatusCode, String) {
    let secrets = [("payload-secret", PAYLOAD_SECRET), ("basic-auth-user", "u"), ("basic-auth-password", "p")];
    let vars = vars.iter().copied().chain([("gateway_url", gateway)]);
    let router = garbage_collect::router(&sdk::Env::from_map(vars, secrets)).unwrap();
    let request = GarbageRequest {
        host: "git.localhost".to_owned(),
        owner: "alice".parse().unwrap(),
        owner_id: 7,
        repo: Scope::Everything,
        repo_id: None,
        former_owners: false,
        until: None,
        sha: None,
        actor: String::new(),
        keep: Vec::new(),
    };
    let request = FakeGateway::start().await.signed("garbage-collect", &request, "call-1");
    let response = router.oneshot(request).await.unwrap();
    let status = response.status();
    let text = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(text.to_vec()).unwrap())
}

#[tokio::test]
async fn few_deletions_go_on_at_once() {
    let (slow, url) = start(AT_ONCE).await;
    assert_eq!(collect(&url, &[]).await.0, StatusCode::OK);
    assert_eq!(slow.most.load(Ordering::SeqCst), AT_ONCE);
}

#[tokio::test]
async fn a_gateway_that_never_ends_a_deletion_is_waited_for_so_long_and_no_longer() {
    let (slow, url) = start(FUNCTIONS).await;
    let (status, text) = collect(&url, &[("delete_timeout", "600ms"), ("collect_timeout", "300ms")]).await;
    assert_eq!(status, StatusCode::BAD_GATEWAY);
    assert_eq!(text, "96 of the functions that are to go could not be deleted\n");
    assert!(slow.most.load(Ordering::SeqCst) <= AT_ONCE, "what there was no time for was not begun");
}
