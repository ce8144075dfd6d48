//! S14: the original pasted a function's name and the window into its queries.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::routing::get;
use http::StatusCode;
use sdk::fake_gateway::FakeGateway;
use sdk::gateway::FunctionStatus;
use sdk::metrics::{MetricsRequest, Source};
use serde_json::json;

use crate::ask::{ask, eventually, owned_by, request, send_any, serve};
use crate::scraper::Scraper;

/// What a foreign provider might say a function's namespace is.
const NAMESPACES: [&str; 6] = [
    r#"x"} or vector(7) or up{a=""#,
    r#"x"}[1h])) or sum by (function_name, code) (increase(gateway_function_invocation_total{a!=""#,
    ".*",
    "x|victim.openfaas-fn",
    "back\\slash\nand line",
    "ä\t\u{7f}",
];

/// A metrics page on which every function has one more call each time it is looked at.
fn page() -> Router {
    let looks = Arc::new(AtomicU64::new(0));
    Router::new().route(
        "/metrics",
        get(move || {
            let looks = looks.fetch_add(1, Ordering::Relaxed);
            async move {
                let escaped = |name: &str| name.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n");
                let names = NAMESPACES.iter().enumerate().map(|(index, ns)| format!("fn-{index}.{ns}"));
                let names = names.chain(["victim.openfaas-fn".to_owned()]);
                let line = |name: String| {
                    let labels = format!("function_name=\"{}\",code=\"200\"", escaped(&name));
                    format!("gateway_function_invocation_total{{{labels}}} {looks}\n")
                };
                let lines: String = names.map(line).collect();
                format!("# TYPE gateway_function_invocation_total counter\n{lines}")
            }
        }),
    )
}

/// Whatever stands where a window, a number or a name is expected is no question, and Prometheus hears nothing of it.
#[tokio::test]
async fn s14_windows_that_are_queries_are_refused() {
    let gateway = FakeGateway::start().await;
    let asked = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&asked);
    let prometheus =
        serve(Router::new().fallback(async move || count.fetch_add(1, Ordering::Relaxed).to_string())).await;
    let url = format!("http://{prometheus}");
    let function = system_metrics::router(&gateway.env(&[("prometheus_url", &url)], &[])).unwrap();
    let right = serde_json::to_value(request(7, &["alice-a"])).unwrap();
    for (field, value) in [
        ("window", json!("1h])) or vector(1) or sum((up[1h")),
        ("window", json!("1h\n")),
        ("window", json!("60m")),
        ("window", json!(3600)),
        ("window", json!({"1h": null, "24h": null})),
        ("points", json!("60[1h")),
        ("points", json!(-1)),
        ("functions", json!([r#"a"} or up{x=""#])),
        ("functions", json!(["a|b"])),
        ("functions", json!([".*"])),
        ("functions", json!("alice-a")),
    ] {
        let mut message = right.clone();
        message[field] = value;
        let (status, text) = send_any(&function, &message).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{message}: {text}");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn s14_names_that_are_queries_find_themselves_and_nothing_else() {
    let gateway = FakeGateway::start().await;
    let put = |name: String, namespace: &str, owner| {
        let labels = owned_by("git.localhost", owner);
        gateway.put_function(FunctionStatus {
            name,
            namespace: namespace.to_owned(),
            labels,
            ..FunctionStatus::default()
        });
    };
    for (index, namespace) in NAMESPACES.iter().enumerate() {
        put(format!("fn-{index}"), namespace, 7);
    }
    put("victim".to_owned(), "openfaas-fn", 8);
    put(r#"odd"} or up{a=""#.to_owned(), "openfaas-fn", 7);
    let prometheus = Scraper::start(&serve(page()).await);
    let vars = [("prometheus_url", prometheus.url.as_str()), ("prometheus_timeout", "30s")];
    let function = system_metrics::router(&gateway.env(&vars, &[])).unwrap();
    let asked = MetricsRequest { points: 2, ..request(7, &[]) };
    let expected: Vec<_> = (0..NAMESPACES.len()).map(|index| format!("fn-{index}")).collect();
    let answer = eventually("each to have its own calls", async || {
        // This gateway has no history, so until Prometheus is there nobody says anything.
        let (status, text) = crate::ask::send(&function, &asked).await;
        if !status.is_success() {
            assert_eq!(status, 502, "{text}");
            return None;
        }
        let answer = ask(&function, &asked).await;
        answer.functions.values().all(|figures| figures.success() > 0.0).then_some(answer)
    })
    .await;
    assert_eq!(answer.source, Source::Prometheus);
    assert_eq!(answer.functions.keys().collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
    for (name, figures) in &answer.functions {
        assert_eq!(figures.codes.keys().collect::<Vec<_>>(), [&200], "{name}");
        assert_eq!((figures.series.len(), figures.latency), (2, None), "{name}");
    }
}
