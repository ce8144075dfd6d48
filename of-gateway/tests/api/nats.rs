//! NATS comes and goes while the gateway runs.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use of_gateway::{Gateway, Nats, StartError};

use crate::asynchronous::witness;
use crate::place::Place;
use crate::support::nats::NatsServer;
use crate::support::{Running, answer, eventually};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_call_that_was_accepted_is_lost_while_nats_restarts() {
    let mut place = Place::nats();
    let (router, mut seen) = witness();
    let mut config = place.config([("witness", router)]);
    config.queueing.lease = Duration::from_secs(2);
    let gateway = Running::start(config).await;
    let over = Arc::new(AtomicBool::new(false));
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..4 {
        let (http, url) = (gateway.http.clone(), gateway.at("/async-function/witness"));
        let over = Arc::clone(&over);
        senders.spawn(async move {
            let mut accepted = Vec::new();
            for n in 0.. {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                let id = format!("{sender}-{n}");
                let sent = http.post(&url).header("x-call-id", &id).send().await.unwrap();
                match sent.status().as_u16() {
                    202 => accepted.push(id),
                    503 => assert!(sent.text().await.unwrap().contains("NATS")),
                    other => panic!("{other}"),
                }
            }
            accepted
        });
    }
    let mut ran = HashSet::new();
    let id = |head: &http::request::Parts| head.headers["x-call-id"].to_str().unwrap().to_owned();
    for round in 1..=2 {
        while ran.len() < 200 * round {
            ran.insert(id(&seen.recv().await.unwrap().0));
        }
        let nats = place.nats.as_mut().unwrap();
        nats.kill();
        nats.start_again();
    }
    let before = ran.len();
    while ran.len() < before + 200 {
        ran.insert(id(&seen.recv().await.unwrap().0));
    }
    over.store(true, Ordering::Relaxed);
    let accepted: HashSet<String> = senders.join_all().await.into_iter().flatten().collect();
    eventually("all accepted calls to run", async || {
        while let Ok((head, _)) = seen.try_recv() {
            ran.insert(id(&head));
        }
        accepted.is_subset(&ran).then_some(())
    })
    .await;
    gateway.stop().await;
}

#[tokio::test]
async fn without_nats_calls_are_refused_in_a_sentence_and_the_shutdown_does_not_wait() {
    let mut place = Place::nats();
    let (router, _seen) = witness();
    let gateway = Running::start(place.config([("witness", router)])).await;
    place.nats.as_mut().unwrap().kill();
    let call = gateway.http.post(gateway.at("/async-function/witness")).send().await.unwrap();
    let (status, sentence) = answer(call).await;
    assert_eq!(status, 503);
    assert!(sentence.contains("not queued") && !sentence.contains("127.0.0.1"), "{sentence}");
    assert_eq!(gateway.get("/function/witness").await.0, 200, "other calls go on");
    tokio::time::timeout(Duration::from_secs(20), gateway.stop()).await.unwrap();
}

#[tokio::test]
async fn a_gateway_without_its_nats_says_so_at_its_start() {
    let mut server = NatsServer::start();
    server.kill();
    let place = Place::file();
    let mut config = place.config([]);
    config.queueing.nats = Some(Nats::at(server.address()));
    let refused = Gateway::start(config).await.err().unwrap();
    assert!(matches!(refused, StartError::Queue(_)), "{refused:?}");
    assert!(refused.to_string().contains(&server.address()), "{refused}");
}
