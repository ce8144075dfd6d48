//! What waits at the gateway, and how much room its disk has.

use sdk::gateway::Load;

use crate::words;

/// With less room, builds and deployments begin to fail, in bytes. `ofc doctor` warns at the one and refuses at the other.
const LITTLE: u64 = 10_000_000_000;
const TOO_LITTLE: u64 = 2_000_000_000;
const NOT_TOLD: &str = "This gateway does not tell.";

/// Asynchronous calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Queue {
    /// What is counted, and how many.
    pub(super) figures: Vec<(&'static str, String)>,
    /// Functions that calls wait for, and how many.
    pub(super) busiest: Vec<(String, u64)>,
    /// Why there are no figures.
    pub(super) missing: Option<&'static str>,
}

/// The gateway's disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Disk {
    pub(super) sentence: String,
    pub(super) mark: &'static str,
}

/// What a gateway tells of itself. `answers`: whether it answered at all.
pub(super) fn shown(load: Option<&Load>, answers: bool) -> (Queue, Disk) {
    let missing = if answers { NOT_TOLD } else { "Not known at the moment." };
    let counts = load.map(|load| [("Calls waiting", load.waiting), ("Running", load.running), ("Given up", load.dead)]);
    let figures: Vec<_> =
        counts.into_iter().flatten().filter_map(|(what, count)| Some((what, words::count(count? as f64)))).collect();
    let busiest = load.map(|load| load.busiest.iter().map(|busy| (busy.function.clone(), busy.waiting)).collect());
    let queue = Queue { missing: figures.is_empty().then_some(missing), figures, busiest: busiest.unwrap_or_default() };
    let disk = load.and_then(|load| load.disk);
    let disk = disk.map_or_else(|| Disk { sentence: missing.to_owned(), mark: "" }, |disk| room(disk.free, disk.total));
    (queue, disk)
}

fn room(free: u64, total: u64) -> Disk {
    let (rating, mark) = match free {
        0..TOO_LITTLE => (": too little", "bad"),
        TOO_LITTLE..LITTLE => (": little", "busy"),
        _ => ("", "good"),
    };
    let (free, total) = (words::bytes(free as f64), words::bytes(total as f64));
    Disk { sentence: format!("{free} free of {total}{rating}"), mark }
}

#[cfg(test)]
mod tests {
    use sdk::gateway::{Busy, Disk as Space};

    use super::*;

    #[test]
    fn what_is_told_is_shown_and_nothing_is_invented() {
        let disk = Some(Space { free: 50 << 30, total: 100 << 30 });
        let busiest = vec![Busy { function: "alice-cart.openfaas-fn".to_owned(), waiting: 12 }];
        let load = Load { waiting: Some(1200), running: Some(3), dead: None, busiest, disk };
        let (queue, disk) = shown(Some(&load), true);
        assert_eq!(queue.figures, [("Calls waiting", "1.2k".to_owned()), ("Running", "3".to_owned())]);
        assert_eq!((queue.busiest, queue.missing), (vec![("alice-cart.openfaas-fn".to_owned(), 12)], None));
        assert_eq!((disk.sentence.as_str(), disk.mark), ("50 GiB free of 100 GiB", "good"));
        for (load, answers, says) in
            [(None, true, NOT_TOLD), (None, false, "Not known at the moment."), (Some(Load::default()), true, NOT_TOLD)]
        {
            let (queue, disk) = shown(load.as_ref(), answers);
            assert_eq!((queue.missing, disk.sentence.as_str(), disk.mark), (Some(says), says, ""));
            assert!(queue.figures.is_empty());
        }
    }

    #[test]
    fn little_room_is_said() {
        assert_eq!(room(0, 0), Disk { sentence: "0 B free of 0 B: too little".to_owned(), mark: "bad" });
        assert_eq!((room(5 << 30, 1 << 40).mark, room(u64::MAX, u64::MAX).mark), ("busy", "good"));
    }
}
