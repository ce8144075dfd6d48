use axum::Router;
use axum::routing::get;
use base64::Engine as _;
use http::Method;
use of_gateway::{Gateway, PlatformFunction, StartError, purge};
use serde_json::json;

use crate::support::{PASSWORD, Running, USER, answer, config};
use crate::without_engine;

fn hello() -> Router {
    Router::new().route("/", get(|| async { "hello" }))
}

#[tokio::test]
async fn only_management_asks_for_credentials() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Running::start(without_engine(dir.path(), [("hello", hello())])).await;
    assert_eq!(gateway.get("/function/hello").await, (200, "hello".to_owned()));
    assert_eq!(gateway.get("/healthz").await.0, 200);
    for path in ["/system/functions", "/system/info", "/system/nothing-there", "/system/async/dead"] {
        let anonymous = gateway.http.get(gateway.at(path)).send().await.unwrap();
        assert_eq!(anonymous.headers()["www-authenticate"], "Basic realm=\"Restricted\"");
        let (status, text) = answer(anonymous).await;
        assert_eq!((status, text.trim()), (401, "invalid credentials"), "{path}");
    }
    for (user, password) in [(USER, "wrong"), ("", ""), (USER, ""), ("root", PASSWORD)] {
        let request = gateway.http.get(gateway.at("/system/info")).basic_auth(user, Some(password));
        assert_eq!(request.send().await.unwrap().status(), 401);
    }
    for header in ["Bearer x", "Basic !!!", "Basic"] {
        let request = gateway.http.get(gateway.at("/system/info")).header("authorization", header);
        assert_eq!(request.send().await.unwrap().status(), 401);
    }
    let allowed = gateway.system(Method::GET, "/system/nothing-there").send().await.unwrap();
    assert_eq!(allowed.status(), 404);
    gateway.stop().await;
}

#[tokio::test]
async fn platform_functions_are_listed_and_out_of_reach_of_deployments() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Running::start(without_engine(dir.path(), [("hello", hello())])).await;
    gateway.get("/function/hello").await;
    let list = gateway.system_get("/system/functions").await;
    assert_eq!(list[0]["name"], "hello");
    assert_eq!((&list[0]["replicas"], &list[0]["invocationCount"]), (&json!(1), &json!(1.0)));
    assert_eq!(gateway.system_get("/system/functions?namespace=other").await, json!([]));
    assert_eq!(gateway.system_get("/system/function/hello.openfaas-fn").await["namespace"], "openfaas-fn");
    let spec = json!({"service": "hello", "image": "x"});
    for method in [Method::PUT, Method::POST] {
        let (status, text) = gateway.system_json(method, "/system/functions", spec.clone()).await;
        assert_eq!(status, 409, "{text}");
    }
    let name = json!({"functionName": "hello"});
    assert_eq!(gateway.system_json(Method::DELETE, "/system/functions", name).await.0, 409);
    gateway.stop().await;
}

#[tokio::test]
async fn without_an_engine_changes_are_503_and_the_rest_works() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Running::start(without_engine(dir.path(), [("hello", hello())])).await;
    let spec = json!({"service": "new", "image": "x"});
    for method in [Method::PUT, Method::POST] {
        let (status, text) = gateway.system_json(method, "/system/functions", spec.clone()).await;
        assert_eq!(status, 503);
        assert!(text.contains("no-engine.sock") && text.contains("start it"), "{text}");
    }
    assert_eq!(gateway.get("/ready").await.0, 503);
    assert_eq!(gateway.system_get("/system/functions").await.as_array().unwrap().len(), 1);
    assert_eq!(gateway.system_get("/system/info").await["provider"]["version"]["release"], "unreachable");
    gateway.stop().await;
}

