//! Taking everything of an installation out of the engine.

use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use tokio::time::{Instant, sleep};

use crate::config::Config;
use crate::engine::{Engine, EngineError};
use crate::instance::{self, InstanceError};
use crate::secrets;

/// Containers removed side by side.
const PARALLEL: usize = 8;
/// How long removals that somebody else has begun may take.
const REMOVAL: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(100);

/// What [`purge`] took away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    /// Containers.
    pub containers: usize,
    /// Networks.
    pub networks: usize,
}

/// Why not everything could be taken away.
#[derive(Debug, thiserror::Error)]
pub enum PurgeError {
    /// The data directory does not say what to remove.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// The engine did not do it.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The secrets' copies in memory cannot be removed.
    #[error("the copies of secrets in memory cannot be removed")]
    Secrets(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Removes all containers and networks, and what is in memory or in the firewall, of the installation in this data
/// directory. The gateway must not be running.
pub async fn purge(config: &Config) -> Result<Removed, PurgeError> {
    let Some(id) = instance::read(&config.data_dir)? else { return Ok(Removed::default()) };
    let engine = Engine::new(config, id.clone());
    let containers = without_containers(&engine).await?;
    until_gone(&engine).await?;
    let (late, networks) = without_networks(&engine).await?;
    secrets::clear(config.secrets_mount_dir.as_deref(), &id).map_err(|error| PurgeError::Secrets(error.into()))?;
    Ok(Removed { containers: containers + late, networks })
}

async fn without_containers(engine: &Engine) -> Result<usize, EngineError> {
    let found = engine.list(None).await?;
    stream::iter(&found).map(Ok).try_for_each_concurrent(PARALLEL, |container| engine.remove(&container.id)).await?;
    Ok(found.len())
}

/// Where a container was a moment ago, the engine may still see it on its network; and what it was asked to make before the
/// gateway ended, it may have made since. Answers with how many such containers and how many networks there were.
async fn without_networks(engine: &Engine) -> Result<(usize, usize), EngineError> {
    let until = Instant::now() + REMOVAL;
    let mut late = 0;
    loop {
        match engine.remove_networks().await {
            Err(error) if error.is_in_use() && Instant::now() < until => {
                late += without_containers(engine).await?;
                sleep(LOOK).await;
            }
            done => return done.map(|networks| (late, networks)),
        }
    }
}

/// A container whose removal was under way before is on the network until that has ended, and the engine keeps a
/// network that is in use. What is not gone in time is in its complaint about the network.
async fn until_gone(engine: &Engine) -> Result<(), EngineError> {
    let until = Instant::now() + REMOVAL;
    while !engine.list(None).await?.is_empty() && Instant::now() < until {
        sleep(LOOK).await;
    }
    Ok(())
}
