use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::routing::post;
use chrono::{DateTime, Utc};
use http::{HeaderMap, StatusCode};
use tokio::sync::{Semaphore, mpsc};
use tokio::time::Instant;

use crate::asynchronous::quick;
use crate::place::Place;
use crate::support::{Running, eventually};

/// Answers like this until the last attempt; hands over when it was called with which headers.
fn failing(
    status: u16,
    answer: impl Fn() -> HeaderMap + Clone + Send + Sync + 'static,
    times: usize,
) -> (Router, mpsc::UnboundedReceiver<(Instant, HeaderMap)>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let count = Arc::new(AtomicUsize::new(0));
    let call = move |headers: HeaderMap| {
        let failed = count.fetch_add(1, Ordering::SeqCst) < times;
        let status = if failed { StatusCode::from_u16(status).unwrap() } else { StatusCode::OK };
        let _ = sender.send((Instant::now(), headers));
        let answer = answer.clone();
        async move { (status, answer()) }
    };
    (Router::new().route("/", post(call)), receiver)
}

fn headers<const N: usize>(pairs: [(&'static str, String); N]) -> HeaderMap {
    pairs.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
}

pub(crate) async fn a_function_says_when_to_come_again_and_how_often_it_was_asked(place: &Place) {
    let (seconds, mut by_seconds) = failing(503, || headers([("retry-after", "1".into())]), 2);
    let in_two = || {
        let moment: DateTime<Utc> = (SystemTime::now() + Duration::from_secs(3)).into();
        headers([("retry-after", moment.format("%a, %d %b %Y %H:%M:%S GMT").to_string())])
    };
    let (date, mut by_date) = failing(429, in_two, 1);
    let (nonsense, mut by_nonsense) = failing(503, || headers([("retry-after", "soon".into())]), 1);
    let mut config = place.config([]);
    config.platform = vec![quick("seconds", seconds, 5), quick("date", date, 5), quick("nonsense", nonsense, 5)];
    let gateway = Running::start(config).await;
    for name in ["seconds", "date", "nonsense"] {
        gateway.http.post(gateway.at(&format!("/async-function/{name}"))).send().await.unwrap();
    }
    let (first, sent) = by_seconds.recv().await.unwrap();
    assert_eq!((&sent["x-retry"], &sent["x-retry-max"]), (&"0".parse().unwrap(), &"4".parse().unwrap()));
    let (second, sent) = by_seconds.recv().await.unwrap();
    assert_eq!((&sent["x-retry"], &sent["x-retry-max"]), (&"1".parse().unwrap(), &"4".parse().unwrap()));
    let (third, sent) = by_seconds.recv().await.unwrap();
    assert_eq!(sent["x-retry"], "2");
    for wait in [second - first, third - second] {
        assert!(wait >= Duration::from_millis(950), "{wait:?}");
    }
    let (first, _) = by_date.recv().await.unwrap();
    let wait = by_date.recv().await.unwrap().0 - first;
    assert!(wait >= Duration::from_millis(1500), "a date has whole seconds: {wait:?}");
    by_nonsense.recv().await.unwrap();
    by_nonsense.recv().await.unwrap();
    gateway.stop().await;
}

pub(crate) async fn an_answer_that_is_not_the_functions_own_is_always_tried_again(place: &Place) {
    let (marked, mut calls) = failing(400, || headers([("x-openfaas-internal", "of-watchdog".into())]), 2);
    let mut config = place.config([]);
    config.platform = vec![quick("marked", marked, 5)];
    let gateway = Running::start(config).await;
    gateway.http.post(gateway.at("/async-function/marked")).send().await.unwrap();
    for _ in 0..3 {
        calls.recv().await.unwrap();
    }
    gateway.stop().await;
}

pub(crate) async fn a_queue_with_a_limit_of_its_own_keeps_it(place: &Place) {
    let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (done, may_end) = (Arc::new(AtomicUsize::new(0)), Arc::new(Semaphore::new(0)));
    let (now, peak, ended, leave) = (running.clone(), most.clone(), done.clone(), may_end.clone());
    let held = post(move || {
        peak.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        let (now, ended, leave) = (now.clone(), ended.clone(), leave.clone());
        async move {
            leave.acquire().await.unwrap().forget();
            now.fetch_sub(1, Ordering::SeqCst);
            ended.fetch_add(1, Ordering::SeqCst);
        }
    });
    let functions = ["a", "b", "c"].map(|name| (name, Router::new().route("/", held.clone())));
    let mut config = place.config(functions);
    config.queueing.concurrency.insert("faas-request".into(), 2);
    let gateway = Running::start(config).await;
    for _ in 0..8 {
        for name in ["a", "b", "c"] {
            gateway.http.post(gateway.at(&format!("/async-function/{name}"))).send().await.unwrap();
        }
    }
    // One after the other is let go, and all others are held: a third one would be seen.
    for over in 0..24 {
        let both = 2.min(24 - over);
        eventually("two to run", async || (running.load(Ordering::SeqCst) == both).then_some(())).await;
        may_end.add_permits(1);
        eventually("one to end", async || (done.load(Ordering::SeqCst) > over).then_some(())).await;
    }
    assert_eq!(most.load(Ordering::SeqCst), 2);
    gateway.stop().await;
}
