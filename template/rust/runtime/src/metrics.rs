//! Counters and durations of requests, by status code and method.
//!
//! Every request changes two numbers and takes no lock. A general metrics library looks the series up in a
//! locked map and locks the histogram; at the rates of a function doing little, that is felt.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::Method;

mod exposition;
pub(crate) mod scrape;

/// Upper bounds of the histogram's buckets, in microseconds, and as they are written.
const BUCKETS: [(u64, &str); 11] = [
    (5_000, "0.005"),
    (10_000, "0.01"),
    (25_000, "0.025"),
    (50_000, "0.05"),
    (100_000, "0.1"),
    (250_000, "0.25"),
    (500_000, "0.5"),
    (1_000_000, "1"),
    (2_500_000, "2.5"),
    (5_000_000, "5"),
    (10_000_000, "10"),
];

/// The methods told apart, as they are written. Others share the last name: a client must not be able to
/// make series without end.
const METHODS: [(Method, &str); 9] = [
    (Method::GET, "get"),
    (Method::POST, "post"),
    (Method::PUT, "put"),
    (Method::DELETE, "delete"),
    (Method::PATCH, "patch"),
    (Method::HEAD, "head"),
    (Method::OPTIONS, "options"),
    (Method::CONNECT, "connect"),
    (Method::TRACE, "trace"),
];
const OTHER_METHOD: &str = "unknown";

/// Status codes run from 100 to 999.
const FIRST_CODE: u16 = 100;
const CODES: usize = 900;

/// All series; each comes to be with its first request.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    by_method: [OnceLock<Codes>; METHODS.len() + 1],
}

/// The series of one method, by status code.
type Codes = Box<[OnceLock<Box<Series>>]>;

/// One (method, code): how many requests ended within each bucket, and their time in all.
#[derive(Debug, Default)]
struct Series {
    // The last is for what is above all bounds. Not cumulative; made so when written out.
    buckets: [AtomicU64; BUCKETS.len() + 1],
    micros: AtomicU64,
}

impl Metrics {
    pub(crate) fn observe(&self, method: &Method, code: u16, elapsed: Duration) {
        let method = METHODS
            .iter()
            .position(|(known, _)| known == method)
            .unwrap_or(METHODS.len());
        let code = usize::from(code.saturating_sub(FIRST_CODE)).min(CODES - 1);
        let codes = self.by_method[method].get_or_init(|| (0..CODES).map(|_| OnceLock::new()).collect());
        codes[code].get_or_init(Box::default).observe(elapsed);
    }

    /// Every series that has been seen: method, code, numbers.
    fn series(&self) -> impl Iterator<Item = (&'static str, usize, &Series)> {
        let names = METHODS.iter().map(|(_, name)| *name).chain([OTHER_METHOD]);
        names.zip(&self.by_method).flat_map(|(name, codes)| {
            let codes = codes.get().into_iter().flat_map(|codes| codes.iter().enumerate());
            codes.filter_map(move |(code, series)| Some((name, code + usize::from(FIRST_CODE), &**series.get()?)))
        })
    }
}

impl Series {
    fn observe(&self, elapsed: Duration) {
        let micros = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        let bucket = BUCKETS
            .iter()
            .position(|(bound, _)| micros <= *bound)
            .unwrap_or(BUCKETS.len());
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }
}
