use std::time::Duration;

use of_gateway::Config;
use serde_json::{Value, json};

use crate::bench::{Bench, with};
use crate::support::Running;

async fn refused(gateway: &Running, spec: &Value, status: u16, parts: &[&str]) {
    let (answered, text) = gateway.put(spec).await;
    assert_eq!(answered, status, "{text}");
    for part in parts {
        assert!(text.contains(part), "\"{part}\" is missing in: {text}");
    }
}

#[tokio::test]
async fn a_version_that_does_not_become_ready_leaves_the_old_one_live() {
    let bench = Bench::set_up().await;
    let config = Config { rollout_timeout: Duration::from_secs(3), ..bench.config() };
    let gateway = Running::start(config).await;
    gateway.deployed(&bench.spec("solid")).await;
    let before = bench.containers(&gateway.instance, "solid").await;
    let mode = |mode: &str| with(bench.spec("solid"), json!({"envVars": {"MODE": mode}, "limits": {"memory": "32Mi"}}));
    refused(&gateway, &mode("exit"), 422, &["exit code 3", "line 30", "fatal: no database"]).await;
    assert!(!gateway.put(&mode("exit")).await.1.contains("line 5\n"), "only the last lines");
    refused(
        &gateway,
        &mode("deaf"),
        422,
        &["not ready within 3s", "nothing listens on port 8080", "starting in mode deaf"],
    )
    .await;
    refused(&gateway, &mode("unready"), 422, &["/_/ready answers 503"]).await;
    refused(&gateway, &mode("hungry"), 422, &["exit code 137"]).await;
    assert_eq!(bench.containers(&gateway.instance, "solid").await, before, "nothing is left over");
    assert_eq!(gateway.get("/function/solid/version").await, (200, "one".to_owned()));
    let fresh = with(mode("exit"), json!({"service": "fresh"}));
    assert_eq!(gateway.post(&fresh).await.0, 422);
    assert_eq!(gateway.get("/function/fresh").await.0, 404);
    assert!(bench.containers(&gateway.instance, "fresh").await.is_empty());
    gateway.stop().await;
}

#[tokio::test]
async fn images_that_cannot_be_had_or_started_are_refused_in_sentences() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    gateway.deployed(&bench.spec("solid")).await;
    let image = |image: &str| with(bench.spec("solid"), json!({"image": image}));
    let absent = "127.0.0.1:9/nobody/nothing:1";
    refused(&gateway, &image(absent), 422, &[absent, "cannot be pulled"]).await;
    refused(&gateway, &image("Not An Image"), 400, &["Not An Image"]).await;
    let many = with(bench.spec("solid"), json!({"limits": {"cpu": "1000"}}));
    refused(&gateway, &many, 400, &["CPUs"]).await;
    assert_eq!(gateway.get("/function/solid/version").await.0, 200);
    assert_eq!(bench.containers(&gateway.instance, "solid").await.len(), 1);
    gateway.stop().await;
}

#[tokio::test]
async fn a_name_of_another_owner_is_a_conflict() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    let owned = |id: &str, scm: &str| {
        let labels = json!({"com.openfaas.cloud.git-owner-id": id, "com.openfaas.cloud.git-scm": scm});
        with(bench.spec("alice-hello"), json!({"labels": labels}))
    };
    gateway.deployed(&owned("1", "github.com")).await;
    for spec in [owned("2", "github.com"), owned("1", "gitlab.com"), bench.spec("alice-hello")] {
        refused(&gateway, &spec, 409, &["another owner"]).await;
        assert_eq!(gateway.post(&spec).await.0, 409);
    }
    let update = with(owned("1", "github.com"), json!({"envVars": {"VERSION": "2"}}));
    assert_eq!(gateway.put(&update).await.0, 202);
    assert_eq!(gateway.get("/function/alice-hello/version").await.1, "2");
    gateway.stop().await;
}
