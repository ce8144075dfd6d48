//! The history of one function.

use std::sync::Arc;

use sdk::metrics::Figures;

use super::calls::Calls;
use super::figures::{Span, Sums};
use super::record::{Gauges, Record};
use super::ring::Ring;
use super::{COARSE, DAY, HOUR};
use crate::metrics::Invocations;

pub(super) struct Track {
    /// What is counted; of all versions of the function, and of no other that comes to have its name.
    invocations: Arc<Invocations>,
    /// All calls up to the last look.
    seen: Calls,
    /// When that was.
    looked: u32,
    hour: Ring,
    /// What the newest record of the hour says.
    hour_gauges: Gauges,
    day: Ring,
    /// What the newest record of the day says.
    day_gauges: Gauges,
    /// Calls since then.
    not_in_day: Calls,
}

impl Track {
    pub(super) fn new(invocations: &Arc<Invocations>, step: u32) -> Self {
        Self {
            invocations: Arc::clone(invocations),
            seen: Calls::default(),
            looked: step,
            hour: Ring::new(step),
            hour_gauges: Gauges::default(),
            day: Ring::new(step),
            day_gauges: Gauges::default(),
            not_in_day: Calls::default(),
        }
    }

    /// Whether it is the history of these counts.
    pub(super) fn is_of(&self, invocations: &Arc<Invocations>) -> bool {
        Arc::ptr_eq(&self.invocations, invocations)
    }

    /// Writes down what came since the last look.
    pub(super) fn look(&mut self, step: u32, gauges: Gauges, room: usize) {
        let all = Calls::of(&self.invocations);
        let calls = all.since(&self.seen).with_few_codes();
        self.seen = all;
        self.not_in_day.add(&calls);
        if !calls.is_empty() || gauges != self.hour_gauges {
            self.hour.push(&Record { at: step, calls, gauges }, step.saturating_sub(HOUR), room);
            self.hour_gauges = gauges;
        }
        if step / COARSE != self.looked / COARSE && (!self.not_in_day.is_empty() || gauges != self.day_gauges) {
            let calls = std::mem::take(&mut self.not_in_day).with_few_codes();
            self.day.push(&Record { at: step, calls, gauges }, step.saturating_sub(DAY), room);
            self.day_gauges = gauges;
        }
        self.looked = step;
    }

    /// How it did, with what came since the last look and is so now.
    pub(super) fn figures(&self, span: &Span, now: Gauges) -> Figures {
        let in_hour = span.is_hour();
        let ring = if in_hour { &self.hour } else { &self.day };
        let mut sums = Sums::new(span, ring.base());
        for record in ring.records() {
            sums.add(span.age(record.at), &record.calls, record.gauges);
        }
        if !in_hour {
            sums.add(span.age(self.looked), &self.not_in_day, self.hour_gauges);
        }
        sums.add(0, &Calls::of(&self.invocations).since(&self.seen), now);
        sums.figures()
    }

    /// What it takes, in bytes.
    #[cfg(test)]
    pub(super) fn size(&self) -> usize {
        let codes = self.seen.codes.capacity() + self.not_in_day.codes.capacity();
        size_of::<Self>() + self.hour.size() + self.day.size() + codes * size_of::<(u16, u64)>()
    }
}
