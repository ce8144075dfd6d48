//! What one function did in one step, packed.
//!
//! All numbers are of variable length, seven bits a byte, the lowest first: the steps since the record before, replicas,
//! memory and processors (one more than the number, 0 for unknown), how many codes follow, each with its count, and if
//! there was one, a bit for each bucket that is not empty, and these buckets' counts.

use super::calls::Calls;
use crate::metrics::TIMES;

/// What memory is rounded to, in bytes: a smaller change is not worth a record.
pub(super) const MEMORY_UNIT: u64 = 64 << 10;

/// What is so at a moment.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Gauges {
    pub(super) replicas: u64,
    /// In units of [`MEMORY_UNIT`].
    pub(super) memory: Option<u64>,
    /// In thousandths of a processor.
    pub(super) cpu: Option<u64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    /// The step at whose end it was written.
    pub(super) at: u32,
    /// Since the record before.
    pub(super) calls: Calls,
    pub(super) gauges: Gauges,
}

impl Record {
    /// As bytes, for a reader who knows when the record before was written.
    pub(super) fn pack(&self, before: u32) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(32);
        let known = |gauge: Option<u64>| gauge.map_or(0, |number| number.saturating_add(1));
        let Gauges { replicas, memory, cpu } = self.gauges;
        for number in [u64::from(self.at.saturating_sub(before)), replicas, known(memory), known(cpu)] {
            put(&mut bytes, number);
        }
        put(&mut bytes, self.calls.codes.len() as u64);
        for (code, count) in &self.calls.codes {
            put(&mut bytes, u64::from(*code));
            put(&mut bytes, *count);
        }
        if !self.calls.codes.is_empty() {
            let used = |(index, count): (usize, &u64)| u64::from(*count > 0) << index;
            put(&mut bytes, self.calls.times.iter().enumerate().map(used).sum());
            for count in self.calls.times.iter().filter(|count| **count > 0) {
                put(&mut bytes, *count);
            }
        }
        bytes
    }

    /// Reads one record. `None` where the bytes are at their end.
    pub(super) fn unpack(bytes: &mut impl Iterator<Item = u8>, before: u32) -> Option<Self> {
        let at = before.saturating_add(u32::try_from(take(bytes)?).ok()?);
        let replicas = take(bytes)?;
        let (memory, cpu) = (take(bytes)?.checked_sub(1), take(bytes)?.checked_sub(1));
        let mut calls = Calls::default();
        for _ in 0..take(bytes)? {
            calls.codes.push((u16::try_from(take(bytes)?).ok()?, take(bytes)?));
        }
        let used = if calls.codes.is_empty() { 0 } else { take(bytes)? };
        for index in (0..TIMES).filter(|index| used >> index & 1 == 1) {
            calls.times[index] = take(bytes)?;
        }
        Some(Self { at, calls, gauges: Gauges { replicas, memory, cpu } })
    }
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number > 0x7f {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn take(bytes: &mut impl Iterator<Item = u8>) -> Option<u64> {
    let mut number = 0;
    for shift in (0..64).step_by(7) {
        let byte = bytes.next()?;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_out_again() {
        let mut times = [0; TIMES];
        (times[0], times[TIMES - 1]) = (1, u64::MAX);
        let busy = Calls { codes: vec![(200, 127), (599, 128), (65_535, u64::MAX)], times };
        let gauges = Gauges { replicas: 300, memory: Some(0), cpu: None };
        let records = [
            Record { at: 7, calls: Calls::default(), gauges: Gauges::default() },
            Record { at: 1000, calls: busy, gauges },
            Record { at: u32::MAX, calls: Calls::default(), gauges },
        ];
        let mut before = 7;
        for record in records {
            let packed = record.pack(before);
            assert_eq!(Record::unpack(&mut packed.iter().copied(), before).as_ref(), Some(&record));
            let cut = &packed[..packed.len() - 1];
            assert_eq!(Record::unpack(&mut cut.iter().copied(), before), None);
            before = record.at;
        }
    }

    #[test]
    fn a_usual_record_is_short() {
        let mut times = [0; TIMES];
        (times[0], times[1], times[2]) = (90, 9, 1);
        let calls = Calls { codes: vec![(200, 99), (500, 1)], times };
        let gauges = Gauges { replicas: 3, memory: Some(800), cpu: Some(250) };
        assert_eq!(Record { at: 1, calls, gauges }.pack(0).len(), 17);
    }
}
