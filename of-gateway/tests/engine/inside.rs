//! Functions as callers of the gateway.

use http::Method;
use of_gateway::{Config, Inside, Isolation};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::bench::{Bench, with};
use crate::support::{Running, eventually};

/// What a function is answered that sends this request: status and body.
async fn call(gateway: &Running, from: &str, method: &str, peer: &str, path: &str) -> String {
    let (status, text) = gateway.get(&format!("/function/{from}/call/{method}/{peer}{path}")).await;
    assert_eq!(status, 200, "{text}");
    text.trim_end().to_owned()
}

async fn get(gateway: &Running, from: &str, path: &str) -> String {
    call(gateway, from, "GET", "gateway.openfaas:8080", path).await
}

fn owned(bench: &Bench, name: &str, id: &str) -> Value {
    let labels = json!({"com.openfaas.cloud.git-owner-id": id, "com.openfaas.cloud.git-scm": "github.com"});
    with(bench.spec(name), json!({"labels": labels}))
}

#[tokio::test]
async fn functions_reach_the_gateway_by_its_names() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    gateway.deployed(&bench.spec("one")).await;
    gateway.deployed(&bench.spec("two")).await;
    assert_eq!(get(&gateway, "one", "/function/two/version").await, "200 one");
    assert_eq!(get(&gateway, "one", "/function/two.openfaas-fn/version").await, "200 one");
    assert_eq!(call(&gateway, "one", "GET", "gateway:8080", "/healthz").await, "200 OK");
    assert_eq!(call(&gateway, "one", "POST", "gateway:8080", "/async-function/two").await, "202");
    assert!(get(&gateway, "one", "/system/functions").await.starts_with("401 "), "behind its password");
    assert!(get(&gateway, "one", "/function/nobody").await.starts_with("404 error finding function nobody"));
    gateway.stop().await;

    let gateway = bench.gateway().await;
    assert_eq!(get(&gateway, "one", "/function/two/version").await, "200 one", "after a restart too");
    gateway.stop().await;

    let inside = Inside { system: false, asynchronous: false, ..Inside::default() };
    let gateway = Running::start(Config { inside, ..bench.config() }).await;
    assert_eq!(get(&gateway, "one", "/function/two/version").await, "200 one");
    assert_eq!(get(&gateway, "one", "/healthz").await, "200 OK");
    for path in ["/system/functions", "/system/info", "//system/info", "/%73ystem/info", "/metrics", "/ui/"] {
        assert_eq!(get(&gateway, "one", path).await, "404 there is no such route", "{path}");
    }
    let refused = call(&gateway, "one", "POST", "gateway:8080", "/async-function/two").await;
    assert_eq!(refused, "404 there is no such route");
    gateway.stop().await;
}

#[tokio::test]
async fn functions_call_those_of_their_own_owner_only() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    for spec in [owned(&bench, "alice-a", "1"), owned(&bench, "alice-b", "1"), owned(&bench, "bob-c", "2")] {
        gateway.deployed(&spec).await;
    }
    gateway.deployed(&bench.spec("free")).await;
    assert_eq!(get(&gateway, "alice-a", "/function/alice-b/version").await, "200 one");
    let missing = get(&gateway, "alice-a", "/function/bob-x/version").await;
    assert!(missing.starts_with("404 "), "{missing}");
    for (from, to) in [("alice-a", "bob-c"), ("bob-c", "alice-a"), ("alice-a", "free"), ("free", "alice-a")] {
        let told = get(&gateway, from, &format!("/function/{to}/version")).await;
        assert_eq!(told, missing.replace("bob-x", to), "as if {to} were missing");
        let queued = call(&gateway, from, "POST", "gateway:8080", &format!("/async-function/{to}")).await;
        assert_eq!(queued, told, "queued calls too");
    }
    assert_eq!(
        gateway.function("bob-c").await.get("invocationCount"),
        Some(&json!(2.0)),
        "only what it was asked from outside"
    );
    // The address of a container that ended goes to another one; what was known of it does not.
    for round in 0..3 {
        for (name, id, own) in [("alice-a", "1", "alice-b"), ("bob-c", "2", "bob-c")] {
            let spec = with(owned(&bench, name, id), json!({"envVars": {"ROUND": round.to_string()}}));
            gateway.deployed(&spec).await;
            assert_eq!(get(&gateway, name, &format!("/function/{own}/status")).await[..4], *"200 ");
        }
    }
    gateway.stop().await;
}

#[tokio::test]
async fn functions_have_nobody_called_back_whom_they_may_not_call() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    gateway.deployed(&owned(&bench, "bob-c", "2")).await;
    let before = gateway.function("bob-c").await.get("invocationCount").cloned();
    for (callback, status) in [
        ("http://gateway:8080/function/alice-a/log/called-back", "202"),
        ("http://gateway.openfaas:8080/function/bob-c/version", "400"),
        ("http://gateway:8080/async-function/bob-c", "400"),
        ("http://127.0.0.1:8080/system/functions", "400"),
        ("http://bob-c:8080/", "202"),
    ] {
        let spec = with(owned(&bench, "alice-a", "1"), json!({"envVars": {"CALLBACK": callback}}));
        gateway.deployed(&spec).await;
        let queued = call(&gateway, "alice-a", "POST", "gateway:8080", "/async-function/alice-a/version").await;
        assert!(queued.starts_with(status), "{callback}: {queued}");
        if callback.contains("called-back") {
            eventually("the callback", async || {
                let logs = gateway.system(Method::GET, "/system/logs?name=alice-a").send().await.ok()?;
                logs.text().await.ok()?.contains("called-back").then_some(())
            })
            .await;
        }
    }
    assert_eq!(gateway.function("bob-c").await.get("invocationCount").cloned(), before);
    gateway.stop().await;
}

#[tokio::test]
async fn a_port_for_everybody_knows_functions_too() {
    let bench = Bench::set_up().await;
    let listener = TcpListener::bind(("0.0.0.0", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let inside = Inside { port: Some(port), system: false, asynchronous: false };
    let gateway = Running::start_on(Config { inside, ..bench.config() }, listener).await;
    gateway.deployed(&owned(&bench, "alice-a", "1")).await;
    gateway.deployed(&owned(&bench, "bob-c", "2")).await;
    let peer = format!("gateway:{port}");
    assert_eq!(call(&gateway, "alice-a", "GET", &peer, "/function/alice-a/version").await, "200 one");
    assert!(call(&gateway, "alice-a", "GET", &peer, "/function/bob-c/version").await.starts_with("404 "));
    assert!(call(&gateway, "alice-a", "GET", &peer, "/system/info").await.starts_with("404 "));
    assert_eq!(gateway.get("/function/bob-c/version").await.0, 200, "others may call everybody");
    gateway.stop().await;

    // A second port of this machine, opened on purpose.
    let listener = TcpListener::bind(("0.0.0.0", 0)).await.unwrap();
    let other = listener.local_addr().unwrap().port();
    let inside = Inside { port: None, ..inside };
    let isolation = Isolation { host_ports: vec![other], ..Isolation::default() };
    let gateway = Running::start_on(Config { inside, isolation, ..bench.config() }, listener).await;
    let peer = format!("gateway:{other}");
    assert_eq!(call(&gateway, "alice-a", "GET", &peer, "/function/alice-a/version").await, "200 one");
    assert!(call(&gateway, "alice-a", "GET", &peer, "/function/bob-c/version").await.starts_with("404 "));
    gateway.stop().await;
}
