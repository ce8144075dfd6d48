//! How far one reading of a log has come.

use std::collections::HashMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::record::Record;

/// The clocks of the gateway's machine and of this one may differ by so much, in nanoseconds.
const CLOCKS: u64 = 10_000_000_000;
/// A log that is never silent is taken up to now once it is read for so long, and has only new lines.
const BUSY: Duration = Duration::from_secs(30);

/// Tells when all that there was at the beginning has been read.
pub(crate) struct Progress {
    began: u64,
    /// The newest line of each replica.
    newest: HashMap<String, u64>,
    is_idle: bool,
    is_through: bool,
}

impl Progress {
    pub(crate) fn begin() -> Self {
        Self { began: now(), newest: HashMap::new(), is_idle: false, is_through: false }
    }

    pub(crate) fn took(&mut self, records: &[Record]) {
        self.is_idle = false;
        for record in records {
            let newest = self.newest.entry(record.instance.clone()).or_default();
            *newest = (*newest).max(record.at);
        }
    }

    /// A moment has passed since this was called last.
    pub(crate) fn tick(&mut self) {
        let is_busy = now().saturating_sub(self.began) > u64::try_from(BUSY.as_nanos()).unwrap_or(u64::MAX)
            && self.newest.values().all(|newest| *newest >= self.began);
        self.is_through |= self.is_idle || is_busy;
        self.is_idle = true;
    }

    /// There is no more.
    pub(crate) fn end(&mut self) {
        self.is_through = true;
    }

    /// Before when everything has been read, in nanoseconds since 1970.
    pub(crate) fn covers(&self) -> Option<u64> {
        self.is_through.then(|| self.began.saturating_sub(CLOCKS))
    }
}

pub(crate) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(at: u64) -> Record {
        Record { at, instance: "a".to_owned(), text: String::new() }
    }

    #[test]
    fn silence_or_an_end_means_that_all_was_read() {
        let mut progress = Progress::begin();
        progress.took(&[record(1)]);
        progress.tick();
        assert_eq!(progress.covers(), None);
        progress.took(&[record(2)]);
        progress.tick();
        assert_eq!(progress.covers(), None, "there were lines since the last look");
        progress.tick();
        assert_eq!(progress.covers(), Some(progress.began - CLOCKS));
        let mut progress = Progress::begin();
        progress.end();
        assert!(progress.covers().is_some());
    }

    #[test]
    fn a_log_that_is_never_silent_is_read_once_it_brings_new_lines_only() {
        let mut progress = Progress { began: now() - 60_000_000_000, ..Progress::begin() };
        progress.took(&[record(1)]);
        progress.tick();
        assert_eq!(progress.covers(), None);
        progress.took(&[record(now())]);
        progress.tick();
        assert!(progress.covers().is_some());
    }
}
