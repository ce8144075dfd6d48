//! What a container has used.

use bollard::query_parameters::StatsOptionsBuilder;
use futures_util::StreamExt;

use super::{Engine, EngineError};

/// Kept in memory only for as long as nobody else needs it; cgroup v2 and v1 have a name each.
const RECLAIMABLE: [&str; 2] = ["inactive_file", "total_inactive_file"];

/// Figures of one container at one moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Figures {
    /// Processor time since its start.
    pub(crate) cpu_seconds: f64,
    /// Memory that it cannot do without.
    pub(crate) working_set: f64,
}

impl Engine {
    /// The figures of a container, if it runs.
    pub(crate) async fn figures(&self, id: &str) -> Result<Option<Figures>, EngineError> {
        let options = StatsOptionsBuilder::default().stream(false).one_shot(true).build();
        let stats = self.docker()?.stats(id, Some(options)).next().await.transpose();
        let stats = stats.map_err(|source| self.error("ask the figures of", id, source))?;
        let Some(stats) = stats else { return Ok(None) };
        let cpu = stats.cpu_stats.and_then(|cpu| cpu.cpu_usage?.total_usage);
        let Some((cpu, memory)) = cpu.zip(stats.memory_stats) else { return Ok(None) };
        let reclaimable = memory.stats.iter().find_map(|all| RECLAIMABLE.iter().find_map(|name| all.get(*name)));
        let working_set = memory.usage.unwrap_or(0).saturating_sub(reclaimable.copied().unwrap_or(0));
        Ok(Some(Figures { cpu_seconds: cpu as f64 / 1e9, working_set: working_set as f64 }))
    }
}
