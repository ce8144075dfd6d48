//! Who does not answer, or not rightly.

use axum::Router;
use axum::body::Body;
use axum::routing::post;
use http::StatusCode;
use sdk::fake_gateway::{FakeGateway, forgeries};
use sdk::gateway::FunctionStatus;
use sdk::metrics::{METRICS_FUNCTION, MetricsRequest, Source};
use tower::ServiceExt;

use crate::ask::{PAYLOAD_SECRET, ask, owned_by, request, send, serve};
use crate::gateway::Running;

/// Something at Prometheus' place that answers every query so.
async fn answering(status: StatusCode, body: &'static str) -> String {
    let answer = move || async move { (status, body) };
    serve(Router::new().route("/api/v1/query", post(answer)).route("/api/v1/query_range", post(answer))).await
}

/// A length that is over the limit, and then bytes without end.
async fn endless() -> String {
    let answer = || async {
        let chunk = "x".repeat(1 << 20);
        Body::from_stream(futures_util::stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone())))
    };
    serve(Router::new().route("/api/v1/query", post(answer))).await
}

#[tokio::test]
async fn a_prometheus_that_fails_is_passed_over_for_the_gateways_history() {
    let gateway = Running::start().await;
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let stalled = serve(Router::new().route("/api/v1/query", post(std::future::pending::<()>))).await;
    for (what, address, timeout) in [
        ("nobody there", nobody, "5s"),
        ("an error", answering(StatusCode::UNPROCESSABLE_ENTITY, r#"{"status":"error"}"#).await, "5s"),
        ("success without data", answering(StatusCode::OK, r#"{"status":"error"}"#).await, "5s"),
        ("no JSON", answering(StatusCode::OK, "<html>").await, "5s"),
        ("no answer", stalled, "50ms"),
        ("no end", endless().await, "60s"),
    ] {
        let url = format!("http://{address}/");
        let function = gateway.asked_by(&[("prometheus_url", url.as_str()), ("prometheus_timeout", timeout)]);
        let answer = ask(&function, &request(7, &[])).await;
        assert_eq!(answer.source, Source::Gateway, "{what}");
        assert_eq!(answer.functions.len(), 2, "{what}");
    }
}

#[tokio::test]
async fn rows_that_were_not_asked_for_fall_away() {
    let gateway = Running::start().await;
    let rows = r#"{"status":"success","data":{"resultType":"vector","result":[
        {"metric":{"function_name":"alice-of-bob.openfaas-fn","code":"200"},"value":[1,"9"]},
        {"metric":{"function_name":"alice-a.openfaas-fn","code":"odd"},"value":[1,"9"]},
        {"metric":{"function_name":"alice-a.openfaas-fn","code":"200"},"value":[1,"NaN"]},
        {"metric":{"function_name":"alice-a.openfaas-fn","code":"201"},"value":[1,"4"]}]}}"#;
    let url = format!("http://{}", answering(StatusCode::OK, rows).await);
    let answer = ask(&gateway.asked_by(&[("prometheus_url", &url)]), &request(7, &["alice-a"])).await;
    assert_eq!(answer.source, Source::Prometheus);
    assert_eq!(answer.functions.len(), 1);
    assert_eq!(answer.functions["alice-a"].codes, [(201, 4.0)].into());
}

#[tokio::test]
async fn a_gateway_that_fails_or_has_no_history_is_no_answer_of_zeros() {
    let gateway = FakeGateway::start().await;
    let labels = owned_by("git.localhost", 7);
    gateway.put_function(FunctionStatus { name: "alice-a".to_owned(), labels, ..FunctionStatus::default() });
    let function = system_metrics::router(&gateway.env(&[], &[])).unwrap();
    let (status, text) = send(&function, &request(7, &[])).await;
    assert_eq!(
        (status, text.as_str()),
        (StatusCode::BAD_GATEWAY, "neither Prometheus nor the gateway says how functions did\n")
    );
    gateway.refuse_next("GET /system/functions", StatusCode::INTERNAL_SERVER_ERROR, "engine away");
    let (status, text) = send(&function, &request(7, &[])).await;
    assert_eq!((status, text.contains("engine")), (StatusCode::BAD_GATEWAY, false), "{text}");
    let none = ask(&function, &request(9, &[])).await;
    assert!(none.functions.is_empty(), "whoever has no functions gets an answer");
}

#[tokio::test]
async fn unsigned_and_oversized_questions_are_refused() {
    let gateway = FakeGateway::start().await;
    let function = system_metrics::router(&gateway.env(&[], &[])).unwrap();
    // S7: figures were everybody's who reached the function.
    for (what, forged) in forgeries(PAYLOAD_SECRET, METRICS_FUNCTION, "/", &request(7, &[])) {
        assert_eq!(function.clone().oneshot(forged).await.unwrap().status(), StatusCode::UNAUTHORIZED, "{what}");
    }
    let many = MetricsRequest { functions: vec!["f".parse().unwrap(); 1001], ..request(7, &[]) };
    let fine = MetricsRequest { points: 241, ..request(7, &[]) };
    for odd in [many, fine] {
        assert_eq!(send(&function, &odd).await.0, StatusCode::UNPROCESSABLE_ENTITY);
    }
}
