use axum::Router;
use axum::routing::get;
use http::{Method, StatusCode};
use serde_json::Value;

use crate::support::{Running, eventually};
use crate::without_engine;

fn statuses() -> Router {
    let fail = get(|| async { (StatusCode::BAD_GATEWAY, "failed") });
    Router::new().route("/", get(|| async { "ok" })).route("/fail", fail)
}

#[tokio::test]
async fn what_functions_did_is_told_at_once_by_code_and_over_time() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Running::start(without_engine(dir.path(), [("f", statuses()), ("idle", statuses())])).await;
    for _ in 0..3 {
        assert_eq!(gateway.get("/function/f").await.0, 200);
    }
    assert_eq!(gateway.get("/function/f/fail").await.0, 502);
    let path = "/system/history?name=f,idle,nobody&points=10&window=24h";
    // The last call ends when its answer has been read, a moment after its caller has it.
    let counted = async || {
        let history = gateway.system_get(path).await;
        (history["functions"]["f"]["codes"] == serde_json::json!({"200": 3.0, "502": 1.0})).then_some(history)
    };
    let history: Value = eventually("all calls to be counted", counted).await;
    assert_eq!(history["source"], "gateway");
    assert!(history["until"].as_u64() >= history["since"].as_u64());
    let functions = history["functions"].as_object().unwrap();
    assert_eq!(functions.keys().collect::<Vec<_>>(), ["f", "idle"], "and nothing of nobody");
    let series = functions["f"]["series"].as_array().unwrap();
    let sum = |of: &str| series.iter().map(|point| point[of].as_f64().unwrap()).sum::<f64>();
    assert_eq!((sum("success"), sum("failure")), (3.0, 1.0));
    assert!(functions["f"]["latency"]["p50"].as_f64().unwrap() > 0.0);
    assert_eq!((&functions["idle"]["codes"], &functions["idle"]["latency"]), (&serde_json::json!({}), &Value::Null));
    assert_eq!(functions["idle"]["replicas"], 1.0);
    gateway.stop().await;
}

#[tokio::test]
async fn odd_questions_are_refused_and_strangers_learn_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Running::start(without_engine(dir.path(), [("f", statuses())])).await;
    assert_eq!(gateway.get("/system/history?name=f").await.0, 401);
    let many = format!("/system/history?name={}", vec!["f"; 101].join(","));
    for (path, status) in [
        ("/system/history", 422),
        ("/system/history?name=", 422),
        ("/system/history?name=f,", 422),
        ("/system/history?name=f&points=241", 422),
        ("/system/history?name=f&points=-1", 422),
        ("/system/history?name=f&window=2h", 422),
        (many.as_str(), 422),
        ("/system/history?name=f&namespace=nowhere", 404),
        ("/system/history?name=f.openfaas-fn&namespace=other", 400),
        ("/system/history?name=f.openfaas-fn&window=7d&points=240", 200),
        ("/system/history?name=%22%7D%5B1h%5D%0A,f%00", 200),
        ("/system/history?name=../f", 404),
    ] {
        let response = gateway.system(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), status, "{path}");
    }
    gateway.stop().await;
}
