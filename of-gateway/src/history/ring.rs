//! Packed records, the oldest first. The oldest make room for new ones.

use std::collections::VecDeque;

use super::record::{Gauges, Record};

/// By how much a ring that is full grows, in bytes: doubling would leave half of the room empty.
const GROWTH: usize = 128;

pub(super) struct Ring {
    bytes: VecDeque<u8>,
    /// Of the last record that made room: when it was written, and what was so from then on.
    base: (u32, Gauges),
    /// When the newest record was written.
    last: u32,
}

impl Ring {
    /// An empty one that begins at this step.
    pub(super) fn new(step: u32) -> Self {
        Self { bytes: VecDeque::new(), base: (step, Gauges::default()), last: step }
    }

    /// Adds a record, in so much room. Those up to `expired` go.
    pub(super) fn push(&mut self, record: &Record, expired: u32, room: usize) {
        let packed = record.pack(self.last);
        while self.oldest().is_some_and(|oldest| oldest.at <= expired) || self.bytes.len() + packed.len() > room {
            if !self.make_room() {
                break;
            }
        }
        if self.bytes.capacity() > room + GROWTH {
            self.bytes.shrink_to(room);
        }
        if self.bytes.capacity() < self.bytes.len() + packed.len() {
            self.bytes.reserve_exact(packed.len().max(GROWTH));
        }
        self.bytes.extend(packed);
        self.last = record.at;
    }

    /// What was so before the first of [`Ring::records`].
    pub(super) fn base(&self) -> Gauges {
        self.base.1
    }

    pub(super) fn records(&self) -> impl Iterator<Item = Record> {
        let (mut bytes, mut before) = (self.bytes.iter().copied(), self.base.0);
        std::iter::from_fn(move || {
            let record = Record::unpack(&mut bytes, before)?;
            before = record.at;
            Some(record)
        })
    }

    /// What it takes, in bytes.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        self.bytes.capacity()
    }

    fn oldest(&self) -> Option<Record> {
        Record::unpack(&mut self.bytes.iter().copied(), self.base.0)
    }

    /// Without the oldest record, if there is one.
    fn make_room(&mut self) -> bool {
        let mut bytes = self.bytes.iter().copied();
        let Some(oldest) = Record::unpack(&mut bytes, self.base.0) else { return false };
        let left = bytes.len();
        self.base = (oldest.at, oldest.gauges);
        self.bytes.drain(..self.bytes.len() - left);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::super::calls::Calls;
    use super::*;

    fn record(at: u32) -> Record {
        let gauges = Gauges { replicas: u64::from(at), ..Gauges::default() };
        Record { at, calls: Calls { codes: vec![(200, 1)], times: [1; crate::metrics::TIMES] }, gauges }
    }

    fn steps(ring: &Ring) -> Vec<u32> {
        ring.records().map(|record| record.at).collect()
    }

    #[test]
    fn the_oldest_go_when_they_expire_and_when_there_is_no_room() {
        let mut ring = Ring::new(10);
        for at in [11, 12, 20] {
            ring.push(&record(at), 0, 1000);
        }
        assert_eq!((steps(&ring), ring.base().replicas), (vec![11, 12, 20], 0));
        ring.push(&record(30), 11, 1000);
        assert_eq!((steps(&ring), ring.base().replicas), (vec![12, 20, 30], 11));
        let two = 2 * record(31).pack(30).len();
        ring.push(&record(31), 0, two);
        assert_eq!((steps(&ring), ring.base().replicas), (vec![30, 31], 20));
        assert!(ring.size() <= two + GROWTH, "{}", ring.size());
        ring.push(&record(32), 0, 1);
        assert_eq!((steps(&ring), ring.base().replicas), (vec![32], 31));
        assert_eq!(ring.records().next(), Some(record(32)));
    }
}
