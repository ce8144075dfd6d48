//! The container engine, as far as `ofc` itself asks it something.

use std::time::Duration;

use bollard::Docker;

use crate::report::Trouble;

/// A healthy engine answers a ping within milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

/// A connection to the engine that `DOCKER_HOST` names, or to the machine's own.
///
/// # Errors
/// When none answers.
pub async fn connect() -> anyhow::Result<Docker> {
    let silent = |cause: Box<dyn std::error::Error + Send + Sync>| {
        Trouble::new("no container engine answers")
            .hint("start one (in this repository: scripts/engine start), or set DOCKER_HOST; `ofc doctor` says more")
            .because(cause)
    };
    let docker = Docker::connect_with_defaults().map_err(|cause| silent(cause.into()))?;
    match tokio::time::timeout(PATIENCE, docker.ping()).await {
        Ok(Ok(_)) => Ok(docker),
        Ok(Err(cause)) => Err(silent(cause.into()).into()),
        Err(_) => Err(silent(format!("no answer within {} s", PATIENCE.as_secs()).into()).into()),
    }
}
