//! Taking everything of an installation out of the engine.

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::config::Config;
use crate::engine::{Engine, EngineError};
use crate::instance::{self, InstanceError};

/// Containers removed side by side.
const PARALLEL: usize = 8;

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
}

/// Removes all containers and networks of the installation in this data directory. The gateway must not be running.
pub async fn purge(config: &Config) -> Result<Removed, PurgeError> {
    let Some(id) = instance::read(&config.data_dir)? else { return Ok(Removed::default()) };
    let engine = Engine::new(config, id);
    let found = engine.list(None).await?;
    stream::iter(&found).map(Ok).try_for_each_concurrent(PARALLEL, |container| engine.remove(&container.id)).await?;
    Ok(Removed { containers: found.len(), networks: engine.remove_networks().await? })
}
