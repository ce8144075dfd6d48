use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::routing::post;
use http::StatusCode;
use http_body_util::BodyExt;
use of_gateway::{Config, Gateway, PlatformFunction, Retry};
use serde_json::json;
use tokio::sync::mpsc;

use crate::place::Place;
use crate::support::{Running, answer, eventually};
use crate::without_engine;

pub(crate) type Seen = (http::request::Parts, Vec<u8>);

/// Hands over every request it gets.
#[expect(clippy::unwrap_used, reason = "test helper")]
pub(crate) fn witness() -> (Router, mpsc::UnboundedReceiver<Seen>) {
    let (sender, receiver) = mpsc::unbounded_channel();
    let take = move |request: Request| {
        let sender = sender.clone();
        async move {
            let (head, body) = request.into_parts();
            let body = body.collect().await.unwrap().to_bytes().to_vec();
            sender.send((head, body)).unwrap();
            ([("x-own", "1")], "answer")
        }
    };
    (Router::new().fallback(take), receiver)
}

#[expect(clippy::unwrap_used, reason = "test helper")]
/// Fails with these statuses, one after the other, then succeeds.
pub(crate) fn flaky(statuses: &'static [u16]) -> (Router, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let calls = Arc::clone(&count);
    let answer = move || {
        let index = calls.fetch_add(1, Ordering::SeqCst);
        async move { statuses.get(index).map_or(StatusCode::OK, |code| StatusCode::from_u16(*code).unwrap()) }
    };
    (Router::new().route("/", post(answer)), count)
}

pub(crate) fn quick(name: &str, router: Router, attempts: u32) -> PlatformFunction {
    let wait = Duration::from_millis(5);
    PlatformFunction { retry: Retry { first: wait, cap: wait, attempts }, ..PlatformFunction::new(name, router) }
}

pub(crate) async fn a_call_is_accepted_and_made_as_it_was_sent(place: &Place) {
    let (router, mut seen) = witness();
    let gateway = Running::start(place.config([("witness", router)])).await;
    let sent = gateway.http.post(gateway.at("/async-function/witness/a?b=1")).header("x-own", "7").body("hello");
    let response = sent.send().await.unwrap();
    assert_eq!(response.status(), 202);
    let headers = response.headers().clone();
    assert!(headers.contains_key("x-start-time") && headers.contains_key("x-served-by"));
    assert_eq!(response.bytes().await.unwrap().len(), 0);
    let (head, body) = seen.recv().await.unwrap();
    assert_eq!((head.method.as_str(), head.uri.to_string().as_str()), ("POST", "/a?b=1"));
    assert_eq!((body.as_slice(), &head.headers["x-own"]), (b"hello".as_slice(), &"7".parse().unwrap()));
    assert_eq!(head.headers["x-call-id"], headers["x-call-id"]);
    assert_eq!(head.headers["x-forwarded-for"], "127.0.0.1");
    gateway.stop().await;
}

pub(crate) async fn refusals_have_their_codes_and_sentences(place: &Place) {
    let (router, _seen) = witness();
    let config = Config { max_async_body: 1 << 20, ..place.config([("witness", router)]) };
    let gateway = Running::start(config).await;
    let post = || gateway.http.post(gateway.at("/async-function/witness"));
    assert_eq!(gateway.get("/async-function/witness").await.0, 405);
    for url in ["/relative", "ftp://host/", "http://", "nonsense"] {
        let (status, text) = answer(post().header("x-callback-url", url).send().await.unwrap()).await;
        assert_eq!(status, 400, "{url}: {text}");
        assert!(text.contains("X-Callback-Url"), "{text}");
    }
    assert_eq!(answer(post().header("x-call-id", "x".repeat(257)).send().await.unwrap()).await.0, 400);
    assert_eq!(answer(post().body(vec![0; 1 << 20]).send().await.unwrap()).await.0, 202);
    let (status, text) = answer(post().body(vec![0; (1 << 20) + 1]).send().await.unwrap()).await;
    assert_eq!(status, 413);
    assert!(text.contains("1048576 bytes") && text.contains("synchronously"), "{text}");
    gateway.stop().await;
}

