//! Secrets as containers see them: in memory, and there again when the memory was lost.

use std::path::PathBuf;
use std::sync::Arc;

use bollard::query_parameters::{KillContainerOptionsBuilder, StopContainerOptionsBuilder};
use http::Method;
use of_gateway::{Config, Gateway};
use serde_json::json;

use crate::bench::{Bench, with};
use crate::support::{Running, config, eventually};

/// A directory in memory of the test's own.
#[expect(clippy::unwrap_used, reason = "test helper")]
fn memory() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap()
}

#[expect(clippy::unwrap_used, reason = "test helper")]
async fn source(bench: &Bench, gateway: &Running) -> (String, PathBuf) {
    let (_, id, _) = bench.containers(&gateway.instance, "keeper").await.remove(0);
    let mounts = bench.docker.inspect_container(&id, None).await.unwrap().mounts.unwrap();
    let secret = mounts.into_iter().find(|mount| mount.destination.as_deref() == Some("/var/openfaas/secrets/key"));
    (id, secret.unwrap().source.unwrap().into())
}

async fn keeps(gateway: &Running, what: &str) {
    eventually(what, async || {
        (gateway.get("/function/keeper/secret/key").await == (200, "s3cret".to_owned())).then_some(())
    })
    .await;
    let kind = gateway.get("/function/keeper/fstype/var/openfaas/secrets/key").await;
    assert_eq!((kind.0, kind.1.trim()), (200, "tmpfs"), "{what}");
}

#[tokio::test]
async fn a_secret_is_in_memory_and_survives_restarts_and_a_lost_memory() {
    let bench = Bench::set_up().await;
    let memory = memory();
    let config = Config { secrets_mount_dir: Some(memory.path().to_owned()), ..bench.config() };
    let gateway = Running::start(config.clone()).await;
    let secret = json!({"name": "key", "value": "s3cret"});
    assert_eq!(gateway.system_json(Method::POST, "/system/secrets", secret).await.0, 202);
    // As faas-cli names it that finds it in the stack file and among its options.
    gateway.deployed(&with(bench.spec("keeper"), json!({"secrets": ["key", "key"]}))).await;
    keeps(&gateway, "the secret").await;
    let (id, file) = source(&bench, &gateway).await;
    assert!(file.starts_with(memory.path()) && !file.starts_with(bench.dir.path()), "{}", file.display());
    let own = memory.path().join(format!("of-gateway-{}", gateway.instance));
    gateway.stop().await;
    let gateway = Running::start(config.clone()).await;
    keeps(&gateway, "the secret after a restart of the gateway").await;
    gateway.stop().await;

    // As after a restart of the machine: the memory is empty, and the engine could not start the container.
    bench.docker.stop_container(&id, Some(StopContainerOptionsBuilder::default().t(1).build())).await.unwrap();
    std::fs::remove_dir_all(&own).unwrap();
    assert!(bench.docker.start_container(&id, None).await.is_err(), "it cannot be started without its file");
    let gateway = Running::start(config.clone()).await;
    keeps(&gateway, "the secret after a restart of the machine").await;
    assert_eq!(source(&bench, &gateway).await.0, id, "the same container");

    // Lost under a running gateway, and noticed when the container ends.
    std::fs::remove_dir_all(&own).unwrap();
    bench
        .docker
        .kill_container(&id, Some(KillContainerOptionsBuilder::default().signal("KILL").build()))
        .await
        .unwrap();
    keeps(&gateway, "the secret after the memory was lost").await;

    // Lost while it is at zero.
    assert_eq!(gateway.scale("keeper", 0).await.0, 202);
    std::fs::remove_dir_all(&own).unwrap();
    keeps(&gateway, "the secret after a start from zero").await;
    gateway.stop().await;
    of_gateway::purge(&config).await.unwrap();
    assert!(!own.exists(), "nothing is left in memory");
}

