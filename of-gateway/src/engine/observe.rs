//! What the engine tells: lists, logs, figures, events.

use std::collections::HashMap;
use std::time::Duration;

use bollard::container::LogOutput;
use bollard::models::{ContainerStatsResponse, EventMessage};
use bollard::query_parameters::{
    EventsOptionsBuilder, ListContainersOptionsBuilder, LogsOptionsBuilder, StatsOptionsBuilder,
    WaitContainerOptionsBuilder,
};
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use sdk::gateway::Usage;

use super::record::{FUNCTION, INSTANCE, NAMESPACE};
use super::{Engine, EngineError, Found};
use crate::functions::FunctionId;

/// Two looks at a container's processor time are this far apart.
const USAGE_WINDOW: Duration = Duration::from_millis(200);
/// Containers whose figures are asked at the same time.
const STATS_AT_ONCE: usize = 32;

/// Lines that are looked at for the last ones of both streams.
const LOOK_BACK: u32 = 200;

/// Which lines of a container's log.
#[derive(Debug, Clone)]
pub(crate) struct Tail {
    pub(crate) follow: bool,
    /// `None`: all.
    pub(crate) lines: Option<u32>,
    /// Seconds since 1970.
    pub(crate) since: i32,
    pub(crate) timestamps: bool,
}

/// Something happened to a container.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    pub(crate) container: String,
    pub(crate) function: FunctionId,
    pub(crate) what: What,
}

/// What happened to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Started,
    /// One of its processes was ended because there was no memory left for it.
    OutOfMemory,
    Ended {
        exit_code: i64,
    },
    Removed,
}

impl Engine {
    /// The containers of this installation, or those of one of its functions.
    pub(crate) async fn list(&self, function: Option<&FunctionId>) -> Result<Vec<Found>, EngineError> {
        let mut labels = vec![format!("{INSTANCE}={}", self.instance)];
        labels.extend(function.map(|function| format!("{FUNCTION}={}", function.name)));
        let filters = HashMap::from([("label".to_owned(), labels)]);
        let options = ListContainersOptionsBuilder::default().all(true).filters(&filters).build();
        let found = self.docker()?.list_containers(Some(options)).await;
        let found = found.map_err(|source| self.error("list", "containers", source))?;
        let network = self.network();
        let found = found.into_iter().filter_map(|summary| Found::of(summary, self.reach, &network));
        Ok(found.filter(|found| function.is_none_or(|function| found.record.function == *function)).collect())
    }

    /// The output of a container in the order the engine got it.
    pub(crate) fn logs(
        &self,
        id: &str,
        tail: &Tail,
    ) -> Result<impl Stream<Item = Result<LogOutput, EngineError>> + use<'_>, EngineError> {
        let lines = tail.lines.map_or_else(|| "all".to_owned(), |lines| lines.to_string());
        let options = LogsOptionsBuilder::default()
            .stdout(true)
            .stderr(true)
            .follow(tail.follow)
            .since(tail.since)
            .timestamps(tail.timestamps)
            .tail(&lines)
            .build();
        let object = id.to_owned();
        let output = self.docker()?.logs(id, Some(options));
        Ok(output.map_err(move |source| self.error("read the log of", &object, source)))
    }

    /// The last lines a container wrote, at most this many. Half of them are kept for what went to standard error:
    /// the engine reads the two streams side by side, so the line that matters may stand further up.
    pub(crate) async fn last_lines(&self, id: &str, lines: usize) -> Result<Vec<String>, EngineError> {
        let tail = Tail { follow: false, lines: Some(LOOK_BACK), since: 0, timestamps: false };
        let output: Vec<LogOutput> = self.logs(id, &tail)?.try_collect().await?;
        let all: Vec<(bool, String)> = output
            .into_iter()
            .flat_map(|chunk| {
                let is_error = matches!(chunk, LogOutput::StdErr { .. });
                let text = String::from_utf8_lossy(&chunk.into_bytes()).into_owned();
                text.lines().map(|line| (is_error, line.to_owned())).collect::<Vec<_>>()
            })
            .collect();
        Ok(last(&all, lines))
    }

    /// Resolves when a container does not run (any more).
    pub(crate) async fn ended(&self, id: &str) {
        let options = WaitContainerOptionsBuilder::default().condition("not-running").build();
        let Ok(docker) = self.docker() else { return };
        // An exit code other than zero arrives as an error; either way the wait is over.
        let _ = docker.wait_container(id, Some(options)).next().await;
    }

    /// What happens to this installation's containers from `since` (seconds since 1970) on.
    pub(crate) fn changes(
        &self,
        since: i64,
    ) -> Result<impl Stream<Item = Result<Change, EngineError>> + use<'_>, EngineError> {
        let filters = HashMap::from([
            ("type", vec!["container".to_owned()]),
            ("label", vec![format!("{INSTANCE}={}", self.instance)]),
            ("event", ["die", "oom", "start", "destroy"].map(str::to_owned).to_vec()),
        ]);
        let options = EventsOptionsBuilder::default().since(&since.to_string()).filters(&filters).build();
        let events = self.docker()?.events(Some(options));
        Ok(events
            .map_err(|source| self.error("watch", "events", source))
            .inspect_ok(|_| self.residents.forget())
            .try_filter_map(move |event| std::future::ready(Ok(self.change(event)))))
    }

    fn change(&self, event: EventMessage) -> Option<Change> {
        let actor = event.actor?;
        let mut labels = actor.attributes?;
        let what = match event.action.as_deref()? {
            "start" => What::Started,
            "oom" => What::OutOfMemory,
            "die" => What::Ended { exit_code: labels.get("exitCode").and_then(|code| code.parse().ok()).unwrap_or(0) },
            _ => What::Removed,
        };
        let namespace = labels.remove(NAMESPACE).unwrap_or_else(|| self.namespace.clone());
        let function = FunctionId::new(labels.remove(FUNCTION)?, namespace);
        Some(Change { container: actor.id?, function, what })
    }

    /// What the containers of each group use together. All are looked at twice, a moment apart.
    pub(crate) async fn usage(&self, groups: &[Vec<String>]) -> Result<Vec<Usage>, EngineError> {
        let ids: Vec<&str> = groups.iter().flatten().map(String::as_str).collect();
        if ids.is_empty() {
            return Ok(vec![Usage::default(); groups.len()]);
        }
        let before = self.all_stats(&ids).await?;
        tokio::time::sleep(USAGE_WINDOW).await;
        let after = self.all_stats(&ids).await?;
        Ok(groups.iter().map(|group| together(group, &before, &after)).collect())
    }

    async fn all_stats<'a>(&self, ids: &[&'a str]) -> Result<HashMap<&'a str, ContainerStatsResponse>, EngineError> {
        let each: Vec<_> = ids.iter().map(|id| self.stats(id)).collect();
        let all: Vec<_> = stream::iter(each).buffer_unordered(STATS_AT_ONCE).try_collect().await?;
        Ok(all.into_iter().flatten().collect())
    }

    /// A container that is gone has no figures.
    async fn stats<'a>(&self, id: &'a str) -> Result<Option<(&'a str, ContainerStatsResponse)>, EngineError> {
        let options = StatsOptionsBuilder::default().stream(false).one_shot(true).build();
        let stats = self.docker()?.stats(id, Some(options)).next().await.transpose();
        match stats.map_err(|source| self.error("ask the figures of", id, source)) {
            Err(error) if error.is_missing() => Ok(None),
            other => other.map(|stats| stats.map(|stats| (id, stats))),
        }
    }
}