pub(crate) async fn failures_that_may_pass_are_tried_again_and_others_are_final(place: &Place) {
    let (passing, passing_calls) = flaky(&[500, 502, 503, 504, 429, 408]);
    let (wrong, wrong_calls) = flaky(&[400]);
    let (stubborn, stubborn_calls) = flaky(&[500; 10]);
    let mut config = place.config([]);
    config.platform = vec![quick("passing", passing, 10), quick("wrong", wrong, 10), quick("stubborn", stubborn, 3)];
    let gateway = Running::start(config).await;
    for name in ["passing", "wrong", "stubborn"] {
        let call = gateway.http.post(gateway.at(&format!("/async-function/{name}"))).header("x-call-id", name);
        assert_eq!(call.send().await.unwrap().status(), 202);
    }
    let dead = eventually("two dead letters", async || {
        let dead = gateway.system_get("/system/async/dead").await;
        (dead.as_array().unwrap().len() == 2).then_some(dead)
    })
    .await;
    eventually("the passing call to pass", async || (passing_calls.load(Ordering::SeqCst) == 7).then_some(())).await;
    assert_eq!((wrong_calls.load(Ordering::SeqCst), stubborn_calls.load(Ordering::SeqCst)), (1, 3));
    let of = |name: &str| {
        dead.as_array()
            .unwrap()
            .iter()
            .find(|letter| letter["function"] == format!("{name}.openfaas-fn"))
            .unwrap()
            .clone()
    };
    assert_eq!((&of("wrong")["status"], &of("wrong")["attempts"]), (&json!(400), &json!(1)));
    assert_eq!((&of("stubborn")["status"], &of("stubborn")["attempts"]), (&json!(500), &json!(3)));
    assert_eq!(of("stubborn")["callId"], "stubborn");
    let only = gateway.system_get("/system/async/dead?function=wrong&limit=5").await;
    assert_eq!(only.as_array().unwrap().len(), 1);
    gateway.stop().await;
}

pub(crate) async fn a_slow_function_does_not_block_the_others_and_keeps_its_limit(place: &Place) {
    let running = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&running);
    let slow = post(move || {
        count.fetch_add(1, Ordering::SeqCst);
        std::future::pending::<()>()
    });
    let (router, mut seen) = witness();
    let mut config = place.config([("quick", router)]);
    config.async_concurrency = 2;
    config
        .platform
        .push(PlatformFunction { concurrency: 3, ..PlatformFunction::new("slow", Router::new().route("/", slow)) });
    let gateway = Running::start(config).await;
    for _ in 0..10 {
        gateway.http.post(gateway.at("/async-function/slow")).send().await.unwrap();
    }
    eventually("slow calls to run", async || (running.load(Ordering::SeqCst) >= 2).then_some(())).await;
    for _ in 0..5 {
        gateway.http.post(gateway.at("/async-function/quick")).send().await.unwrap();
        seen.recv().await.unwrap();
    }
    assert_eq!(running.load(Ordering::SeqCst), 2);
    // The slow calls never end: stopping would wait for them, and the process ends anyway.
}

pub(crate) async fn a_repeated_call_runs_once_and_calls_survive_a_restart(place: &Place) {
    let hold = Arc::new(tokio::sync::Semaphore::new(0));
    let (gate, count) = (Arc::clone(&hold), Arc::new(AtomicUsize::new(0)));
    let calls = Arc::clone(&count);
    let held = post(move || {
        let (gate, calls) = (Arc::clone(&gate), Arc::clone(&calls));
        async move {
            gate.acquire().await.unwrap().forget();
            calls.fetch_add(1, Ordering::SeqCst);
            StatusCode::OK
        }
    });
    let config = || {
        let mut config = place.config([]);
        let router = Router::new().route("/", held.clone());
        config.platform.push(PlatformFunction { concurrency: 1, ..PlatformFunction::new("held", router) });
        config
    };
    let gateway = Running::start(config()).await;
    for id in ["a", "b", "a", "c", "b", "a"] {
        let call = gateway.http.post(gateway.at("/async-function/held")).header("x-call-id", id).send();
        assert_eq!(call.await.unwrap().status(), 202);
    }
    hold.add_permits(1);
    eventually("the first call", async || (count.load(Ordering::SeqCst) == 1).then_some(())).await;
    gateway.stop().await;
    let gateway = Running::start(config()).await;
    hold.add_permits(10);
    eventually("all calls", async || (count.load(Ordering::SeqCst) == 3).then_some(())).await;
    let response = gateway.http.post(gateway.at("/async-function/held")).header("x-call-id", "a").send().await.unwrap();
    assert_eq!(response.status(), 202);
    eventually("a later call of the same id", async || (count.load(Ordering::SeqCst) == 4).then_some(())).await;
    gateway.stop().await;
}

#[tokio::test]
async fn one_data_directory_has_one_gateway_and_a_damaged_queue_none() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Running::start(without_engine(dir.path(), [])).await;
    let refused = Gateway::start(without_engine(dir.path(), [])).await.err().unwrap().to_string();
    assert!(refused.contains("queue.db") && refused.contains("another gateway"), "{refused}");
    gateway.stop().await;
    std::fs::write(dir.path().join("queue.db"), "not a database at all, whatever its name says").unwrap();
    let refused = Gateway::start(without_engine(dir.path(), [])).await.err().unwrap().to_string();
    assert!(refused.contains("queue.db") && refused.contains("damaged"), "{refused}");
}
