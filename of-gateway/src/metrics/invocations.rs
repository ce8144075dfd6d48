//! The calls of one function.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use http::{Response, StatusCode};
use prometheus::proto::Histogram;

use super::series::{Series, TIMES};
use crate::reply::Reply;
use crate::transit::Bare;

/// A caller that left before there was an answer; nginx's number for it.
const CALLER_GONE: u16 = 499;

/// Counts of one function, over all its versions and replicas.
#[derive(Debug, Default)]
pub(crate) struct Invocations {
    started: AtomicU64,
    in_flight: AtomicU64,
    /// Nearly all there are.
    ok: Series,
    others: RwLock<BTreeMap<u16, Arc<Series>>>,
}

impl Invocations {
    /// Calls begun so far.
    pub(crate) fn started(&self) -> u64 {
        self.started.load(Ordering::Relaxed)
    }

    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Calls that ended, and their times, by status code.
    pub(super) fn ended(&self) -> Vec<(u16, Histogram)> {
        let others = self.others.read().unwrap_or_else(PoisonError::into_inner);
        let others = others.iter().map(|(code, series)| (*code, series.histogram()));
        let ok = Some(&self.ok).filter(|ok| ok.count() > 0).map(|ok| (StatusCode::OK.as_u16(), ok.histogram()));
        ok.into_iter().chain(others).collect()
    }

    /// The same as bare numbers: by code, how many took how long (not cumulative).
    pub(crate) fn counts(&self) -> Vec<(u16, [u64; TIMES])> {
        let others = self.others.read().unwrap_or_else(PoisonError::into_inner);
        let others = others.iter().map(|(code, series)| (*code, series.counts()));
        let ok = Some((StatusCode::OK.as_u16(), self.ok.counts()));
        ok.into_iter().chain(others).filter(|(_, counts)| counts.iter().any(|count| *count > 0)).collect()
    }

    fn end(&self, code: u16, began: Instant) {
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.observe(code, began.elapsed());
    }

    /// A call ended with this code, and took so long.
    pub(crate) fn observe(&self, code: u16, took: Duration) {
        if code == StatusCode::OK.as_u16() {
            return self.ok.observe(took);
        }
        let known = self.others.read().unwrap_or_else(PoisonError::into_inner).get(&code).cloned();
        let series = known.unwrap_or_else(|| {
            let mut others = self.others.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(others.entry(code).or_default())
        });
        series.observe(took);
    }
}

/// One call, from its beginning until its answer's last byte, or until nobody wants it any more.
#[derive(Debug)]
pub(crate) struct Timer {
    invocations: Arc<Invocations>,
    began: Instant,
    /// Once there is an answer.
    code: u16,
}

impl Timer {
    pub(crate) fn start(invocations: &Arc<Invocations>) -> Self {
        invocations.started.fetch_add(1, Ordering::Relaxed);
        invocations.in_flight.fetch_add(1, Ordering::Relaxed);
        Self { invocations: Arc::clone(invocations), began: Instant::now(), code: CALLER_GONE }
    }

    /// The call ends with this answer's body.
    pub(crate) fn watch(mut self, response: Response<Bare>) -> Response<Reply> {
        self.code = response.status().as_u16();
        response.map(|body| Reply::timed(body, self))
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.invocations.end(self.code, self.began);
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http_body_util::Either;

    use super::*;

    #[test]
    fn a_call_is_in_flight_until_its_answer_is_read_or_dropped() {
        let invocations = Arc::new(Invocations::default());
        let timer = Timer::start(&invocations);
        let answer = timer.watch(Response::new(Either::Right(Body::from("x"))));
        assert_eq!((invocations.started(), invocations.in_flight()), (1, 1));
        assert!(invocations.ended().is_empty());
        drop(answer);
        assert_eq!((invocations.started(), invocations.in_flight()), (1, 0));
        assert_eq!(invocations.ended()[0].0, 200);
    }

    #[test]
    fn a_caller_that_left_is_told_from_every_answer() {
        let invocations = Arc::new(Invocations::default());
        drop(Timer::start(&invocations));
        for _ in 0..2 {
            let mut response = Response::new(Either::Right(Body::empty()));
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            drop(Timer::start(&invocations).watch(response));
        }
        let ended: Vec<_> =
            invocations.ended().into_iter().map(|(code, times)| (code, times.get_sample_count())).collect();
        assert_eq!(ended, [(499, 1), (502, 2)]);
    }
}
