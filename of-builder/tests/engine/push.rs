//! Pushes to a real registry, Debian's `docker-registry`, with a password that needs careful encoding.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use of_builder::Status;
use serde_json::json;
use tempfile::TempDir;

use crate::harness::{Builder, Image, archive, docker, last};

/// In base64 it has characters that differ between the alphabets.
const PASSWORD: &str = "p~a?s>s~";
/// bcrypt of the password.
const HTPASSWD: &str = "alice:$2y$05$abcdefghijklmnopqrstuuLRswW80gq/mM8JqI.hDOw9X33ZcJufK\n";

/// A registry with one user; ends with the test.
struct Registry {
    process: Child,
    address: String,
    folder: TempDir,
}

impl Registry {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("htpasswd"), HTPASSWD).unwrap();
        let config = json!({
            "version": "0.1",
            "storage": { "filesystem": { "rootdirectory": path("data") } },
            "http": { "addr": "127.0.0.1:0" },
            "auth": { "htpasswd": { "realm": "test", "path": path("htpasswd") } },
        });
        // JSON is YAML too.
        std::fs::write(path("config.yml"), config.to_string()).unwrap();
        let mut process = Command::new("docker-registry")
            .args(["serve", &path("config.yml")])
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("docker-registry does not start ({error}): run scripts/setup"));
        let address = listening_on(&mut process);
        Self { process, address, folder }
    }

    fn docker_config(&self, password: &str) -> String {
        let auth = base64::engine::general_purpose::STANDARD.encode(format!("alice:{password}"));
        let path = self.folder.path().join("config.json");
        std::fs::write(&path, json!({ "auths": { &self.address: { "auth": auth } } }).to_string()).unwrap();
        path.display().to_string()
    }

    async fn manifest(&self, image: &Image, digest: &str) -> reqwest::StatusCode {
        let path = image.repository.split_once('/').unwrap().1;
        let url = format!("http://{}/v2/{path}/manifests/{digest}", self.address);
        let accept = "application/vnd.docker.distribution.manifest.v2+json";
        let request = sdk::http::client().get(url).basic_auth("alice", Some(PASSWORD)).header("accept", accept);
        request.send().await.unwrap().status()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The registry logs the port that it was given, and must be read on afterwards or it blocks.
fn listening_on(process: &mut Child) -> String {
    let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
    let address = loop {
        let line = lines.next().unwrap_or_else(|| panic!("the registry ended before it listened")).unwrap();
        if let Some((_, rest)) = line.split_once("listening on ") {
            break rest.split('"').next().unwrap().to_owned();
        }
    };
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    address
}

fn small(order: serde_json::Value) -> Vec<u8> {
    archive(order, "FROM scratch\nCOPY x /\n", &[("x", &uuid::Uuid::new_v4().to_string())])
}

#[tokio::test]
async fn a_push_gives_the_registrys_digest() {
    let registry = Registry::start();
    let prefix = format!("{}/users", registry.address);
    let config = registry.docker_config(PASSWORD);
    let builder = Builder::start(&[("registry_prefix", &prefix), ("docker_config", &config)]).await;
    let image = Image::below(&prefix);
    let reports = builder.build(small(image.order())).await;
    let end = last(&reports);
    assert_eq!(end.status, Status::Success, "{end:?}");
    let digest = end.digest.clone().unwrap();
    assert_eq!(end.image, format!("{}@{digest}", image.repository));
    assert_eq!(registry.manifest(&image, &digest).await, 200);
    let known = docker().inspect_image(&image.name()).await.unwrap().repo_digests.unwrap();
    assert_eq!(known, std::slice::from_ref(&end.image));
}

#[tokio::test]
async fn skip_push_keeps_the_image_in_the_engine() {
    let registry = Registry::start();
    let prefix = format!("{}/users", registry.address);
    let builder = Builder::start(&[("registry_prefix", &prefix)]).await;
    let image = Image::below(&prefix);
    let reports = builder.build(small(json!({ "image": image.name(), "skipPush": true }))).await;
    assert_eq!(last(&reports).digest, docker().inspect_image(&image.name()).await.unwrap().id);
    assert_eq!(registry.manifest(&image, "t").await, 404);
}

#[tokio::test]
async fn a_refused_push_is_no_success() {
    let registry = Registry::start();
    let prefix = format!("{}/users", registry.address);
    let config = registry.docker_config("wrong");
    let builder = Builder::start(&[("registry_prefix", &prefix), ("docker_config", &config)]).await;
    let image = Image::below(&prefix);
    let reports = builder.build(small(image.order())).await;
    let end = last(&reports);
    assert_eq!((end.status, end.retry), (Status::Failed, true), "{end:?}");
    assert!(end.error.contains("could not be pushed") && !end.error.contains("wrong"), "{end:?}");
}

#[tokio::test]
async fn an_image_outside_the_prefix_is_refused() {
    let builder = Builder::start(&[("registry_prefix", "127.0.0.1:1/users")]).await;
    let response = builder.post(small(json!({ "image": "debian:bookworm-slim" })), true).await;
    assert_eq!(response.status(), 400);
    assert!(response.text().await.unwrap().contains("is not below 127.0.0.1:1/users/"));
}
