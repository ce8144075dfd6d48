//! Which lines have been taken already.
//!
//! A log is read again and again: after each break, and whenever there may be a new replica. The gateway gives whole lines
//! from a time on, and those of one replica nearly in order: what is written to the other stream in the middle of a line
//! may come before it. So all lines of a replica that are clearly older than its newest are known, and of the last few
//! seconds each is remembered.

use std::collections::{BTreeMap, HashMap};

use crate::record::Record;

/// How far out of order the lines of one replica may be, in nanoseconds.
const DISORDER: u64 = 5_000_000_000;
/// At most so many lines of a replica are remembered, of those that are as new as that.
const REMEMBERED: usize = 1024;
/// At most so many replicas are remembered, those with the newest lines.
const REPLICAS: usize = 128;

/// What has been taken of one function's log.
#[derive(Debug, Clone, Default)]
pub(crate) struct Seen {
    replicas: HashMap<String, Replica>,
}

#[derive(Debug, Clone, Default)]
struct Replica {
    newest: u64,
    /// All before this are known.
    floor: u64,
    /// How often each of the others was there.
    marks: BTreeMap<(u64, u64), u32>,
}

/// What has been taken before one reading; what it brings is compared with this.
#[derive(Debug, Default)]
pub(crate) struct Before(Seen);

impl Seen {
    /// Begins a reading.
    pub(crate) fn before(&self) -> Before {
        Before(self.clone())
    }

    /// Remembers a line.
    pub(crate) fn note(&mut self, record: &Record) {
        if !self.replicas.contains_key(&record.instance) {
            self.make_room();
        }
        self.replicas.entry(record.instance.clone()).or_default().note(record);
    }

    /// The time of the newest line of all replicas, 0 where there is none.
    pub(crate) fn newest(&self) -> u64 {
        self.replicas.values().map(|replica| replica.newest).max().unwrap_or(0)
    }

    fn make_room(&mut self) {
        if self.replicas.len() < REPLICAS {
            return;
        }
        let oldest = self.replicas.iter().min_by_key(|(_, replica)| replica.newest).map(|(name, _)| name.clone());
        oldest.and_then(|name| self.replicas.remove(&name));
    }
}

impl Replica {
    fn note(&mut self, record: &Record) {
        *self.marks.entry(record.mark()).or_default() += 1;
        self.newest = self.newest.max(record.at);
        self.floor = self.floor.max(self.newest.saturating_sub(DISORDER));
        while let Some(first) = self.marks.first_entry() {
            let (at, _) = *first.key();
            if at >= self.floor && self.marks.len() <= REMEMBERED {
                break;
            }
            self.marks.pop_first();
            // Its equals may still be there; nothing is lost by knowing less exactly.
            self.floor = self.floor.max(at.saturating_add(1));
        }
    }
}

impl Before {
    /// Whether a line that is read now was there before. One that was there once is known once.
    pub(crate) fn knows(&mut self, record: &Record) -> bool {
        let Some(replica) = self.0.replicas.get_mut(&record.instance) else { return false };
        if record.at < replica.floor {
            return true;
        }
        match replica.marks.get_mut(&record.mark()) {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn record(at: u64, instance: &str, text: &str) -> Record {
        Record { at, instance: instance.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn what_was_there_is_known_as_often_as_it_was_there() {
        let mut seen = Seen::default();
        let twice = record(10 * SECOND, "a", "x");
        seen.note(&twice);
        seen.note(&twice);
        let mut before = seen.before();
        assert!(before.knows(&twice) && before.knows(&twice) && !before.knows(&twice));
        assert!(!before.knows(&record(10 * SECOND, "a", "y")));
        assert!(!before.knows(&record(10 * SECOND, "b", "x")));
        assert_eq!(seen.newest(), 10 * SECOND);
    }

    #[test]
    fn a_line_that_comes_late_is_new_and_one_of_long_ago_is_not() {
        let mut seen = Seen::default();
        seen.note(&record(100 * SECOND, "a", "x"));
        let mut before = seen.before();
        assert!(!before.knows(&record(98 * SECOND, "a", "late")));
        assert!(before.knows(&record(90 * SECOND, "a", "old")));
        assert!(!before.knows(&record(90 * SECOND, "b", "of another replica")));
    }

    #[test]
    fn little_is_remembered_whatever_comes() {
        let mut seen = Seen::default();
        for number in 0..20_000 {
            seen.note(&record(SECOND + number, "a", "x"));
        }
        assert_eq!(seen.replicas["a"].marks.len(), REMEMBERED);
        let mut before = seen.before();
        assert!((0..20_000).all(|number| before.knows(&record(SECOND + number, "a", "x"))));
        assert!(!before.knows(&record(SECOND + 20_000, "a", "x")));
        for number in 0..1000 {
            seen.note(&record(number, &number.to_string(), "x"));
        }
        assert_eq!(seen.replicas.len(), REPLICAS);
        assert!(seen.replicas.contains_key("999") && seen.replicas.contains_key("a"));
    }
}
