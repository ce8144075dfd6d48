//! An image, a gateway and functions of a test's own, all removed at its end however it ends.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "test helper")]

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use bollard::query_parameters::{BuildImageOptionsBuilder, ListContainersOptionsBuilder, RemoveImageOptionsBuilder};
use bollard::{API_DEFAULT_VERSION, Docker};
use futures_util::TryStreamExt;
use http::Method;
use of_gateway::{Config, purge};
use serde_json::{Value, json};

use crate::support::{Running, config};

pub(crate) const SOCKET: &str = "unix:///var/run/docker.sock";
const SERVER: &str = include_str!("server.pl");

pub(crate) struct Bench {
    pub(crate) docker: Docker,
    /// Two images of the same server that call themselves `one` and `two`.
    pub(crate) images: [String; 2],
    pub(crate) dir: tempfile::TempDir,
}

impl Bench {
    pub(crate) async fn set_up() -> Self {
        let docker = Docker::connect_with_unix(SOCKET, 60, API_DEFAULT_VERSION).expect(NO_ENGINE);
        docker.ping().await.expect(NO_ENGINE);
        let tag = uuid::Uuid::new_v4().simple().to_string();
        let images = ["one", "two"].map(|version| format!("of-gateway-test-{tag}:{version}"));
        for (image, version) in images.iter().zip(["one", "two"]) {
            build(&docker, image, version).await;
        }
        Self { docker, images, dir: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn config(&self) -> Config {
        Config {
            engine: SOCKET.to_owned(),
            rollout_timeout: Duration::from_secs(20),
            stop_timeout: Duration::from_secs(2),
            ..config(self.dir.path())
        }
    }

    pub(crate) async fn gateway(&self) -> Running {
        Running::start(self.config()).await
    }

    pub(crate) fn spec(&self, name: &str) -> Value {
        json!({"service": name, "image": self.images[0]})
    }

    /// Names, ids and states of a function's containers.
    pub(crate) async fn containers(&self, instance: &str, function: &str) -> Vec<(String, String, String)> {
        let labels = vec![format!("of-gateway.instance={instance}"), format!("of-gateway.function={function}")];
        let filters = HashMap::from([("label", labels)]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        let found = self.docker.list_containers(Some(options)).await.unwrap();
        let each = found.into_iter().map(|container| {
            let state = container.state.map(|state| state.to_string()).unwrap_or_default();
            (container.names.unwrap().remove(0), container.id.unwrap(), state)
        });
        each.collect()
    }
}

const NO_ENGINE: &str = "these tests need a container engine: run `scripts/engine start` first";

async fn build(docker: &Docker, image: &str, version: &str) {
    let dockerfile = "FROM debian:bookworm-slim\nCOPY server.pl version /\nUSER 1000\nCMD [\"perl\", \"/server.pl\"]\n";
    let mut archive = tar::Builder::new(Vec::new());
    for (name, text) in [("Dockerfile", dockerfile), ("server.pl", SERVER), ("version", version)] {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        archive.append_data(&mut header, Path::new(name), text.as_bytes()).unwrap();
    }
    // Without the cache: a step found there may be one of another test's image, which goes when that test ends.
    let options = BuildImageOptionsBuilder::default().t(image).rm(true).nocache(true).build();
    let body = bollard::body_full(archive.into_inner().unwrap().into());
    let steps = docker.build_image(options, None, Some(body)).try_collect::<Vec<_>>().await;
    steps.expect("debian:bookworm-slim must be there: run `scripts/base-images`");
}

impl Drop for Bench {
    fn drop(&mut self) {
        let (config, docker, images) = (self.config(), self.docker.clone(), self.images.clone());
        // A runtime of its own: the test's may be ending by a panic.
        let cleared = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let purged = match purge(&config).await {
                    Err(error) if is_the_engine_s_fault(&docker, &format!("{error:?}")).await => Ok(()),
                    purged => purged.map(drop),
                };
                for image in &images {
                    let options = RemoveImageOptionsBuilder::default().force(true).build();
                    let _ = docker.remove_image(image, Some(options), None).await;
                }
                purged
            })
        });
        // Waited for in any case; a second panic within a first would only hide it.
        let outcome = cleared.join();
        if !std::thread::panicking() {
            outcome.unwrap().unwrap();
        }
    }
}

/// Docker 20.10 keeps counting, once in some thousand removals under load, an endpoint that no container has. Then nobody can remove
/// the network until the engine is started anew, and that is no test's fault.
async fn is_the_engine_s_fault(docker: &Docker, error: &str) -> bool {
    if !error.contains("has active endpoints") {
        return false;
    }
    let networks = docker.list_networks(None).await.unwrap();
    let Some(id) = networks.into_iter().filter_map(|network| network.id).find(|id| error.contains(id)) else {
        return false;
    };
    let network = docker.inspect_network(&id, None).await.unwrap();
    eprintln!("the engine does not let go of the network {id}: {network:?}");
    network.containers.unwrap_or_default().is_empty()
}

impl Running {
    pub(crate) async fn put(&self, spec: &Value) -> (u16, String) {
        self.system_json(Method::PUT, "/system/functions", spec.clone()).await
    }

    pub(crate) async fn post(&self, spec: &Value) -> (u16, String) {
        self.system_json(Method::POST, "/system/functions", spec.clone()).await
    }

    /// Deploys, and fails the test if that fails.
    pub(crate) async fn deployed(&self, spec: &Value) {
        let (status, text) = self.post(spec).await;
        assert_eq!(status, 202, "{text}");
    }

    pub(crate) async fn scale(&self, name: &str, replicas: u64) -> (u16, String) {
        let body = json!({"serviceName": name, "replicas": replicas});
        self.system_json(Method::POST, &format!("/system/scale-function/{name}"), body).await
    }

    pub(crate) async fn function(&self, name: &str) -> Value {
        self.system_get(&format!("/system/function/{name}")).await
    }
}

pub(crate) fn with(mut spec: Value, more: Value) -> Value {
    let (Some(into), Value::Object(more)) = (spec.as_object_mut(), more) else { return spec };
    into.extend(more);
    spec
}
