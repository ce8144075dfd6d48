use std::sync::Arc;
use std::time::{Duration, Instant};

use bollard::query_parameters::KillContainerOptionsBuilder;
use http::Method;
use of_gateway::{Config, Scaling};
use serde_json::{Value, json};

use crate::bench::{Bench, with};
use crate::support::{Running, eventually};

const SECOND: Duration = Duration::from_secs(1);

async fn quick(bench: &Bench) -> Running {
    let scaling = Scaling { interval: Duration::from_millis(100), calm: SECOND, hold: 20 * SECOND };
    Running::start(Config { scaling, ..bench.config() }).await
}

async fn replicas(gateway: &Running, name: &str) -> u64 {
    gateway.function(name).await["replicas"].as_u64().unwrap_or(0)
}

fn labelled(spec: Value, labels: Value) -> Value {
    with(spec, json!({ "labels": labels }))
}

#[tokio::test]
async fn the_first_request_to_a_function_at_zero_starts_it_and_all_wait() {
    let bench = Bench::set_up().await;
    let gateway = Arc::new(quick(&bench).await);
    let spec = labelled(bench.spec("sleeper"), json!({"com.openfaas.scale.min": "2"}));
    gateway.deployed(&spec).await;
    assert_eq!(gateway.scale("sleeper", 0).await.0, 202);
    assert_eq!(replicas(&gateway, "sleeper").await, 0);
    let began = Instant::now();
    let calls = (0..20).map(|_| {
        let gateway = Arc::clone(&gateway);
        tokio::spawn(async move { gateway.get("/function/sleeper/version").await })
    });
    for call in calls.collect::<Vec<_>>() {
        assert_eq!(call.await.unwrap().0, 200);
    }
    eprintln!("20 requests to a function at zero took {:?}", began.elapsed());
    eventually("as many replicas as it has at least", async || {
        (gateway.function("sleeper").await["availableReplicas"] == 2).then_some(())
    })
    .await;
    assert_eq!(bench.containers(&gateway.instance, "sleeper").await.len(), 2);
}

#[tokio::test]
async fn a_queued_call_starts_a_function_at_zero_too() {
    let bench = Bench::set_up().await;
    let gateway = quick(&bench).await;
    gateway.deployed(&bench.spec("sleeper")).await;
    assert_eq!(gateway.scale("sleeper", 0).await.0, 202);
    let call = gateway.http.post(gateway.at("/async-function/sleeper/log/awake"));
    assert_eq!(call.send().await.unwrap().status(), 202);
    eventually("the function to be up", async || (replicas(&gateway, "sleeper").await == 1).then_some(())).await;
    gateway.stop().await;
}

#[tokio::test]
async fn an_idle_function_is_scaled_to_zero_and_one_in_use_is_not() {
    let bench = Bench::set_up().await;
    let gateway = quick(&bench).await;
    let zero = json!({"com.openfaas.scale.zero": "true", "com.openfaas.scale.zero-duration": "1s"});
    gateway.deployed(&labelled(bench.spec("idle"), zero)).await;
    let slow = gateway.get("/function/idle/slow").await;
    assert_eq!(slow.0, 200, "two seconds of work are not idleness: {slow:?}");
    eventually("the function to go to zero", async || (replicas(&gateway, "idle").await == 0).then_some(())).await;
    let states = bench.containers(&gateway.instance, "idle").await;
    assert!(states.len() == 1 && states[0].0.ends_with("-zero"), "{states:?}");
    assert_eq!(gateway.get("/function/idle/version").await.0, 200);
    gateway.stop().await;
}

#[tokio::test]
async fn load_brings_replicas_and_calm_takes_them_away() {
    let bench = Bench::set_up().await;
    let gateway = Arc::new(quick(&bench).await);
    let scale = json!({
        "com.openfaas.scale.type": "capacity", "com.openfaas.scale.target": "2",
        "com.openfaas.scale.target-proportion": "1", "com.openfaas.scale.max": "3",
    });
    gateway.deployed(&labelled(bench.spec("crowd"), scale)).await;
    let load: Vec<_> = (0..6)
        .map(|_| {
            let gateway = Arc::clone(&gateway);
            tokio::spawn(async move {
                for _ in 0..3 {
                    assert_eq!(gateway.get("/function/crowd/slow").await.0, 200);
                }
            })
        })
        .collect();
    eventually("three replicas", async || (replicas(&gateway, "crowd").await == 3).then_some(())).await;
    for call in load {
        call.await.unwrap();
    }
    eventually("one replica", async || (replicas(&gateway, "crowd").await == 1).then_some(())).await;
    assert_eq!(gateway.get("/function/crowd/version").await.0, 200);
}