#[tokio::test]
async fn a_secret_that_is_deleted_in_use_keeps_a_container_from_starting_and_the_status_says_so() {
    let bench = Bench::set_up().await;
    let gateway = bench.gateway().await;
    let secret = json!({"name": "key", "value": "s3cret"});
    assert_eq!(gateway.system_json(Method::POST, "/system/secrets", secret.clone()).await.0, 202);
    gateway.deployed(&with(bench.spec("keeper"), json!({"secrets": ["key"]}))).await;
    let delete = json!({"name": "key"});
    assert_eq!(gateway.system_json(Method::DELETE, "/system/secrets", delete).await.0, 202);
    keeps(&gateway, "what a running container has").await;
    let (id, file) = source(&bench, &gateway).await;
    assert!(!file.exists());
    bench
        .docker
        .kill_container(&id, Some(KillContainerOptionsBuilder::default().signal("KILL").build()))
        .await
        .unwrap();
    eventually("the condition", async || {
        let shown = gateway.function("keeper").await;
        let told = shown["conditions"].as_array()?.iter().find(|condition| condition["type"] == "CannotStart")?.clone();
        told["message"].as_str()?.contains("the secret key is gone; create it again").then_some(())
    })
    .await;
    assert_eq!(gateway.system_json(Method::POST, "/system/secrets", secret).await.0, 202);
    keeps(&gateway, "the secret once it is there again").await;
    assert_eq!(gateway.function("keeper").await["conditions"].as_array().map(Vec::len), Some(1), "only that it ended");
    gateway.stop().await;
}

#[tokio::test]
async fn a_directory_on_a_disk_is_refused_at_the_start() {
    let (dir, disk) = (tempfile::tempdir().unwrap(), tempfile::tempdir_in("/var/tmp").unwrap());
    let config = Config { secrets_mount_dir: Some(disk.path().to_owned()), ..config(dir.path()) };
    let Err(error) = Gateway::start(config).await else { panic!("it starts") };
    let source = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    assert!(source.contains("is not in memory (tmpfs)") && source.contains("secrets_mount_dir"), "{error}: {source}");
}

#[tokio::test]
async fn a_changed_secret_reaches_a_function_that_is_deployed_again_and_no_request_is_lost() {
    let bench = Bench::set_up().await;
    let gateway = Arc::new(bench.gateway().await);
    let put = async |method: Method, value: &str| {
        let secret = json!({"name": "alice-db.password", "value": value, "fileName": "password"});
        assert_eq!(gateway.system_json(method, "/system/secrets", secret).await.0, 202);
    };
    put(Method::POST, "one").await;
    // What the pipeline changes with a secret: the digest of the deployment.
    let spec = |digest: &str| {
        let more = json!({"secrets": ["alice-db.password"], "labels": {"digest": digest}});
        with(bench.spec("keeper"), more)
    };
    gateway.deployed(&spec("1")).await;
    gateway.deployed(&with(bench.spec("other"), json!({"secrets": ["alice-db.password"]}))).await;
    assert_eq!(gateway.get("/function/keeper/secret/password").await, (200, "one".to_owned()));
    let other = bench.containers(&gateway.instance, "other").await;

    let slow = tokio::spawn(gateway.http.get(gateway.at("/function/keeper/slow")).send());
    let caller = Arc::clone(&gateway);
    let load = tokio::spawn(async move {
        let (mut seen, mut calls) = (String::new(), 0);
        while seen != "three" {
            let (status, text) = caller.get("/function/keeper/secret/password").await;
            assert_eq!(status, 200, "{text}");
            let age = |value: &str| ["one", "two", "three"].iter().position(|known| *known == value);
            assert!(seen.is_empty() || age(&text) >= age(&seen), "{seen}, then {text}");
            (seen, calls) = (text, calls + 1);
        }
        calls
    });
    eventually("the slow request to be on its way", async || {
        (gateway.function("keeper").await["invocationCount"].as_f64()? >= 3.0).then_some(())
    })
    .await;
    for (digest, value) in [("2", "two"), ("3", "three")] {
        put(Method::PUT, value).await;
        assert_eq!(gateway.put(&spec(digest)).await.0, 202);
        let now = gateway.get("/function/keeper/secret/password").await;
        assert_eq!(now, (200, value.to_owned()), "live when the answer came");
    }
    assert!(load.await.unwrap() > 1);
    assert_eq!(slow.await.unwrap().unwrap().status(), 200, "drained, not cut off");
    assert_eq!(bench.containers(&gateway.instance, "other").await, other, "who was not deployed again is left alone");
}
