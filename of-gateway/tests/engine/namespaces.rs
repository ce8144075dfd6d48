use http::Method;
use serde_json::json;

use crate::bench::{Bench, with};

#[tokio::test]
async fn two_namespaces_hold_functions_of_one_name_and_keep_them_over_a_restart() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    let made = gateway.system_json(Method::POST, "/system/namespace/staging", json!({"name": "staging"})).await;
    assert_eq!(made.0, 201);
    let spec = |version: &str| with(bench.spec("twin"), json!({"envVars": {"VERSION": version}}));
    gateway.deployed(&spec("production")).await;
    gateway.deployed(&with(spec("staging"), json!({"namespace": "staging"}))).await;
    let (status, text) = gateway.system_json(Method::DELETE, "/system/namespace/staging", json!({})).await;
    assert!(status == 409 && text.contains("functions"), "{status}: {text}");
    gateway.stop().await;

    let gateway = bench.gateway().await;
    assert_eq!(gateway.get("/function/twin/version").await.1, "production");
    assert_eq!(gateway.get("/function/twin.staging/version").await.1, "staging");
    let listed = gateway.system_get("/system/functions?namespace=staging").await;
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["namespace"]), (1, &json!("staging")));
    let scale = json!({"serviceName": "twin", "namespace": "staging", "replicas": 2});
    assert_eq!(gateway.system_json(Method::POST, "/system/scale-function/twin", scale).await.0, 202);
    assert_eq!(gateway.system_get("/system/function/twin?namespace=staging").await["replicas"], 2);
    assert_eq!(gateway.system_get("/system/function/twin").await["replicas"], 1);
    let gone = json!({"functionName": "twin", "namespace": "staging"});
    assert_eq!(gateway.system_json(Method::DELETE, "/system/functions", gone).await.0, 202);
    assert_eq!(gateway.get("/function/twin.staging/version").await.0, 404);
    assert_eq!(gateway.get("/function/twin/version").await.1, "production");
    gateway.stop().await;
}
