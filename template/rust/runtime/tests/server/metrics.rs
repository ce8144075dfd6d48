//! What Prometheus is told.

use axum::Router;
use axum::routing::get;

use crate::support::{eventually, get as get_from, start};

#[tokio::test]
async fn requests_are_counted_by_code_and_method() {
    let server = start(&[], Router::new().route("/", get(|| async { "hello" }))).await;
    for path in ["/", "/", "/missing", "/_/health"] {
        server.get(path).await;
    }
    // A request is counted just after its last byte has been sent.
    eventually(async || {
        let text = get_from(server.metrics, "/metrics").await;
        text.contains("http_requests_total{code=\"200\",method=\"get\"} 2\n")
            && text.contains("http_requests_total{code=\"404\",method=\"get\"} 1\n")
            && text.contains("http_request_duration_seconds_count{code=\"200\",method=\"get\"} 2\n")
            && text.contains("http_requests_in_flight 0\n")
    })
    .await;
    let text = get_from(server.metrics, "/metrics").await;
    assert!(text.contains("content-type: text/plain; version=0.0.4"), "{text}");
}

#[tokio::test]
async fn a_request_under_way_is_shown() {
    let forever = || async { std::future::pending::<()>().await };
    let server = start(&[], Router::new().route("/", get(forever))).await;
    let mut connection = server.connect().await;
    connection.send("GET / HTTP/1.1\r\nhost: test\r\n\r\n").await;
    eventually(async || {
        get_from(server.metrics, "/metrics")
            .await
            .contains("http_requests_in_flight 1\n")
    })
    .await;
}

#[tokio::test]
async fn nothing_else_is_there() {
    let server = start(&[], Router::new()).await;
    assert!(get_from(server.metrics, "/").await.starts_with("HTTP/1.1 404"));
    let mut connection = server.connect().await;
    connection.send("GET /metrics HTTP/1.1\r\nhost: test\r\n\r\n").await;
    assert!(connection.until("\r\n\r\n").await.starts_with("HTTP/1.1 404"));
}
