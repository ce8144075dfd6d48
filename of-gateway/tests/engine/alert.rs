//! Replicas on the word of an Alertmanager.

use http::Method;
use serde_json::{Value, json};

use crate::bench::{Bench, with};
use crate::support::Running;

async fn alert(gateway: &Running, status: &str, functions: &[&str]) -> (u16, String) {
    let alerts: Vec<Value> = functions
        .iter()
        .map(|name| json!({"status": status, "labels": {"alertname": "Busy", "function_name": name}, "startsAt": "2026-01-01T00:00:00Z"}))
        .collect();
    let notice = json!({"receiver": "scale-up", "status": status, "alerts": alerts, "groupLabels": {}, "version": "4"});
    gateway.system_json(Method::POST, "/system/alert", notice).await
}

#[tokio::test]
async fn a_firing_alert_adds_replicas_and_a_resolved_one_takes_them_away() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    let labels = |factor: &str| json!({"labels": {"com.openfaas.scale.max": "4", "com.openfaas.scale.factor": factor}});
    gateway.deployed(&with(bench.spec("busy"), labels("50"))).await;
    gateway.deployed(&with(bench.spec("calm"), labels("0"))).await;
    let own = json!({"labels": {"com.openfaas.scale.max": "4", "com.openfaas.scale.target": "10"}});
    gateway.deployed(&with(bench.spec("own"), own)).await;
    let replicas = async |name: &str| gateway.function(name).await["replicas"].as_u64();
    for after in [3, 4, 4] {
        assert_eq!(alert(&gateway, "firing", &["busy.openfaas-fn", "calm", "nobody", "own"]).await.0, 200);
        assert_eq!(
            (replicas("busy").await, replicas("calm").await, replicas("own").await),
            (Some(after), Some(1), Some(1))
        );
    }
    assert_eq!(alert(&gateway, "pending", &["busy"]).await.0, 200);
    assert_eq!(replicas("busy").await, Some(4), "an alert that does not fire changes nothing");
    assert_eq!(alert(&gateway, "resolved", &["busy", "calm"]).await.0, 200);
    assert_eq!((replicas("busy").await, replicas("calm").await), (Some(1), Some(1)));
    gateway.stop().await;
}

#[tokio::test]
async fn the_list_measures_what_its_functions_use_if_it_is_asked_to() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    gateway.deployed(&bench.spec("one")).await;
    gateway.deployed(&bench.spec("two")).await;
    assert_eq!(gateway.scale("two", 0).await.0, 202);
    let plain = gateway.system_get("/system/functions").await;
    assert!(plain[0].get("usage").is_none(), "{plain}");
    let measured = gateway.system_get("/system/functions?usage=1").await;
    assert!(measured[0]["usage"]["totalMemoryBytes"].as_f64().is_some_and(|bytes| bytes > 0.0), "{measured}");
    assert_eq!(measured[1]["usage"], json!({"cpu": 0.0, "totalMemoryBytes": 0.0}), "what is stopped uses nothing");
    gateway.stop().await;
}