fn together(
    group: &[String],
    before: &HashMap<&str, ContainerStatsResponse>,
    after: &HashMap<&str, ContainerStatsResponse>,
) -> Usage {
    let mut usage = Usage::default();
    for (late, early) in group.iter().filter_map(|id| Some((after.get(id.as_str())?, before.get(id.as_str())))) {
        usage.cpu += early.map_or(0.0, |early| millicores(early, late));
        usage.total_memory_bytes +=
            late.memory_stats.as_ref().and_then(|memory| memory.usage).unwrap_or_default() as f64;
    }
    usage
}

fn last(all: &[(bool, String)], lines: usize) -> Vec<String> {
    let errors = all.iter().filter(|(is_error, _)| *is_error).count();
    let others = all.len() - errors;
    let mut errors_left = errors.min((lines / 2).max(lines.saturating_sub(others)));
    let mut others_left = others.min(lines - errors_left);
    let mut kept: Vec<String> = Vec::new();
    for (is_error, line) in all.iter().rev() {
        let left = if *is_error { &mut errors_left } else { &mut others_left };
        if *left > 0 {
            *left -= 1;
            kept.push(line.clone());
        }
    }
    kept.reverse();
    kept
}

/// Thousandths of a processor between two looks, by the system's own clock over all processors.
fn millicores(early: &ContainerStatsResponse, late: &ContainerStatsResponse) -> f64 {
    let figures = |stats: &ContainerStatsResponse| {
        let cpu = stats.cpu_stats.as_ref()?;
        let own = cpu.cpu_usage.as_ref()?.total_usage?;
        Some((own as f64, cpu.system_cpu_usage? as f64, f64::from(cpu.online_cpus.unwrap_or(1))))
    };
    let (Some(early), Some(late)) = (figures(early), figures(late)) else { return 0.0 };
    let (own, system) = (late.0 - early.0, late.1 - early.1);
    if system <= 0.0 { 0.0 } else { (own / system * late.2 * 1000.0).max(0.0) }
}

#[cfg(test)]
mod tests {
    use super::last;

    #[test]
    fn the_last_lines_show_both_streams_in_order() {
        let mut all = vec![(true, "fatal".to_owned())];
        all.extend((0..30).map(|n| (false, n.to_string())));
        let shown = last(&all, 4);
        assert_eq!(shown, ["fatal", "27", "28", "29"]);
        assert_eq!(last(&all[1..], 2), ["28", "29"]);
        let errors: Vec<_> = (0..5).map(|n| (true, n.to_string())).collect();
        assert_eq!(last(&errors, 4), ["1", "2", "3", "4"]);
        assert!(last(&[], 4).is_empty());
    }
}
