use std::time::Duration;

use http::Method;
use serde_json::json;

use crate::bench::{Bench, SOCKET, with};
use crate::support::eventually;
use crate::support::program::Start;
use crate::support::prometheus::{Prometheus, complaints};

#[tokio::test]
async fn a_prometheus_answers_with_the_names_and_values_of_openfaas() {
    let bench = Bench::set_up().await;
    let mut program = Start::new(bench.dir.path(), SOCKET).run().await;
    let said = program.says("Metrics are served.", 1).await;
    let target = said.split("address=").nth(1).unwrap().trim().to_owned();
    let labels =
        json!({"com.openfaas.scale.min": "2", "com.openfaas.scale.target": "20", "com.openfaas.scale.max": "3"});
    let spec = with(bench.spec("seen"), json!({"labels": labels}));
    let deployed = program.system(Method::POST, "/system/functions").json(&spec).send().await.unwrap();
    assert_eq!(deployed.status(), 202);
    let prometheus = Prometheus::start(&target).await;
    for (path, status) in [("version", 200), ("version", 200), ("fail", 500)] {
        let call = program.http.get(format!("{}/function/seen/{path}", program.url)).send().await.unwrap();
        assert_eq!(call.status(), status);
    }
    for (query, value) in [
        (r#"up{job="gateway"}"#, 1.0),
        (r#"gateway_function_invocation_total{function_name="seen.openfaas-fn",code="200"}"#, 2.0),
        (r#"gateway_function_invocation_total{function_name="seen.openfaas-fn",code="500"}"#, 1.0),
        (r#"sum(gateway_function_invocation_started{function_name="seen.openfaas-fn"})"#, 3.0),
        (r#"sum(gateway_functions_seconds_count{function_name="seen.openfaas-fn"})"#, 3.0),
        (r#"gateway_functions_seconds_bucket{function_name="seen.openfaas-fn",code="200",le="+Inf"}"#, 2.0),
        (r#"gateway_invocation_function_invocation_inflight{function_name="seen.openfaas-fn"}"#, 0.0),
        (r#"gateway_service_count{function_name="seen.openfaas-fn"}"#, 2.0),
        (r#"gateway_service_ready_count{function_name="seen.openfaas-fn"}"#, 2.0),
        (r#"gateway_service_min{function_name="seen.openfaas-fn"}"#, 2.0),
        (r#"gateway_service_target{function_name="seen.openfaas-fn"}"#, 18.0),
        (r#"http_requests_total{method="POST",path="/system/functions",status="202"}"#, 1.0),
        (r#"http_request_duration_seconds_count{method="POST",path="/system/functions",status="202"}"#, 1.0),
        (r#"count(pod_memory_working_set_bytes{function_name="seen.openfaas-fn"} > 100000)"#, 2.0),
        (r#"count(pod_cpu_usage_seconds_total{function_name="seen.openfaas-fn"} > 0)"#, 2.0),
    ] {
        prometheus.shows(query, value).await;
    }
    // What OpenFaaS' rule for scaling asks. A rate needs two different values.
    let rate = r#"sum(rate(gateway_function_invocation_total{code="200"}[10s])) by (function_name) > 0"#;
    eventually("a rate", async || {
        program.http.get(format!("{}/function/seen/version", program.url)).send().await.ok()?;
        prometheus.ask(rate).await
    })
    .await;
    let page = program.http.get(format!("http://{target}/metrics")).timeout(Duration::from_secs(5)).send().await;
    // Three names are OpenFaaS' own, against the advice.
    let against = complaints(&page.unwrap().text().await.unwrap());
    let names: Vec<_> = against.lines().filter_map(|line| line.split_once(' ')).map(|(name, _)| name).collect();
    let odd = ["gateway_function_invocation_started", "gateway_service_count", "gateway_service_ready_count"];
    assert_eq!(names, odd, "{against}");
    let health = program.http.get(format!("http://{target}/healthz")).send().await.unwrap();
    assert_eq!(health.status(), 200);
    let removed = program.system(Method::DELETE, "/system/functions").json(&json!({"functionName": "seen"}));
    assert_eq!(removed.send().await.unwrap().status(), 202);
    prometheus.shows(r#"count(gateway_service_count) or vector(0)"#, 0.0).await;
}
