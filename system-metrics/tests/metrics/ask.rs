//! How the tests ask.
#![expect(clippy::unwrap_used, reason = "test helper")]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use http::{Method, Request, StatusCode};
use sdk::id::OwnerId;
use sdk::labels;
use sdk::metrics::{METRICS_FUNCTION, MetricsAnswer, MetricsRequest, Window};
use sdk::signing::Key;
use secrecy::SecretString;
use tower::ServiceExt;

pub(crate) const PAYLOAD_SECRET: &str = sdk::fake_gateway::PAYLOAD_SECRET;
/// Long enough for a loaded machine.
const DEADLINE: Duration = Duration::from_secs(60);

pub(crate) fn request(id: u64, functions: &[&str]) -> MetricsRequest {
    MetricsRequest {
        owner_id: OwnerId { host: "git.localhost".to_owned(), id },
        functions: functions.iter().map(|name| name.parse().unwrap()).collect(),
        window: Window::Hour,
        points: 0,
    }
}

/// Labels as the pipeline gives them.
pub(crate) fn owned_by(host: &str, id: u64) -> BTreeMap<String, String> {
    let all = [(labels::GIT_CLOUD, "1"), (labels::GIT_SCM, host), (labels::GIT_OWNER_ID, &id.to_string())];
    all.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// The answer's status and text.
pub(crate) async fn send(function: &Router, request: &MetricsRequest) -> (StatusCode, String) {
    send_any(function, request).await
}

/// The same, of a question that may be none.
pub(crate) async fn send_any(function: &Router, request: &impl serde::Serialize) -> (StatusCode, String) {
    let body = serde_json::to_vec(request).unwrap();
    let key = Key::derive(&SecretString::from(PAYLOAD_SECRET), METRICS_FUNCTION);
    let mut signed = Request::post("/");
    for (name, value) in key.sign(&Method::POST, &body, Duration::from_secs(60)) {
        signed = signed.header(name, value);
    }
    let response = function.clone().oneshot(signed.body(Body::from(body)).unwrap()).await.unwrap();
    let status = response.status();
    let bytes = axum::body::to_bytes(response.into_body(), 1 << 24).await.unwrap();
    (status, String::from_utf8(bytes.to_vec()).unwrap())
}

pub(crate) async fn ask(function: &Router, request: &MetricsRequest) -> MetricsAnswer {
    let (status, text) = send(function, request).await;
    assert_eq!(status, StatusCode::OK, "{text}");
    serde_json::from_str(&text).unwrap()
}

/// Tries until there is something; a test that waits in vain says for what.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let until = Instant::now() + DEADLINE;
    let mut pause = tokio::time::interval(Duration::from_millis(50));
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < until, "in vain: {what}");
        pause.tick().await;
    }
}

/// Serves until the test ends. The address is without `http://`.
pub(crate) async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}
