//! The real git program through the router to the real git host.
#![expect(clippy::unwrap_used, reason = "test helpers")]

mod support;

use std::io::Read;
use std::path::Path;
use std::process::Output;
use std::sync::Arc;
use std::time::Duration;

use axum::routing::post;
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use support::{DEADLINE, Gateway, Router, config};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

struct Place {
    router: Router,
    /// Where the platform reports about commits, which is not to be reached through the router.
    api: String,
    token: String,
    webhooks: mpsc::Receiver<Value>,
    data: tempfile::TempDir,
}

async fn place() -> Place {
    let data = tempfile::tempdir().unwrap();
    let (tell, webhooks) = mpsc::channel(8);
    let tell = Arc::new(tell);
    let platform = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let webhook_url = format!("http://{}/", platform.local_addr().unwrap()).parse().unwrap();
    let app = axum::Router::new().route(
        "/",
        post(move |body: axum::Json<Value>| async move {
            tell.send(body.0).await.unwrap();
        }),
    );
    tokio::spawn(async move { axum::serve(platform, app).await.unwrap() });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let git = listener.local_addr().unwrap();
    let secrets = of_git::Secrets { webhook: "w".into(), token_key: "k".into() };
    let public_url = "http://git.localhost".parse().unwrap();
    let mut host = of_git::Config::new(data.path().join("git"), public_url, webhook_url, secrets);
    host.platform_token = Some("p".into());
    host.keep_alive = Duration::from_millis(20);
    let token = of_git::token(&host.token_key, &"alice".parse().unwrap()).expose_secret().to_owned();
    tokio::spawn(of_git::serve(host, listener, CancellationToken::new()));
    let gateway = Gateway::start().await;
    let mut config = config(gateway.address);
    config.git_url = Some(format!("http://{git}").parse().unwrap());
    // Shorter than the push below takes: what streams is not slow.
    config.idle_timeout = Duration::from_millis(1500);
    let router = Router::start(config).await;
    Place { router, api: format!("http://{git}/api/v3/repos/alice/hello"), token, webhooks, data }
}

impl Place {
    fn git(&self, folder: &Path, arguments: &[&str]) -> tokio::process::Command {
        let mut command = tokio::process::Command::new("git");
        let host = format!("http.extraHeader=Host: git.localhost:{}", self.router.address.port());
        command
            .args(["-c", &host])
            .args(arguments)
            .current_dir(folder)
            .env("HOME", self.data.path())
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .envs([("GIT_AUTHOR_NAME", "Ann"), ("GIT_AUTHOR_EMAIL", "ann@example.com")])
            .envs([("GIT_COMMITTER_NAME", "Ann"), ("GIT_COMMITTER_EMAIL", "ann@example.com")])
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .kill_on_drop(true);
        command
    }

    async fn run(&self, folder: &Path, arguments: &[&str]) -> Output {
        let output = tokio::time::timeout(DEADLINE, self.git(folder, arguments).output()).await.unwrap().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    fn url(&self) -> String {
        format!("http://alice:{}@{}/alice/hello.git", self.token, self.router.address)
    }

    async fn report(&self, body: Value) {
        let request = sdk::http::client().post(format!("{}/check-runs", self.api)).bearer_auth("p").json(&body);
        assert_eq!(request.send().await.unwrap().status(), 201);
    }
}

#[tokio::test]
async fn a_push_streams_through_and_a_clone_comes_back() {
    let mut place = place().await;
    let work = tempfile::tempdir().unwrap();
    let mut noise = vec![0; 2 << 20];
    std::fs::File::open("/dev/urandom").unwrap().read_exact(&mut noise).unwrap();
    std::fs::write(work.path().join("noise"), &noise).unwrap();
    place.run(work.path(), &["init", "-q", "-b", "main"]).await;
    place.run(work.path(), &["add", "-A"]).await;
    place.run(work.path(), &["commit", "-q", "-m", "first"]).await;
    let url = place.url();
    let mut push = place.git(work.path(), &["push", &url, "main"]).spawn().unwrap();
    let webhook = tokio::time::timeout(DEADLINE, place.webhooks.recv()).await.unwrap().unwrap();
    let sha = webhook["after"].as_str().unwrap();
    let report = |name: &str, conclusion: Option<&str>, title: &str| {
        let mut body =
            json!({"name": name, "head_sha": sha, "status": "in_progress", "output": {"title": title, "summary": ""}});
        if let Some(conclusion) = conclusion {
            body["conclusion"] = conclusion.into();
        }
        body
    };
    let mut lines = BufReader::new(push.stderr.take().unwrap()).lines();
    for step in 0..4 {
        let title = format!("step {step}");
        place.report(report("greet", None, &title)).await;
        let shown = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if line.contains(&title) {
                    return;
                }
            }
            panic!("the push ended before {title}");
        };
        tokio::time::timeout(DEADLINE, shown).await.unwrap();
        // Keep-alive packets carry the connection over pauses that are together longer than the router's limit.
        assert!(tokio::time::timeout(Duration::from_millis(500), push.wait()).await.is_err(), "still open");
    }
    place.report(report("stack-deploy", Some("success"), "Deployed")).await;
    assert!(tokio::time::timeout(DEADLINE, push.wait()).await.unwrap().unwrap().success());

    place.run(work.path(), &["clone", "-q", &url, "copy"]).await;
    assert_eq!(std::fs::read(work.path().join("copy/noise")).unwrap(), noise);
}

#[tokio::test]
async fn the_git_host_s_rest_interface_is_not_public() {
    let place = place().await;
    let host = "git.localhost";
    let answer = place.router.get(host, "/api/v3/repos/alice/hello/commits/x/check-runs").bearer_auth("p").send().await;
    assert_eq!(answer.unwrap().status(), 404);
    let unsigned = place.router.status(host, "/alice/hello.git/info/refs?service=git-upload-pack").await;
    assert_eq!(unsigned, 401);
}
