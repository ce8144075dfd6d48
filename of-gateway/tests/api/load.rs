use axum::Router;
use axum::routing::post;
use http::Method;
use of_gateway::PlatformFunction;

use crate::support::{Running, eventually};
use crate::without_engine;

#[tokio::test]
async fn what_waits_and_runs_is_told_and_how_much_room_there_is() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = without_engine(dir.path(), []);
    let stuck = Router::new().route("/", post(std::future::pending::<()>));
    config.platform.push(PlatformFunction { concurrency: 2, ..PlatformFunction::new("stuck", stuck) });
    let gateway = Running::start(config).await;
    let before = gateway.system_get("/system/load").await;
    assert_eq!((&before["waiting"], &before["running"], &before["dead"]), (&0.into(), &0.into(), &0.into()));
    let disk = &before["disk"];
    assert!(disk["total"].as_u64().unwrap() > 0 && disk["free"].as_u64() <= disk["total"].as_u64(), "{before}");
    for n in 0..5 {
        let sent = gateway.http.post(gateway.at("/async-function/stuck")).body(format!("call {n}")).send().await;
        assert_eq!(sent.unwrap().status(), 202);
    }
    let counted = async || {
        let load = gateway.system_get("/system/load").await;
        (load["waiting"] == 3 && load["running"] == 2).then_some(load)
    };
    let load = eventually("two calls to run and three to wait", counted).await;
    assert_eq!(load["busiest"], serde_json::json!([{"function": "stuck.openfaas-fn", "waiting": 3}]));
    // The calls never end: stopping would wait for them, and the process ends anyway.
}

#[tokio::test]
async fn strangers_learn_nothing_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Running::start(without_engine(dir.path(), [])).await;
    assert_eq!(gateway.get("/system/load").await.0, 401);
    assert_eq!(gateway.system(Method::POST, "/system/load").send().await.unwrap().status(), 405);
    gateway.stop().await;
}
