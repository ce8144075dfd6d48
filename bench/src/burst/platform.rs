//! The functions that a push passes, behind the real gateway with its durable queue.

use std::path::Path;

use anyhow::{Context, Result};
use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use of_gateway::{Config, Gateway, PlatformFunction};
use openfaas_runtime::{Env, SecretString};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::gateway::Stub;
use super::git::Git;
use super::owner;

const WEBHOOK_SECRET: &str = "bench-webhook";

pub(super) struct Platform {
    /// What git-tar calls.
    pub(super) gateway: Stub,
    url: String,
    client: reqwest::Client,
    _data: TempDir,
    _servers: Vec<AbortOnDropHandle<()>>,
}

impl Platform {
    pub(super) async fn start(git: &Git, owners: usize) -> Result<Self> {
        let data = tempfile::tempdir()?;
        let stub = Stub::default();
        let [listener, inner] = [TcpListener::bind("127.0.0.1:0").await?, TcpListener::bind("127.0.0.1:0").await?];
        let url = format!("http://{}/", listener.local_addr()?);
        let inner_url = format!("http://{}/", inner.local_addr()?);
        let mut config = Config::new(data.path().join("gateway"), "admin", SecretString::from("admin"));
        std::fs::create_dir_all(data.path().join("gateway"))?;
        // No function here is a container.
        config.engine = format!("unix://{}/no-engine.sock", data.path().display());
        let gateway = Gateway::start(config).await?;
        let outer = environment(data.path(), &url, git, owners)?;
        let functions = [
            ("github-event", github_event::router(&outer)?),
            ("github-push", github_push::router(&outer)?),
            ("git-tar", git_tar::router(&environment(data.path(), &inner_url, git, owners)?)?),
            ("github-status", stub.statuses()),
            ("audit-event", Router::new().route("/", post(|| async { StatusCode::OK }))),
        ];
        for (name, router) in functions {
            gateway.mount(PlatformFunction::new(name, router))?;
        }
        let routes = stub.routes();
        let servers = vec![
            serve("the gateway", async move { gateway.serve(listener, CancellationToken::new()).await }),
            serve("the stub", async move { Ok(axum::serve(inner, routes).await?) }),
        ];
        Ok(Self { gateway: stub, url, client: sdk::http::client(), _data: data, _servers: servers })
    }

    /// Posts the webhook of a push.
    pub(super) async fn webhook(&self, repository: usize, number: usize, commit: &str) -> Result<reqwest::Response> {
        let body = serde_json::json!({
            "ref": "refs/heads/main", "after": commit, "deleted": false,
            "repository": {
                "id": repository + 1, "name": "app", "private": false, "default_branch": "main",
                "owner": {"id": repository + 1, "login": owner(repository)},
            },
            "pusher": {"name": owner(repository)},
        });
        let body = body.to_string();
        let signature = sdk::signing::sha256_header(&SecretString::from(WEBHOOK_SECRET), body.as_bytes());
        let request = self.client.post(format!("{}function/github-event", self.url)).body(body);
        let request = request.header("x-github-event", "push").header("x-hub-signature-256", signature);
        Ok(request.header("x-github-delivery", format!("burst-{repository}-{number}")).send().await?)
    }
}

fn serve(name: &'static str, work: impl Future<Output = Result<()>> + Send + 'static) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        if let Err(error) = work.await {
            eprintln!("{name} ended: {error:#}");
        }
    }))
}

fn environment(data: &Path, gateway: &str, git: &Git, owners: usize) -> Result<Env> {
    let customers = data.join("customers");
    std::fs::write(&customers, (0..owners).map(|number| owner(number) + "\n").collect::<String>())?;
    let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template").canonicalize();
    let templates = templates.context("the templates are not beside this crate")?;
    let text = |path: &Path| path.display().to_string();
    let vars = [
        ("gateway_url", gateway.to_owned()),
        ("customers_path", text(&customers)),
        ("git_hosts", format!("github.com={}", git.url)),
        ("template_directory", text(&templates)),
        ("work_directory", text(&data.join("work"))),
        ("cache_directory", text(&data.join("cache"))),
    ];
    let secrets = [
        ("payload-secret", "bench-payload"),
        ("github-webhook-secret", WEBHOOK_SECRET),
        ("basic-auth-user", "admin"),
        ("basic-auth-password", "admin"),
    ];
    Ok(Env::from_map(vars, secrets))
}