#[tokio::test]
async fn wrong_requests_are_refused_in_sentences() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Running::start(without_engine(dir.path(), [("hello", hello())])).await;
    let secret = json!({"service": "f", "image": "x", "secrets": ["absent"]});
    let annotated = |name: &str, value: &str| json!({"service": "f", "image": "x", "annotations": {name: value}});
    for (spec, part) in [
        (json!({"service": "Bad_Name", "image": "x"}), "Bad_Name"),
        (json!({"service": "a".repeat(64), "image": "x"}), "at most 63"),
        (json!({"service": "f", "image": ""}), "names no image"),
        (json!({"service": "f", "image": "x", "namespace": "other"}), "other"),
        (json!({"service": "f", "image": "x", "limits": {"memory": "much"}}), "128Mi"),
        (json!({"service": "f", "image": "x", "limits": {"cpu": "-1"}}), "500m"),
        (json!({"service": "f", "image": "x", "envVars": {"a=b": "c"}}), "a=b"),
        (json!({"service": "f", "image": "x", "labels": {"com.openfaas.scale.max": "x"}}), "com.openfaas.scale.max"),
        (annotated("com.openfaas.upstream_timeout", "x"), "com.openfaas.upstream_timeout"),
        (annotated("com.openfaas.queue", "a.b"), "com.openfaas.queue"),
        (annotated("com.openfaas.retry.attempts", "many"), "com.openfaas.retry.attempts"),
        (annotated("com.openfaas.retry.codes", "200"), "com.openfaas.retry.codes"),
        (annotated("com.openfaas.retry.min_wait", "soon"), "com.openfaas.retry.min_wait"),
        (annotated("com.openfaas.retry.max_wait", "48h"), "at most 24h"),
        (secret, "the secret absent does not exist"),
        (json!({"image": "x"}), "service"),
        (json!([1]), "JSON"),
    ] {
        let (status, text) = gateway.system_json(Method::PUT, "/system/functions", spec).await;
        assert_eq!(status, 400, "{text}");
        assert!(text.contains(part), "{part} is missing in: {text}");
    }
    let scale = json!({"serviceName": "other", "replicas": 1});
    assert_eq!(gateway.system_json(Method::POST, "/system/scale-function/hello", scale).await.0, 400);
    for (path, status) in [
        ("/system/function/nobody", 404),
        ("/system/function/hello.other", 404),
        ("/system/logs", 422),
        ("/system/logs?name=hello&tail=x", 422),
        ("/system/logs?name=hello&since=yesterday", 422),
        ("/system/logs?name=hello&follow=maybe", 422),
        ("/system/logs?name=nobody", 404),
        ("/system/logs?name=hello", 501),
        ("/system/async/dead?limit=x", 422),
    ] {
        let response = gateway.system(Method::GET, path).send().await.unwrap();
        assert_eq!(response.status(), status, "{path}");
    }
    let huge = gateway.system(Method::POST, "/system/secrets").body(vec![b' '; 9 << 20]).send().await.unwrap();
    assert_eq!(huge.status(), 413);
    gateway.stop().await;
}

#[tokio::test]
async fn secrets_have_the_codes_that_clients_expect() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Running::start(without_engine(dir.path(), [])).await;
    let path = "/system/secrets";
    let key = json!({"name": "key", "value": "v", "namespace": "openfaas-fn"});
    assert_eq!(gateway.system_json(Method::PUT, path, key.clone()).await.0, 404);
    assert_eq!(gateway.system_json(Method::POST, path, key.clone()).await.0, 202);
    assert_eq!(gateway.system_json(Method::POST, path, key.clone()).await.0, 409);
    assert_eq!(gateway.system_json(Method::PUT, path, key.clone()).await.0, 202);
    assert_eq!(gateway.system_get(path).await, json!([{"name": "key", "namespace": "openfaas-fn"}]));
    let other = json!({"name": "key", "namespace": "other"});
    assert_eq!(gateway.system_json(Method::DELETE, path, other).await.0, 404);
    assert_eq!(gateway.system_json(Method::DELETE, "/system/secrets?namespace=openfaas-fn", key.clone()).await.0, 202);
    assert_eq!(gateway.system_json(Method::DELETE, path, key).await.0, 404);
    assert_eq!(gateway.system_json(Method::POST, path, json!({"name": "../up", "value": "v"})).await.0, 400);
    assert_eq!(gateway.system_json(Method::POST, path, json!({"name": "raw", "rawValue": "%"})).await.0, 400);
    for bad in [json!("../up"), json!("a/b"), json!(".."), json!(7)] {
        let secret = json!({"name": "db", "value": "v", "fileName": bad});
        assert_eq!(gateway.system_json(Method::POST, path, secret).await.0, 400, "{bad}");
    }
    for (name, file) in [("alice-db.user", json!("user")), ("alice-api.user", json!("user")), ("plain", json!(null))] {
        let secret = json!({"name": name, "value": "v", "fileName": file});
        assert_eq!(gateway.system_json(Method::POST, path, secret).await.0, 202, "{name}");
    }
    let both = json!({"service": "f", "image": "x", "secrets": ["plain", "alice-db.user", "alice-api.user"]});
    let (status, text) = gateway.system_json(Method::POST, "/system/functions", both).await;
    let clash = "the secrets alice-db.user and alice-api.user would both be the file user";
    assert!(status == 400 && text.contains(clash), "{status}: {text}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_file_of_a_mebibyte_may_be_a_secret_as_faas_cli_sends_it() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Running::start(without_engine(dir.path(), [])).await;
    let send = async |bytes: Vec<u8>| {
        // As text, too, in which Go escapes what is no UTF-8.
        let text = "\\ufffd".repeat(bytes.len());
        let raw = base64::engine::general_purpose::STANDARD.encode(bytes);
        let body = format!("{{\"name\":\"large\",\"value\":\"{text}\",\"rawValue\":\"{raw}\"}}");
        gateway.system(Method::POST, "/system/secrets").body(body).send().await.unwrap()
    };
    assert_eq!(send(vec![0xff; (1 << 20) + 1]).await.status(), 400, "more than a secret may have");
    assert_eq!(send(vec![0xff; 1 << 20]).await.status(), 202);
    let kept = std::fs::read(dir.path().join("secrets/openfaas-fn/large")).unwrap();
    assert!(kept == vec![0xff; 1 << 20], "byte for byte");
    gateway.stop().await;
}

