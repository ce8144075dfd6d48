//! From records to an answer: sums over a window, and over equal parts of it.

use sdk::metrics::{Figures, Point};

use super::STEP;
use super::calls::Calls;
use super::quantiles::latency;
use super::record::{Gauges, MEMORY_UNIT};

/// What is asked for. Times in seconds.
pub(super) struct Span {
    /// Since the history's beginning.
    pub(super) now: u64,
    /// The same moment, since 1970.
    pub(super) until: u64,
    pub(super) window: u64,
    pub(super) points: usize,
}

impl Span {
    /// The beginning of what is known, since 1970.
    pub(super) fn since(&self) -> u64 {
        self.until.saturating_sub(self.known())
    }

    pub(super) fn is_hour(&self) -> bool {
        self.window <= 3600
    }

    pub(super) fn step(&self) -> u32 {
        u32::try_from(self.now / STEP.as_secs()).unwrap_or(u32::MAX)
    }

    /// How long ago a step ended.
    pub(super) fn age(&self, step: u32) -> u64 {
        self.now.saturating_sub(u64::from(step) * STEP.as_secs())
    }

    fn known(&self) -> u64 {
        const DAY: u64 = 24 * 3600;
        self.window.min(self.now).min(DAY)
    }

    /// The part of the window in which something of this age was.
    fn part(&self, age: u64) -> Option<usize> {
        let parts = self.points as u64;
        let after = self.window.checked_sub(age).filter(|after| *after > 0 && parts > 0)?;
        usize::try_from((after * parts).div_ceil(self.window) - 1).ok()
    }

    /// When a part ends, in seconds since 1970.
    fn end(&self, part: usize) -> u64 {
        let end = self.window * (part as u64 + 1) / self.points as u64;
        self.until.saturating_sub(self.window) + end
    }
}

/// Sums up records that come in the order of their time.
pub(super) struct Sums<'a> {
    span: &'a Span,
    all: Calls,
    parts: Vec<(Calls, Option<Gauges>)>,
    /// What was so before the window.
    before: Gauges,
    last: Gauges,
}

impl<'a> Sums<'a> {
    pub(super) fn new(span: &'a Span, before: Gauges) -> Self {
        Self { span, all: Calls::default(), parts: vec![Default::default(); span.points], before, last: before }
    }

    pub(super) fn add(&mut self, age: u64, calls: &Calls, gauges: Gauges) {
        self.last = gauges;
        if age >= self.span.window {
            self.before = gauges;
            return;
        }
        self.all.add(calls);
        if let Some((sum, last)) = self.span.part(age).and_then(|part| self.parts.get_mut(part)) {
            sum.add(calls);
            *last = Some(gauges);
        }
    }

    pub(super) fn figures(self) -> Figures {
        let since = self.span.since();
        let mut gauges = self.before;
        let mut series = Vec::new();
        for (part, (calls, last)) in self.parts.iter().enumerate() {
            gauges = last.unwrap_or(gauges);
            let at = self.span.end(part);
            // The last one is there also when the history has only just begun.
            if at > since || part + 1 == self.parts.len() {
                series.push(point(at, calls, gauges));
            }
        }
        Figures {
            codes: self.all.codes.iter().map(|(code, count)| (*code, *count as f64)).collect(),
            latency: latency(&self.all.times),
            replicas: Some(self.last.replicas as f64),
            series,
        }
    }
}

fn point(at: u64, calls: &Calls, gauges: Gauges) -> Point {
    let good = |code: u16| (200..400).contains(&code);
    let sum = |wanted: bool| -> u64 {
        calls.codes.iter().filter(|(code, _)| good(*code) == wanted).map(|(_, count)| count).sum()
    };
    Point {
        at,
        success: sum(true) as f64,
        failure: sum(false) as f64,
        latency: latency(&calls.times),
        replicas: Some(gauges.replicas as f64),
        memory: gauges.memory.map(|units| (units * MEMORY_UNIT) as f64),
        cpu: gauges.cpu.map(|thousandths| thousandths as f64 / 1000.0),
    }
}
