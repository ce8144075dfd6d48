//! `/system/load`: how much waits, and how much room there is.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use queue::LaneCounts;
use sdk::gateway::{Busy, Disk, Load};

use crate::app::App;

/// So many functions are named.
const BUSIEST: usize = 10;

/// Show how many asynchronous calls wait, and how much room the disk has.
///
/// Numbers of this moment: what waits, runs and was given up in all queues together, and the space of the disk that the
/// gateway keeps its data on. What cannot be told at the moment is left out. Not a part of OpenFaaS' own API.
#[utoipa::path(
    get,
    path = "/load",
    operation_id = "GetLoad",
    tag = "system",
    responses((status = 200, description = "The numbers.", body = Load))
)]
pub(crate) async fn show(State(app): State<Arc<App>>) -> Json<Load> {
    let directory = app.config.data_dir.clone();
    let (lanes, disk) = tokio::join!(app.queue.statistics(), tokio::task::spawn_blocking(move || space(&directory)));
    let lanes = lanes.inspect_err(|error| tracing::warn!(%error, "It cannot be told how much waits."));
    let queue = lanes.map(|lanes| of_queue(&lanes)).unwrap_or_default();
    Json(Load { disk: disk.ok().flatten(), ..queue })
}

/// All queues together.
fn of_queue(lanes: &[LaneCounts]) -> Load {
    let sum = |of: fn(&LaneCounts) -> u64| Some(lanes.iter().map(of).fold(0, u64::saturating_add));
    let mut by_function: BTreeMap<&str, u64> = BTreeMap::new();
    for lane in lanes.iter().filter(|lane| lane.waiting > 0) {
        let waiting = by_function.entry(&lane.lane.function).or_default();
        *waiting = waiting.saturating_add(lane.waiting);
    }
    let mut busiest: Vec<_> = by_function.into_iter().collect();
    busiest.sort_by_key(|(_, waiting)| std::cmp::Reverse(*waiting));
    let busy = |(function, waiting): (&str, u64)| Busy { function: function.to_owned(), waiting };
    Load {
        waiting: sum(|lane| lane.waiting),
        running: sum(|lane| lane.running),
        dead: sum(|lane| lane.dead),
        busiest: busiest.into_iter().take(BUSIEST).map(busy).collect(),
        disk: None,
    }
}

/// What is free for who runs the gateway, which may be less than for root.
fn space(directory: &Path) -> Option<Disk> {
    let about = rustix::fs::statvfs(directory).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(about.f_frsize);
    Some(Disk { free: bytes(about.f_bavail), total: bytes(about.f_blocks) })
}

#[cfg(test)]
mod tests {
    use queue::Lane;

    use super::*;

    fn lane(queue: &str, function: &str, waiting: u64) -> LaneCounts {
        LaneCounts { lane: Lane::new(queue, function), waiting, running: 1, dead: 2 }
    }

    #[test]
    fn queues_are_summed_and_the_busiest_functions_come_first() {
        let many: Vec<_> = (0..20).map(|n| lane("shared", &format!("f{n}.x"), n)).collect();
        let both = [lane("shared", "a.x", 30), lane("slow", "a.x", u64::MAX), lane("slow", "idle.x", 0)];
        let load = of_queue(&[many.as_slice(), &both].concat());
        assert_eq!((load.waiting, load.running, load.dead), (Some(u64::MAX), Some(23), Some(46)));
        assert_eq!(load.busiest.len(), BUSIEST);
        let named: Vec<_> = load.busiest.iter().take(2).map(|busy| (busy.function.as_str(), busy.waiting)).collect();
        assert_eq!(named, [("a.x", u64::MAX), ("f19.x", 19)]);
        assert_eq!(of_queue(&[]), Load { waiting: Some(0), running: Some(0), dead: Some(0), ..Load::default() });
    }

    #[test]
    fn a_disk_that_cannot_be_measured_is_not_told_of() {
        let folder = tempfile::tempdir().unwrap();
        assert!(space(folder.path()).is_some_and(|disk| disk.total > 0 && disk.free <= disk.total));
        assert_eq!(space(&folder.path().join("none")), None);
    }
}
