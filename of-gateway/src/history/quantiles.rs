//! How long calls took, from the counts of a histogram's buckets.

use sdk::metrics::Latency;

use crate::metrics::{BOUNDS, TIMES};

/// `None` where there was no call.
pub(super) fn latency(times: &[u64; TIMES]) -> Option<Latency> {
    let all: u64 = times.iter().sum();
    let of = |share| quantile(times, share * all as f64);
    (all > 0).then(|| Latency { p50: of(0.5), p95: of(0.95), p99: of(0.99) })
}

/// Below which so many calls stayed. As Prometheus reckons: evenly spread within a bucket, and never above the last
/// bound.
fn quantile(times: &[u64; TIMES], rank: f64) -> f64 {
    let (mut below, mut lower) = (0.0, 0.0);
    for (count, bound) in times.iter().zip(BOUNDS) {
        let (count, upper) = (*count as f64, bound as f64 / 1e9);
        if count > 0.0 && below + count >= rank {
            return lower + (upper - lower) * (rank - below) / count;
        }
        below += count;
        lower = upper;
    }
    lower
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantile_lies_in_the_bucket_that_reaches_it() {
        assert_eq!(latency(&[0; TIMES]), None);
        let mut times = [0; TIMES];
        (times[0], times[1], times[TIMES - 1]) = (50, 45, 5);
        let latency = latency(&times).unwrap();
        assert_eq!((latency.p50, latency.p95, latency.p99), (0.005, 0.01, 10.0));
        assert_eq!(quantile(&times, 25.0), 0.0025);
        assert!((quantile(&times, 72.5) - 0.0075).abs() < 1e-9);
    }
}
