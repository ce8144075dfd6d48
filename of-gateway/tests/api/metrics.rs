use axum::Router;
use axum::body::Body;
use axum::routing::{get, post};
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use tower::ServiceExt;

use crate::support::{Running, eventually};
use crate::without_engine;

/// The page, with its content type.
#[expect(clippy::unwrap_used, reason = "test helper")]
async fn page(gateway: &Running) -> (String, String) {
    let request = Request::get("/metrics").body(Body::empty()).unwrap();
    let response = gateway.metrics.clone().oneshot(request).await.unwrap();
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (kind, String::from_utf8(bytes.to_vec()).unwrap())
}

/// The value of the one line that begins with this.
fn value(page: &str, series: &str) -> Option<f64> {
    page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

fn statuses() -> Router {
    let fail = get(|| async { (StatusCode::BAD_GATEWAY, "failed") });
    Router::new().route("/", get(|| async { "ok" }).post(|body: String| async { body })).route("/fail", fail)
}

#[tokio::test]
async fn calls_are_counted_and_timed_by_function_and_code() {
    let dir = tempfile::tempdir().unwrap();
    let hang = post(std::future::pending::<()>);
    let functions = [("f", statuses()), ("hang", Router::new().route("/", hang))];
    let gateway = Running::start(without_engine(dir.path(), functions)).await;
    for _ in 0..3 {
        assert_eq!(gateway.get("/function/f").await.0, 200);
    }
    assert_eq!(gateway.get("/function/f/fail").await.0, 502);
    assert_eq!(gateway.get("/function/nobody").await.0, 503);
    let left = gateway.http.post(gateway.at("/function/hang"));
    let caller = tokio::spawn(left.send());
    let started = r#"gateway_function_invocation_started{function_name="hang.openfaas-fn"}"#;
    let in_flight = r#"gateway_invocation_function_invocation_inflight{function_name="hang.openfaas-fn"}"#;
    let figures = async || {
        let (_, page) = page(&gateway).await;
        (value(&page, started)? == 1.0).then_some(page)
    };
    let seen = eventually("the call to begin", figures).await;
    assert_eq!(value(&seen, in_flight), Some(1.0));
    caller.abort();
    eventually("the caller's leaving to be noticed", async || {
        let (_, page) = page(&gateway).await;
        (value(&page, in_flight)? == 0.0).then_some(())
    })
    .await;
    let (kind, page) = page(&gateway).await;
    assert_eq!(kind, "text/plain; version=0.0.4");
    for (series, expected) in [
        (r#"gateway_function_invocation_total{function_name="f.openfaas-fn",code="200"}"#, 3.0),
        (r#"gateway_function_invocation_total{function_name="f.openfaas-fn",code="502"}"#, 1.0),
        (r#"gateway_function_invocation_total{function_name="hang.openfaas-fn",code="499"}"#, 1.0),
        (r#"gateway_function_invocation_started{function_name="f.openfaas-fn"}"#, 4.0),
        (r#"gateway_functions_seconds_count{function_name="f.openfaas-fn",code="200"}"#, 3.0),
        (r#"gateway_functions_seconds_bucket{function_name="f.openfaas-fn",code="200",le="+Inf"}"#, 3.0),
        (r#"gateway_functions_seconds_bucket{function_name="f.openfaas-fn",code="200",le="10"}"#, 3.0),
        (r#"gateway_service_count{function_name="f.openfaas-fn"}"#, 1.0),
        (r#"gateway_service_ready_count{function_name="f.openfaas-fn"}"#, 1.0),
        (r#"gateway_service_min{function_name="f.openfaas-fn"}"#, 1.0),
    ] {
        assert_eq!(value(&page, series), Some(expected), "{series} in {page}");
    }
    assert!(!page.contains("nobody"), "a client cannot make series without end");
    let list = gateway.system_get("/system/functions").await;
    assert_eq!(list[0]["invocationCount"], 4.0, "the same count");
}

#[tokio::test]
async fn management_requests_are_counted_by_route_and_what_has_none_together() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Running::start(without_engine(dir.path(), [("f", statuses())])).await;
    gateway.system_get("/system/function/f").await;
    gateway.system_get("/system/function/f?usage=0").await;
    gateway.get("/system/function/f").await;
    for path in ["/nowhere/1", "/nowhere/2"] {
        assert_eq!(gateway.get(path).await.0, 404);
    }
    let (_, page) = page(&gateway).await;
    for (series, expected) in [
        (r#"http_requests_total{method="GET",path="/system/function/{functionName}",status="200"}"#, 2.0),
        (r#"http_requests_total{method="GET",path="/system/function/{functionName}",status="401"}"#, 1.0),
        (
            r#"http_request_duration_seconds_count{method="GET",path="/system/function/{functionName}",status="200"}"#,
            2.0,
        ),
        (r#"http_requests_total{method="GET",path="other",status="404"}"#, 2.0),
    ] {
        assert_eq!(value(&page, series), Some(expected), "{series} in {page}");
    }
    assert!(!page.contains("nowhere"));
}

#[tokio::test]
async fn queued_calls_are_counted_when_stored_and_when_finished() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Running::start(without_engine(dir.path(), [("f", statuses())])).await;
    for _ in 0..2 {
        // Twice the same call is one.
        let call = gateway.http.post(gateway.at("/async-function/f")).header("x-call-id", "same").body("x");
        assert_eq!(call.send().await.unwrap().status(), 202);
    }
    let finished = async || {
        let (_, page) = page(&gateway).await;
        let series = r#"queue_worker_messages_processed_total{queue_name="faas-request",status="200"}"#;
        value(&page, series).map(|count| (count, page))
    };
    let (count, page) = eventually("the call to be finished", finished).await;
    let submitted = value(&page, r#"queue_worker_messages_submitted_total{queue_name="faas-request"}"#);
    assert!(count >= 1.0 && submitted >= Some(count), "{page}");
}
