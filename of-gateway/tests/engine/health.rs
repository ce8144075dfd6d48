//! Replicas that crash, hang, run out of memory or want no requests, and what is told of them.

use serde_json::{Value, json};

use crate::bench::{Bench, with};
use crate::support::{Running, eventually};

/// Asked once a second, and given up after two failures.
fn impatient() -> Value {
    json!({
        "com.openfaas.health.http.periodSeconds": "1",
        "com.openfaas.health.http.timeoutSeconds": "1",
        "com.openfaas.health.http.failureThreshold": "2",
        "com.openfaas.ready.http.failureThreshold": "1",
    })
}

/// The first condition of a function that is of this kind.
async fn condition(gateway: &Running, name: &str, kind: &str) -> Value {
    eventually(&format!("the condition {kind}"), async || {
        let shown = gateway.function(name).await;
        shown["conditions"].as_array()?.iter().find(|condition| condition["type"] == kind).cloned()
    })
    .await
}

async fn answers(gateway: &Running, path: &str) {
    eventually(&format!("an answer to {path}"), async || (gateway.get(path).await.0 == 200).then_some(())).await;
}

#[tokio::test]
async fn a_function_is_asked_as_its_annotations_say() {
    let bench = Bench::set_up().await;
    let config = of_gateway::Config { rollout_timeout: std::time::Duration::from_secs(2), ..bench.config() };
    let gateway = Running::start(config).await;
    let annotated = |pairs: Value| with(bench.spec("asked"), json!({ "annotations": pairs }));
    for name in ["com.openfaas.ready.http.path", "com.openfaas.health.http.path"] {
        let (status, text) = gateway.post(&annotated(json!({name: "/fail"}))).await;
        assert_eq!(status, 422, "{text}");
        assert!(text.contains("/fail answers 500"), "{text}");
    }
    let (status, text) = gateway.post(&annotated(json!({"com.openfaas.ready.http.periodSeconds": "often"}))).await;
    assert_eq!(status, 400, "{text}");
    assert!(text.contains("com.openfaas.ready.http.periodSeconds is \"often\""), "{text}");
    let begun = std::time::Instant::now();
    let both = json!({"com.openfaas.ready.http.path": "/version", "com.openfaas.ready.http.initialDelay": "3s"});
    gateway.deployed(&annotated(both)).await;
    assert!(
        begun.elapsed() > std::time::Duration::from_secs(3),
        "the delay is waited for, and does not use up the time"
    );
    gateway.stop().await;
}

#[tokio::test]
async fn what_speaks_no_http_is_ready_when_it_listens_and_what_is_silent_is_not() {
    let bench = Bench::set_up().await;
    let config = of_gateway::Config { rollout_timeout: std::time::Duration::from_secs(5), ..bench.config() };
    let gateway = Running::start(config).await;
    let mode = |mode: &str| with(bench.spec(mode), json!({"envVars": {"MODE": mode}, "annotations": impatient()}));
    gateway.deployed(&mode("mail")).await;
    let (status, text) = gateway.post(&mode("mute")).await;
    assert_eq!(status, 422, "{text}");
    assert!(text.contains("no answer within"), "{text}");
    // By now it was asked several times how it is.
    let shown = gateway.function("mail").await;
    assert_eq!((&shown["availableReplicas"], shown.get("conditions")), (&json!(1), None));
    gateway.stop().await;
}

#[tokio::test]
async fn a_replica_that_hangs_is_started_anew() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    gateway.deployed(&with(bench.spec("sleepy"), json!({ "annotations": impatient() }))).await;
    let before = bench.containers(&gateway.instance, "sleepy").await;
    assert_eq!(gateway.get("/function/sleepy/hang").await.0, 200);
    let told = condition(&gateway, "sleepy", "Restarted").await;
    assert!(told["message"].as_str().unwrap().contains("did not answer (no answer within 1s)"), "{told}");
    answers(&gateway, "/function/sleepy/version").await;
    let after = bench.containers(&gateway.instance, "sleepy").await;
    assert_eq!(before[0].1, after[0].1, "the same container");
    gateway.stop().await;

    // One that hangs when the gateway comes is no different.
    let id = &after[0].1;
    let stopped = bench.docker.inspect_container(id, None).await.unwrap().state.unwrap();
    let group = i32::try_from(stopped.pid.unwrap()).unwrap();
    let own = std::fs::read_to_string(format!("/proc/{group}/task/{group}/children")).unwrap();
    let done = std::process::Command::new("kill").args(["-STOP", own.trim()]).status().unwrap();
    assert!(done.success());
    let config = of_gateway::Config { rollout_timeout: std::time::Duration::from_secs(3), ..bench.config() };
    let gateway = Running::start(config).await;
    answers(&gateway, "/function/sleepy/version").await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_replica_that_is_busy_is_left_alone() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    let spec = json!({"envVars": {"MODE": "single"}, "annotations": impatient()});
    gateway.deployed(&with(bench.spec("single"), spec)).await;
    assert_eq!(gateway.get("/function/single/nap/7").await, (200, "awake".to_owned()), "not cut off");
    let shown = gateway.function("single").await;
    assert_eq!((&shown["availableReplicas"], shown.get("conditions")), (&json!(1), None));
    gateway.stop().await;
}

