//! The whole pipeline in this process, over HTTP, with the stubs as gateway and builder and a real git host.

use std::path::Path;

use anyhow::{Context, Result};
use axum::Router;
use openfaas_runtime::{Env, ExposeSecret, SecretString};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::stub::Stub;

const HOST: &str = "git.localhost";
/// The App's number at the git host.
const APP: u64 = 1;
const SECRETS: [(&str, &str); 6] = [
    ("payload-secret", "bench-payload"),
    ("builder-payload-secret", "bench-builder"),
    ("github-webhook-secret", "bench-webhook"),
    ("git-token-key", "bench-token-key"),
    ("basic-auth-user", "admin"),
    ("basic-auth-password", "bench"),
];

/// A running pipeline; it ends when dropped.
pub(crate) struct Pipeline {
    /// What it did.
    pub(crate) stub: Stub,
    /// The git host's address.
    pub(crate) git: String,
    _data: TempDir,
    _servers: Vec<AbortOnDropHandle<()>>,
}

impl Pipeline {
    /// Starts everything on free ports.
    pub(crate) async fn start() -> Result<Self> {
        let data = tempfile::tempdir()?;
        let stub = Stub::default();
        let [gateway, builder, git] = [
            TcpListener::bind("127.0.0.1:0").await?,
            TcpListener::bind("127.0.0.1:0").await?,
            TcpListener::bind("127.0.0.1:0").await?,
        ];
        let address = |listener: &TcpListener| listener.local_addr().map(|address| format!("http://{address}"));
        let (gateway_url, builder_url, git_url) = (address(&gateway)?, address(&builder)?, address(&git)?);
        let key = of_git::generate_app_key()?;
        let env = environment(data.path(), &gateway_url, &builder_url, &git_url, &key)?;
        for (name, router) in functions(&env)? {
            stub.mount(name, router);
        }
        let host = git_host(data.path(), &gateway_url, &git_url, &key)?;
        let servers = vec![
            serve(gateway, stub.gateway()),
            serve(builder, stub.builder()),
            AbortOnDropHandle::new(tokio::spawn(async move {
                if let Err(error) = of_git::serve(host, git, CancellationToken::new()).await {
                    eprintln!("the git host ended: {error:#}");
                }
            })),
        ];
        Ok(Self { stub, git: git_url, _data: data, _servers: servers })
    }

    /// The header that lets `git` push as `owner`.
    pub(crate) fn authorization(owner: &str) -> Result<String> {
        use base64::Engine as _;
        let token = of_git::token(&SecretString::from("bench-token-key"), &owner.parse()?);
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("{owner}:{}", token.expose_secret()));
        Ok(format!("Authorization: Basic {basic}"))
    }
}

fn serve(listener: TcpListener, router: Router) -> AbortOnDropHandle<()> {
    AbortOnDropHandle::new(tokio::spawn(async move {
        if let Err(error) = axum::serve(listener, router).await {
            eprintln!("a stub ended: {error}");
        }
    }))
}

fn functions(env: &Env) -> Result<[(&'static str, Router); 8]> {
    Ok([
        ("github-event", github_event::router(env)?),
        ("github-push", github_push::router(env)?),
        ("github-status", github_status::router(env)?),
        ("git-tar", git_tar::router(env)?),
        ("buildshiprun", buildshiprun::router(env)?),
        ("garbage-collect", garbage_collect::router(env)?),
        ("pipeline-log", pipeline_log::router(env)?),
        ("audit-event", audit_event::router(env)?),
    ])
}

fn environment(data: &Path, gateway: &str, builder: &str, git: &str, key: &SecretString) -> Result<Env> {
    let customers = data.join("customers");
    std::fs::write(&customers, "bench\n")?;
    let templates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template").canonicalize();
    let templates = templates.context("the templates are not beside this crate")?;
    let text = |path: &Path| path.display().to_string();
    let vars = [
        ("gateway_url", gateway.to_owned()),
        ("builder_url", builder.to_owned()),
        ("gateway_public_url", "http://localhost".to_owned()),
        ("gateway_pretty_url", "http://user.localhost/function".to_owned()),
        ("customers_path", text(&customers)),
        ("github_url", format!("http://{HOST}")),
        ("github_api_url", format!("{git}/api/v3")),
        ("git_hosts", format!("{HOST}={git}")),
        ("github_app_id", APP.to_string()),
        ("template_directory", text(&templates)),
        ("log_directory", text(&data.join("logs"))),
        ("max_functions", "100".to_owned()),
    ];
    Ok(Env::from_map(vars, SECRETS.into_iter().chain([("private-key", key.expose_secret())])))
}

fn git_host(data: &Path, gateway: &str, git: &str, key: &SecretString) -> Result<of_git::Config> {
    let webhook = format!("{gateway}/function/github-event");
    let secrets = of_git::Secrets {
        webhook: SecretString::from("bench-webhook"),
        token_key: SecretString::from("bench-token-key"),
    };
    let mut config = of_git::Config::new(data.join("git"), git.parse()?, webhook.parse()?, secrets);
    config.github_app = Some(of_git::GithubApp { id: APP, public_key: of_git::public_app_key(key)? });
    Ok(config)
}
