//! The router as a program of its own.

mod env_file;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use clap::Parser;
use of_router::{Change, Config};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

// The system's allocator keeps what idle connections gave back: 10,000 of them take 150 MB with it, about half with this one.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The platform's only door. Configured by variables and secrets; SIGHUP reads them anew, SIGTERM lets open requests end.
#[derive(Debug, Parser)]
struct Args {
    /// A file of lines NAME=VALUE, which count more than the variables of the process and are read anew on SIGHUP.
    #[arg(long)]
    env_file: Option<PathBuf>,
}

// Requests are served on the router's own threads; this one accepts, answers Prometheus and hears signals.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let args = Args::parse();
    allow_many_files();
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().json().with_writer(std::io::stderr).with_env_filter(filter).init();
    let env = env_file::read(args.env_file.as_deref())?;
    let config = Config::from_env(&env)?;
    let address: SocketAddr = env.var("listen_address").unwrap_or("0.0.0.0:8080").parse().context("listen_address")?;
    let shutdown = CancellationToken::new();
    let (tell, changes) = mpsc::channel(1);
    // Before anybody is told that we are there: signals end a process that does not await them.
    tokio::spawn(reload_on_signal(signal(SignalKind::hangup())?, args.env_file, tell));
    tokio::spawn(stop_on_signal(signal(SignalKind::terminate())?, shutdown.clone()));
    let listener = of_router::listen(address).with_context(|| format!("could not listen on {address}"))?;
    tracing::info!(%address, "of-router is routing requests");
    of_router::serve_changing(config, listener, shutdown, changes).await
}

/// Every connection is a file: as many as the system lets us have, not as many as it gives unasked.
fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

async fn reload_on_signal(mut hangup: tokio::signal::unix::Signal, file: Option<PathBuf>, tell: mpsc::Sender<Change>) {
    while hangup.recv().await.is_some() {
        let read = env_file::read(file.as_deref()).and_then(|env| Ok(Config::from_env(&env)?));
        let change = match read {
            Ok(config) => Change::Config(Box::new(config)),
            Err(error) => {
                tracing::error!(cause = format!("{error:#}"), "the new configuration is wrong; the old one stays");
                Change::Logs
            }
        };
        if tell.send(change).await.is_err() {
            return;
        }
    }
}

async fn stop_on_signal(mut terminate: tokio::signal::unix::Signal, shutdown: CancellationToken) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    shutdown.cancel();
}
