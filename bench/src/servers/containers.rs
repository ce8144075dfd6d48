//! The gateway as it runs functions in containers.

use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use of_gateway::{Config, Gateway};
use openfaas_runtime::{Env, SecretString};
use tokio_util::sync::CancellationToken;

use super::webhooks::{block_on, listen};

/// Name and password for its management.
pub(crate) const LOGIN: (&str, &str) = ("admin", "admin");

/// The configuration of a gateway that keeps its data here. `DOCKER_HOST` may name another engine than the usual one.
pub(crate) fn config(data_dir: &Path) -> Config {
    let mut config = Config::new(data_dir, LOGIN.0, SecretString::from(LOGIN.1));
    if let Some(engine) = Env::from_process().var("DOCKER_HOST") {
        config.engine = engine.to_owned();
    }
    config
}

/// Runs it until killed.
pub(crate) fn gateway() -> ExitCode {
    block_on(run())
}

async fn run() -> Result<()> {
    let env = Env::from_process();
    let directory = env.var("bench_directory").context("bench_directory is not set")?;
    let listener = listen(&env).await?;
    let gateway = Gateway::start(config(Path::new(directory))).await?;
    eprintln!("serving");
    gateway.serve(listener, CancellationToken::new()).await
}