#[tokio::test]
async fn a_replica_that_is_not_ready_is_passed_over_until_it_is() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    gateway.deployed(&with(bench.spec("moody"), json!({ "annotations": impatient() }))).await;
    assert_eq!(gateway.scale("moody", 2).await.0, 202);
    assert_eq!(gateway.get("/function/moody/unready/8").await.0, 200);
    let told = condition(&gateway, "moody", "NotReady").await;
    assert_eq!(told["message"], "/_/ready answers 503");
    assert_eq!(gateway.function("moody").await["availableReplicas"], 1);
    for _ in 0..10 {
        assert_eq!(gateway.get("/function/moody/version").await.0, 200, "by the other one");
    }
    eventually("both to be back", async || {
        let shown = gateway.function("moody").await;
        (shown["availableReplicas"] == 2 && shown.get("conditions").is_none()).then_some(())
    })
    .await;
    gateway.stop().await;
}

#[tokio::test]
async fn a_crash_loop_slows_down_and_is_told_in_the_status() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    gateway.deployed(&with(bench.spec("doomed"), json!({"readOnlyRootFilesystem": false}))).await;
    assert_eq!(gateway.function("doomed").await.get("conditions"), None, "nothing is said while all is well");
    assert_eq!(gateway.get("/function/doomed/doom").await.0, 200);
    let told = condition(&gateway, "doomed", "CrashLoop").await;
    assert!(told["restarts"].as_u64().unwrap() >= 3, "{told}");
    let last = eventually("the last lines", async || {
        let told = condition(&gateway, "doomed", "CrashLoop").await;
        (told["exitCode"] == 9 && told["log"].as_array().is_some_and(|log| log.contains(&json!("fatal: doomed"))))
            .then_some(told)
    })
    .await;
    assert_eq!(last["message"], "it ended with exit code 9");
    let id = &bench.containers(&gateway.instance, "doomed").await[0].1;
    assert_eq!(last["instance"], id[..12]);
    // The engine doubles the pause each time: after some seconds it is seconds long.
    let mut exits: Vec<chrono::DateTime<chrono::Utc>> = Vec::new();
    let pause = eventually("a pause of two seconds between ends", async || {
        let told = condition(&gateway, "doomed", "CrashLoop").await;
        let exit = told["lastExit"].as_str()?.parse().ok()?;
        if exits.last() != Some(&exit) {
            exits.push(exit);
        }
        let [.., early, late] = exits[..] else { return None };
        (late - early >= chrono::TimeDelta::seconds(2)).then_some(late - early)
    })
    .await;
    assert!(pause < chrono::TimeDelta::seconds(60), "{pause}");
    let listed = gateway.system_get("/system/functions").await;
    assert_eq!(listed[0]["conditions"][0]["type"], "CrashLoop");
    gateway.stop().await;
}

#[tokio::test]
async fn running_out_of_memory_is_told_in_the_status() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    gateway.deployed(&with(bench.spec("hungry"), json!({"limits": {"memory": "32Mi"}}))).await;
    assert_eq!(gateway.get("/function/hungry/starve").await.0, 200);
    let told = condition(&gateway, "hungry", "Restarted").await;
    assert_eq!((&told["outOfMemory"], &told["exitCode"], &told["restarts"]), (&json!(true), &json!(137), &json!(1)));
    assert!(told["message"].as_str().unwrap().contains("limits.memory"), "{told}");
    answers(&gateway, "/function/hungry/version").await;
    gateway.stop().await;
}
