//! The gateway as a program of its own.

use std::net::SocketAddr;

use anyhow::Context as _;
use clap::Parser;
use of_gateway::{Config, Gateway};
use openfaas_runtime::Env;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

const SETTINGS: &str = "\
Settings are environment variables: data_dir, DOCKER_HOST, function_namespace, upstream_timeout, rollout_timeout,
async_concurrency and the others named in the README. The credentials for /system are the files basic-auth-user and
basic-auth-password in the directory secret_mount_path.

Example:
  secret_mount_path=./credentials data_dir=/var/lib/of-gateway of-gateway --listen 127.0.0.1:8080";

/// An OpenFaaS gateway for one machine: functions as containers, a durable queue for asynchronous calls.
#[derive(Parser)]
#[command(name = "of-gateway", version, after_help = SETTINGS)]
struct Arguments {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_env_filter(filter()).init();
    let config = Config::from_env(&Env::from_process())?;
    let listener = TcpListener::bind(arguments.listen)
        .await
        .with_context(|| format!("cannot listen on {}; is another gateway running there?", arguments.listen))?;
    let gateway = Gateway::start(config).await.context("the gateway cannot start")?;
    tracing::info!(address = %listener.local_addr()?, instance = gateway.instance(), "The gateway is ready.");
    gateway.serve(listener, until_signalled()?).await
}

fn filter() -> tracing_subscriber::EnvFilter {
    tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into())
}

/// Cancelled by SIGTERM and SIGINT.
fn until_signalled() -> anyhow::Result<CancellationToken> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let token = CancellationToken::new();
    let shutdown = token.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        shutdown.cancel();
    });
    Ok(token)
}
