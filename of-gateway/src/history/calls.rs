//! Calls that ended in some time: how many with which code, and how many took how long.

use crate::metrics::{Invocations, TIMES};

/// Different codes of one step that are kept apart; of a function that answers with all there are, the others count
/// as 200, 300, 400 or 500.
const MOST_CODES: usize = 8;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Calls {
    /// By code, each once, in no order.
    pub(super) codes: Vec<(u16, u64)>,
    /// As the buckets of [`crate::metrics::BOUNDS`], and the last above all of them. Not cumulative.
    pub(super) times: [u64; TIMES],
}

impl Calls {
    /// All calls that a function ever had.
    pub(super) fn of(invocations: &Invocations) -> Self {
        let mut all = Self::default();
        for (code, times) in invocations.counts() {
            all.codes.push((code, times.iter().sum()));
            for (sum, count) in all.times.iter_mut().zip(times) {
                *sum += count;
            }
        }
        all
    }

    /// What came since `before`.
    pub(super) fn since(&self, before: &Self) -> Self {
        let more = |(code, count): &(u16, u64)| (*code, count.saturating_sub(before.count(*code)));
        let codes = self.codes.iter().map(more).filter(|(_, count)| *count > 0).collect();
        let mut times = self.times;
        for (count, before) in times.iter_mut().zip(before.times) {
            *count = count.saturating_sub(before);
        }
        Self { codes, times }
    }

    pub(super) fn add(&mut self, more: &Self) {
        for (code, count) in &more.codes {
            self.count_more(*code, *count);
        }
        for (sum, count) in self.times.iter_mut().zip(more.times) {
            *sum += count;
        }
    }

    /// The same with no more codes than there is room for: the rarest are put together.
    pub(super) fn with_few_codes(mut self) -> Self {
        self.codes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let rare = self.codes.split_off(self.codes.len().min(MOST_CODES));
        for (code, count) in rare {
            self.count_more(code / 100 * 100, count);
        }
        self
    }

    pub(super) fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    fn count(&self, code: u16) -> u64 {
        self.codes.iter().find(|(other, _)| *other == code).map_or(0, |(_, count)| *count)
    }

    fn count_more(&mut self, code: u16, more: u64) {
        match self.codes.iter_mut().find(|(other, _)| *other == code) {
            Some((_, count)) => *count += more,
            None => self.codes.push((code, more)),
        }
    }
}
