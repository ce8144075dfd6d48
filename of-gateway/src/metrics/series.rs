//! How many of something ended, and how long they took.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use prometheus::proto::{Bucket, Histogram};

/// Upper bounds of the buckets in nanoseconds: Prometheus' usual ones, from 5 ms to 10 s.
pub(crate) const BOUNDS: [u64; 11] = {
    const MS: u64 = 1_000_000;
    [5 * MS, 10 * MS, 25 * MS, 50 * MS, 100 * MS, 250 * MS, 500 * MS, 1000 * MS, 2500 * MS, 5000 * MS, 10_000 * MS]
};

/// Buckets: one below each bound, and the last for what is above all of them.
pub(crate) const TIMES: usize = BOUNDS.len() + 1;

/// A count and a histogram in one. Changed without a lock.
#[derive(Debug, Default)]
pub(super) struct Series {
    // Not cumulative; made so when shown.
    buckets: [AtomicU64; TIMES],
    nanos: AtomicU64,
}

impl Series {
    pub(super) fn observe(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.iter().position(|bound| nanos <= *bound).unwrap_or(BOUNDS.len());
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    pub(super) fn count(&self) -> u64 {
        self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).sum()
    }

    pub(super) fn counts(&self) -> [u64; TIMES] {
        self.buckets.each_ref().map(|bucket| bucket.load(Ordering::Relaxed))
    }

    pub(super) fn histogram(&self) -> Histogram {
        let mut histogram = Histogram::default();
        let (mut count, mut buckets) = (0, Vec::with_capacity(BOUNDS.len()));
        for (index, number) in self.buckets.iter().enumerate() {
            count += number.load(Ordering::Relaxed);
            if let Some(bound) = BOUNDS.get(index) {
                let mut bucket = Bucket::default();
                bucket.set_upper_bound(seconds(*bound));
                bucket.set_cumulative_count(count);
                buckets.push(bucket);
            }
        }
        histogram.set_bucket(buckets);
        histogram.set_sample_count(count);
        histogram.set_sample_sum(seconds(self.nanos.load(Ordering::Relaxed)));
        histogram
    }
}

fn seconds(nanos: u64) -> f64 {
    nanos as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_fall_into_their_buckets_and_those_above() {
        let series = Series::default();
        for millis in [5, 6, 2500, 20_000] {
            series.observe(Duration::from_millis(millis));
        }
        let histogram = series.histogram();
        assert_eq!((series.count(), histogram.get_sample_count(), histogram.get_sample_sum()), (4, 4, 22.511));
        let of = |bound: f64| {
            let bucket = histogram.get_bucket().iter().find(|bucket| bucket.upper_bound() == bound).unwrap();
            bucket.cumulative_count()
        };
        assert_eq!([of(0.005), of(0.01), of(1.0), of(2.5), of(10.0)], [1, 2, 2, 3, 3]);
    }
}
