use http::Method;
use serde_json::json;

use crate::bench::{Bench, with};
use crate::support::{Running, eventually};

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

#[tokio::test]
async fn a_namespace_does_not_go_while_something_is_deployed_into_it() {
    let bench = Bench::set_up().await;
    let config = of_gateway::Config { rollout_timeout: std::time::Duration::from_secs(3), ..bench.config() };
    let gateway = Running::start(config).await;
    let namespace = "/system/namespace/staging";
    assert_eq!(gateway.system_json(Method::POST, namespace, json!({})).await.0, 201);
    let spec = with(bench.spec("slow"), json!({"namespace": "staging", "envVars": {"MODE": "unready"}}));
    let (deployed, refused) = tokio::join!(gateway.post(&spec), async {
        let begun = async || (!bench.containers(&gateway.instance, "slow").await.is_empty()).then_some(());
        eventually("the deployment to begin", begun).await;
        gateway.system_json(Method::DELETE, namespace, json!({})).await
    });
    assert!(refused.0 == 409 && refused.1.contains("being deployed"), "{refused:?}");
    assert_eq!(deployed.0, 422, "{}", deployed.1);
    assert_eq!(gateway.system_json(Method::DELETE, namespace, json!({})).await.0, 202);
    assert_eq!(gateway.post(&spec).await.0, 400, "there is nowhere to deploy it to any more");
    gateway.stop().await;
}
