//! The router as a program of its own.

mod env_file;
mod restart;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context;
use clap::Parser;
use of_router::tls::{Allowed, Edge};
use of_router::{Change, Config, Domain, Listeners};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sdk::Env;
use sdk::customers::Customers;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tracing_subscriber::EnvFilter;

// Measured beside the system's allocator: no clear difference in speed, and 4 to 8 MB more with 10,000 idle connections (48 against 44).
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
    let shutdown = sdk::shutdown::on_signal()?;
    let (tell, changes) = mpsc::channel(1);
    // Before anybody is told that we are there: signals end a process that does not await them.
    tokio::spawn(reload_on_signal(signal(SignalKind::hangup())?, args.env_file, env.clone(), tell));
    let plain = listen(address)?;
    let encrypted = encrypted(&config, &env)?;
    tracing::info!(%address, encrypted = encrypted.is_some(), "of-router is routing requests");
    of_router::serve_on(config, Listeners { plain, encrypted }, shutdown, changes).await
}

fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    of_router::listen(address).with_context(|| format!("could not listen on {address}"))
}

/// The encrypted door, if the configuration asks for one.
fn encrypted(config: &Config, env: &Env) -> anyhow::Result<Option<(Arc<Edge>, TcpListener)>> {
    let Some(settings) = config.tls.clone() else { return Ok(None) };
    let address = env.var("https_address").unwrap_or("0.0.0.0:8443").parse().context("https_address")?;
    let edge = Edge::new(settings, allowed(&config.domain, env)?)?;
    Ok(Some((Arc::new(edge), listen(address)?)))
}

fn allowed(domain: &Domain, env: &Env) -> anyhow::Result<Allowed> {
    let customers = env.var("customers_path").map(|path| Customers::open(path.into())).transpose()?;
    Ok(Allowed::of_tenants(domain, customers))
}

/// Every connection is a file: as many as the system lets us have, not as many as it gives unasked.
fn allow_many_files() {
    let limit = getrlimit(Resource::Nofile);
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

async fn reload_on_signal(
    mut hangup: tokio::signal::unix::Signal,
    file: Option<PathBuf>,
    start: Env,
    tell: mpsc::Sender<Change>,
) {
    while hangup.recv().await.is_some() {
        let read = env_file::read(file.as_deref()).and_then(|env| Ok((Config::from_env(&env)?, env)));
        let change = match read {
            Ok((config, env)) => {
                let waiting = restart::waits_for(&start, &env).join(", ");
                if !waiting.is_empty() {
                    tracing::warn!(settings = waiting, "settings were changed that have no effect before a restart");
                }
                Change::Config(Box::new(config))
            }
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