#[tokio::test]
async fn info_and_namespaces() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Running::start(without_engine(dir.path(), [])).await;
    assert_eq!(gateway.system_get("/system/namespaces").await, json!(["openfaas-fn"]));
    let info = gateway.system_get("/system/info").await;
    assert_eq!(info["provider"]["provider"], "of-gateway");
    assert_eq!(info["version"]["release"], env!("CARGO_PKG_VERSION"));
    gateway.stop().await;
}

#[tokio::test]
async fn two_platform_functions_of_one_name_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(without_engine(dir.path(), [("hello", hello())])).await.unwrap();
    for name in ["hello", "Not_A_Label"] {
        let refused = gateway.mount(PlatformFunction::new(name, hello()));
        assert!(matches!(refused, Err(StartError::PlatformName(_))), "{name}");
    }
    gateway.mount(PlatformFunction::new("later", hello())).unwrap();
}

#[tokio::test]
async fn purging_a_directory_without_an_installation_asks_no_engine() {
    let dir = tempfile::tempdir().unwrap();
    let removed = purge(&config(dir.path())).await.unwrap();
    assert_eq!((removed.containers, removed.networks), (0, 0));
    assert!(std::fs::read_dir(dir.path()).unwrap().next().is_none());
}

#[tokio::test]
async fn namespaces_are_made_changed_and_taken_away_when_empty() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Running::start(without_engine(dir.path(), [("hello", hello())])).await;
    let at = "/system/namespace/staging";
    let body = json!({"name": "staging", "labels": {"team": "blue"}, "annotations": {"note": "x"}});
    assert_eq!(gateway.system_json(Method::POST, at, body.clone()).await.0, 201);
    assert_eq!(gateway.system_json(Method::POST, at, body).await.0, 409);
    assert_eq!(gateway.system_get("/system/namespaces").await, json!(["openfaas-fn", "staging"]));
    let shown = gateway.system_get(at).await;
    assert_eq!((&shown["labels"]["team"], &shown["labels"]["openfaas"]), (&json!("blue"), &json!("1")));
    let secret = json!({"name": "key", "namespace": "staging", "value": "v"});
    assert_eq!(gateway.system_json(Method::POST, "/system/secrets", secret.clone()).await.0, 202);
    assert_eq!(gateway.system_get("/system/secrets").await, json!([]));
    assert_eq!(gateway.system_get("/system/secrets?namespace=staging").await[0]["name"], "key");
    let (status, text) = gateway.system_json(Method::DELETE, at, json!({})).await;
    assert!(status == 409 && text.contains("secrets"), "{status}: {text}");
    assert_eq!(gateway.system_json(Method::DELETE, "/system/secrets", secret).await.0, 202);
    assert_eq!(gateway.system_json(Method::PUT, at, json!({"name": "staging"})).await.0, 202);
    gateway.stop().await;
    let gateway = Running::start(without_engine(dir.path(), [("hello", hello())])).await;
    assert_eq!(gateway.system_get(at).await["labels"], json!({"openfaas": "1"}), "kept over the restart");
    assert_eq!(gateway.system_json(Method::DELETE, at, json!({})).await.0, 202);
    assert_eq!(gateway.system_json(Method::DELETE, at, json!({})).await.0, 404);
    gateway.stop().await;
}

#[tokio::test]
async fn odd_namespaces_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Running::start(without_engine(dir.path(), [("hello", hello())])).await;
    let default = "/system/namespace/openfaas-fn";
    assert_eq!(gateway.system_json(Method::DELETE, default, json!({})).await.0, 409);
    for name in ["Upper", "a.b", "a%2F..%2Fb"] {
        let path = format!("/system/namespace/{name}");
        assert_eq!(gateway.system_json(Method::POST, &path, json!({})).await.0, 400, "{name}");
    }
    let odd = json!({"annotations": {"com.openfaas.quota.memory": "much"}});
    let (status, text) = gateway.system_json(Method::POST, "/system/namespace/staging", odd).await;
    assert!(status == 400 && text.contains("quota.memory"), "{status}: {text}");
    let other = json!({"name": "other"});
    assert_eq!(gateway.system_json(Method::POST, "/system/namespace/staging", other).await.0, 400);
    let spec = json!({"service": "f", "image": "x", "namespace": "nowhere"});
    let (status, text) = gateway.system_json(Method::PUT, "/system/functions", spec).await;
    assert!(status == 400 && text.contains("nowhere"), "{status}: {text}");
    let secret = json!({"name": "key", "namespace": "../..", "value": "v"});
    assert_eq!(gateway.system_json(Method::POST, "/system/secrets", secret).await.0, 404);
    assert_eq!(gateway.system_get("/system/secrets?namespace=..%2F..").await, json!([]));
    assert_eq!(gateway.get("/function/hello.nowhere").await.0, 503);
    assert_eq!(gateway.get("/function/hello.openfaas-fn").await.0, 200);
    gateway.stop().await;
}
