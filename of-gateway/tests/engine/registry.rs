//! Pulls from a real registry, Debian's `docker-registry`.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bollard::auth::DockerCredentials;
use bollard::query_parameters::{PushImageOptionsBuilder, RemoveImageOptionsBuilder, TagImageOptionsBuilder};
use futures_util::TryStreamExt as _;
use of_gateway::{Config, PullPolicy, RegistryCredentials};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bench::{Bench, SOCKET};
use crate::support::Running;
use crate::support::program::Start;

/// In base64 it has characters that differ between the alphabets, unless it is encoded with care.
const PASSWORD: &str = "???~~~>>>word";
/// Who pushes in these tests, by the engine's client, which lacks that care.
const PUSHER: (&str, &str) = ("bob", "plain");
/// bcrypt of both.
const HTPASSWD: &str = "alice:$2b$05$abcdefghijklmnopqrstuuuLyb.21tLLR0jL663h9CoUvH7I9Fmf.\n\
                        bob:$2b$05$abcdefghijklmnopqrstuuFdNDEfkb1X3rllvPrjxMBiguHm2mNL6\n";

/// A registry with two users; ends with the test.
struct Registry {
    process: Child,
    address: String,
    dir: TempDir,
}

#[expect(clippy::unwrap_used, reason = "test helper")]
impl Registry {
    fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).display().to_string();
        std::fs::write(path("htpasswd"), HTPASSWD).unwrap();
        let config = json!({
            "version": "0.1",
            "storage": {"filesystem": {"rootdirectory": path("data")}},
            "http": {"addr": "127.0.0.1:0"},
            "auth": {"htpasswd": {"realm": "test", "path": path("htpasswd")}},
        });
        // JSON is YAML too.
        std::fs::write(path("config.yml"), config.to_string()).unwrap();
        let mut process = Command::new("docker-registry")
            .args(["serve", &path("config.yml")])
            .stderr(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("docker-registry does not start ({error}): run scripts/setup"));
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok);
        let listening = lines.find(|line| line.contains("listening on ")).unwrap();
        let address = listening.split("listening on ").nth(1).unwrap().split('"').next().unwrap().to_owned();
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, address, dir }
    }

    /// Pushes an image and takes its new name away from the engine, so that it has to be pulled. Answers with its
    /// digest.
    async fn push(&self, bench: &Bench, image: &str, tag: &str) -> String {
        let repository = self.repository();
        let options = TagImageOptionsBuilder::default().repo(&repository).tag(tag).build();
        bench.docker.tag_image(image, Some(options)).await.unwrap();
        let credentials = DockerCredentials {
            username: Some(PUSHER.0.to_owned()),
            password: Some(PUSHER.1.to_owned()),
            ..DockerCredentials::default()
        };
        let options = PushImageOptionsBuilder::default().tag(tag).build();
        let pushed = bench.docker.push_image(&repository, Some(options), Some(credentials));
        pushed.try_collect::<Vec<_>>().await.unwrap();
        let name = format!("{repository}:{tag}");
        let known = bench.docker.inspect_image(&name).await.unwrap().repo_digests.unwrap();
        let digest =
            known.into_iter().find_map(|known| known.strip_prefix(&format!("{repository}@")).map(str::to_owned));
        forget(bench, &name).await;
        digest.unwrap()
    }

    fn repository(&self) -> String {
        format!("{}/private/image", self.address)
    }

    fn login(&self, password: &str) -> PathBuf {
        let path = self.dir.path().join("config.json");
        let auth = STANDARD.encode(format!("alice:{password}"));
        std::fs::write(&path, json!({"auths": {&self.address: {"auth": auth}}}).to_string()).unwrap();
        path
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[expect(clippy::unwrap_used, reason = "test helper")]
async fn forget(bench: &Bench, name: &str) {
    let options = RemoveImageOptionsBuilder::default().build();
    bench.docker.remove_image(name, Some(options), None).await.unwrap();
}

fn image(name: &str, image: &str) -> Value {
    json!({"service": name, "image": image})
}

#[tokio::test]
async fn a_private_image_is_pulled_with_the_right_credentials_only() {
    let bench = Bench::set_up().await;
    let registry = Registry::start();
    let digest = registry.push(&bench, &bench.images[1], "v2").await;
    let config = registry.login("wrong");
    let registries = RegistryCredentials::File(config.clone());
    let gateway = Running::start(Config { registries, ..bench.config() }).await;
    let (tagged, pinned) = (format!("{}:v2", registry.repository()), format!("{}@{digest}", registry.repository()));
    for name in [&tagged, &pinned] {
        let (status, text) = gateway.post(&image("private", name)).await;
        assert_eq!(status, 422, "{text}");
        assert!(text.contains(name.as_str()) && text.contains("cannot be pulled"), "{text}");
        assert!(!text.contains("wrong"), "{text}");
    }
    std::fs::write(&config, "{}").unwrap();
    assert_eq!(gateway.post(&image("private", &tagged)).await.0, 422, "none at all");
    std::fs::write(&config, "{\"auths\": oops}").unwrap();
    let (status, text) = gateway.post(&image("private", &tagged)).await;
    assert_eq!(status, 500, "{text}");
    assert!(text.contains("config.json is not understood") && !text.contains("oops"), "{text}");
    assert_eq!(gateway.post(&bench.spec("local")).await.0, 202, "an image that is here needs no credentials");

    registry.login(PASSWORD);
    for (service, name) in [("tagged", &tagged), ("pinned", &pinned)] {
        gateway.deployed(&image(service, name)).await;
        assert_eq!(gateway.get(&format!("/function/{service}/version")).await.1, "two");
        forget(&bench, name).await;
    }
    let missing = format!("{}:v3", registry.repository());
    let (status, text) = gateway.post(&image("private", &missing)).await;
    assert!(status == 422 && text.contains("v3"), "{text}");
    gateway.stop().await;
}

#[tokio::test]
async fn a_pull_is_shared_told_in_the_log_and_gives_nothing_away() {
    let bench = Bench::set_up().await;
    let registry = Registry::start();
    registry.push(&bench, &bench.images[0], "shared").await;
    let mut start = Start::new(bench.dir.path(), SOCKET);
    std::fs::copy(registry.login(PASSWORD), start.secrets.join("docker-config")).unwrap();
    start.command.env("RUST_LOG", "trace");
    let program = start.run().await;
    let name = format!("{}:shared", registry.repository());
    let (one, two) = (image("one", &name), image("two", &name));
    let (one, two) = tokio::join!(program.deploy(&one), program.deploy(&two));
    assert_eq!((one.0, two.0), (202, 202), "{} {}", one.1, two.1);
    let log = program.log();
    assert_eq!(log.matches(" Pulling an image.").count(), 1, "{log}");
    let pulled = log.lines().find(|line| line.contains("An image was pulled.")).expect("a line at the end");
    for field in ["image=", "milliseconds=", "size=", "layers="] {
        assert!(pulled.contains(field), "{field} is missing in {pulled}");
    }
    for secret in [PASSWORD.to_owned(), STANDARD.encode(format!("alice:{PASSWORD}")), STANDARD.encode(PASSWORD)] {
        assert!(!log.contains(&secret), "{secret} is in the log");
    }
    forget(&bench, &name).await;
}

#[tokio::test]
async fn a_moved_tag_is_followed_where_that_is_asked_for() {
    let bench = Bench::set_up().await;
    let mut registry = Registry::start();
    let name = format!("{}:moving", registry.repository());
    let registries = RegistryCredentials::File(registry.login(PASSWORD));
    registry.push(&bench, &bench.images[0], "moving").await;
    let gateway = Running::start(Config { registries: registries.clone(), ..bench.config() }).await;
    gateway.deployed(&image("mover", &name)).await;
    // Elsewhere somebody pushes another image under that name; here it stays what it was.
    let here = bench.docker.inspect_image(&name).await.unwrap().id.unwrap();
    registry.push(&bench, &bench.images[1], "moving").await;
    let (repository, tag) = name.rsplit_once(':').unwrap();
    let options = TagImageOptionsBuilder::default().repo(repository).tag(tag).build();
    bench.docker.tag_image(&here, Some(options)).await.unwrap();
    assert_eq!(gateway.put(&image("mover", &name)).await.0, 202);
    assert_eq!(gateway.get("/function/mover/version").await.1, "one");
    gateway.stop().await;

    let config = Config { registries, pull_policy: PullPolicy::Always, ..bench.config() };
    let gateway = Running::start(config).await;
    assert_eq!(gateway.put(&image("mover", &name)).await.0, 202);
    assert_eq!(gateway.get("/function/mover/version").await.1, "two");
    registry.process.kill().unwrap();
    registry.process.wait().unwrap();
    let (status, text) = gateway.put(&image("mover", &name)).await;
    assert_eq!(status, 422, "a registry that is gone is no reason to take what is here: {text}");
    assert_eq!(gateway.get("/function/mover/version").await.1, "two");
    gateway.stop().await;
    forget(&bench, &name).await;
}