#[tokio::test]
async fn a_replica_that_hangs_is_passed_over() {
    let bench = Bench::set_up().await;
    let gateway = quick(&bench).await;
    let spec = with(bench.spec("twins"), json!({"annotations": {"com.openfaas.upstream_timeout": "400ms"}}));
    gateway.deployed(&spec).await;
    assert_eq!(gateway.scale("twins", 2).await.0, 202);
    let hanging = bench.containers(&gateway.instance, "twins").await.remove(0).1;
    bench.docker.pause_container(&hanging).await.unwrap();
    let mut failed = 0;
    for _ in 0..40 {
        failed += u32::from(gateway.get("/function/twins/version").await.0 != 200);
    }
    bench.docker.unpause_container(&hanging).await.unwrap();
    assert!(failed <= 8, "{failed} of 40 calls went to a replica that hangs");
    gateway.stop().await;
}

#[tokio::test]
async fn new_requests_wait_for_a_container_that_was_killed() {
    let bench = Bench::set_up().await;
    let gateway = quick(&bench).await;
    gateway.deployed(&bench.spec("phoenix")).await;
    let id = bench.containers(&gateway.instance, "phoenix").await.remove(0).1;
    let options = KillContainerOptionsBuilder::default().signal("KILL").build();
    bench.docker.kill_container(&id, Some(options)).await.unwrap();
    for _ in 0..20 {
        let (status, text) = gateway.get("/function/phoenix/version").await;
        assert_eq!(status, 200, "{text}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_replica_gets_as_many_requests_as_it_takes() {
    let bench = Bench::set_up().await;
    let gateway = Arc::new(quick(&bench).await);
    gateway.deployed(&with(bench.spec("single"), json!({"envVars": {"max_inflight": "1"}}))).await;
    let busy = Arc::clone(&gateway);
    let slow = tokio::spawn(async move { busy.get("/function/single/slow").await.0 });
    eventually("the slow call to be under way", async || {
        (gateway.function("single").await["invocationCount"].as_f64()? >= 1.0).then_some(())
    })
    .await;
    let refused = eventually("a refusal", async || {
        let response = gateway.http.get(gateway.at("/function/single/version")).send().await.unwrap();
        (response.status() != 200).then_some(response)
    })
    .await;
    assert_eq!(
        (refused.status().as_u16(), &refused.headers()["x-openfaas-internal"]),
        (429, &"proxy".parse().unwrap())
    );
    assert_eq!(slow.await.unwrap(), 200);
    assert_eq!(gateway.get("/function/single/version").await.0, 200);
}

#[tokio::test]
async fn queued_calls_wait_for_a_place_and_lose_no_attempt() {
    let bench = Bench::set_up().await;
    let retry = of_gateway::Retry { first: Duration::from_millis(5), cap: Duration::from_millis(5), attempts: 1 };
    let gateway = Arc::new(Running::start(Config { retry, ..bench.config() }).await);
    gateway.deployed(&with(bench.spec("single"), json!({"envVars": {"max_inflight": "1"}}))).await;
    let busy = Arc::clone(&gateway);
    let begun =
        async |calls: f64| (gateway.function("single").await["invocationCount"].as_f64()? >= calls).then_some(());
    let nap = tokio::spawn(async move { busy.get("/function/single/nap/3").await.0 });
    eventually("the call to be under way", async || begun(1.0).await).await;
    for n in 0..5 {
        let call = gateway.http.post(gateway.at("/async-function/single/version")).header("x-call-id", n.to_string());
        assert_eq!(call.send().await.unwrap().status(), 202);
    }
    assert_eq!(nap.await.unwrap(), 200);
    eventually("all calls to be made", async || begun(6.0).await).await;
    eventually("the queue to be empty", async || {
        let lanes = gateway.system_get("/system/async/dead").await;
        assert_eq!(lanes, json!([]), "none was given up");
        (gateway.function("single").await["invocationCount"] == 6.0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_queued_call_of_a_function_that_was_removed_is_given_up() {
    let bench = Bench::set_up().await;
    let retry = of_gateway::Retry { first: Duration::from_millis(5), cap: Duration::from_millis(5), attempts: 2 };
    let drain_timeout = Duration::from_millis(100);
    let gateway = Running::start(Config { retry, drain_timeout, ..bench.config() }).await;
    gateway.deployed(&bench.spec("gone")).await;
    let call = gateway.http.post(gateway.at("/async-function/gone/nap/600"));
    assert_eq!(call.send().await.unwrap().status(), 202);
    eventually("the call to be under way", async || {
        (gateway.function("gone").await["invocationCount"].as_f64()? >= 1.0).then_some(())
    })
    .await;
    let removed = gateway.system_json(Method::DELETE, "/system/functions", json!({"functionName": "gone"})).await;
    assert_eq!(removed.0, 202);
    let reason = eventually("a dead letter", async || {
        gateway.system_get("/system/async/dead").await[0]["reason"].as_str().map(str::to_owned)
    })
    .await;
    assert!(reason.contains("gone.openfaas-fn is not deployed"), "{reason}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_function_has_limits_of_its_own() {
    let bench = Bench::set_up().await;
    let gateway = quick(&bench).await;
    let annotations = json!({"com.openfaas.upstream_timeout": "500ms", "com.openfaas.max_body_bytes": "10"});
    gateway.deployed(&with(bench.spec("strict"), json!({ "annotations": annotations }))).await;
    let (status, text) = gateway.get("/function/strict/slow").await;
    assert!(status == 502 && text.contains("500ms"), "{status}: {text}");
    let post = |body: &'static str| gateway.http.post(gateway.at("/function/strict")).body(body).send();
    assert_eq!(post("0123456789").await.unwrap().status(), 200);
    assert_eq!(post("0123456789x").await.unwrap().status(), 413);
    gateway.stop().await;
}

#[tokio::test]
async fn a_namespace_holds_no_more_than_its_quota() {
    let bench = Bench::set_up().await;
    let gateway = quick(&bench).await;
    let quota = json!({"annotations": {"com.openfaas.quota.functions": "1", "com.openfaas.quota.memory": "256Mi"}});
    assert_eq!(gateway.system_json(Method::POST, "/system/namespace/small", quota).await.0, 201);
    let small = |name: &str| with(bench.spec(name), json!({"namespace": "small"}));
    gateway.deployed(&small("first")).await;
    let (status, text) = gateway.post(&small("second")).await;
    assert!(status == 403 && text.contains("1 functions"), "{status}: {text}");
    gateway.deployed(&bench.spec("elsewhere")).await;
    let scale = async |replicas: u64| {
        let body = json!({"serviceName": "first", "namespace": "small", "replicas": replicas});
        gateway.system_json(Method::POST, "/system/scale-function/first", body).await
    };
    assert_eq!(scale(2).await.0, 202);
    let (status, text) = scale(3).await;
    assert!(status == 403 && text.contains("256Mi of memory"), "{status}: {text}");
    assert_eq!(gateway.system_get("/system/function/first.small").await["replicas"], 2);
    let gone = json!({"functionName": "first", "namespace": "small"});
    assert_eq!(gateway.system_json(Method::DELETE, "/system/functions", gone).await.0, 202);
    gateway.deployed(&small("second")).await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_function_that_does_not_start_from_zero_is_not_started_for_every_request() {
    let bench = Bench::set_up().await;
    let gateway = quick(&bench).await;
    let secret = json!({"name": "key", "value": "v"});
    assert_eq!(gateway.system_json(Method::POST, "/system/secrets", secret.clone()).await.0, 202);
    gateway.deployed(&with(bench.spec("broken"), json!({"secrets": ["key"]}))).await;
    assert_eq!(gateway.scale("broken", 0).await.0, 202);
    let parked = bench.containers(&gateway.instance, "broken").await.remove(0).1;
    let options = bollard::query_parameters::RemoveContainerOptionsBuilder::default().force(true).build();
    bench.docker.remove_container(&parked, Some(options)).await.unwrap();
    assert_eq!(gateway.system_json(Method::DELETE, "/system/secrets", secret.clone()).await.0, 202);
    let began = Instant::now();
    for _ in 0..10 {
        let response = gateway.http.get(gateway.at("/function/broken/version")).send().await.unwrap();
        assert_eq!(
            (response.status().as_u16(), response.headers()["x-openfaas-internal"].as_bytes()),
            (503, &b"proxy"[..])
        );
    }
    assert!(began.elapsed() < 15 * SECOND, "one attempt, not ten: {:?}", began.elapsed());
    assert_eq!(gateway.system_json(Method::POST, "/system/secrets", secret).await.0, 202);
    eventually("the function to come back", async || {
        (gateway.get("/function/broken/version").await.0 == 200).then_some(())
    })
    .await;
    gateway.stop().await;
}
