use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_nats::jetstream::{self, stream};
use queue::{Claimed, Credentials, Enqueued, Lane, Letters, Nats, Options, QueueError, Verdict, Want};
use secrecy::SecretString;

use crate::support::disk::SmallDisk;
use crate::support::nats::NatsServer;
use crate::support::{
    Home, QUEUE, claim, claim_one, dead, enqueue, enqueue_body, eventually, head, ids, lane, limited, read, settle,
    short_lease,
};

async fn client(home: &Home) -> jetstream::Context {
    let address = home.nats.as_ref().unwrap().address();
    jetstream::new(async_nats::connect(address).await.unwrap())
}

#[tokio::test]
async fn a_message_that_is_no_call_is_a_dead_letter_and_does_not_stop_the_others() {
    let home = Home::jetstream();
    let queue = home.open().await;
    enqueue(&queue, "f", "1").await;
    let nats = client(&home).await;
    nats.publish("of.q.faas-request.f.x.y", "garbage".into()).await.unwrap().await.unwrap();
    enqueue(&queue, "f", "2").await;
    assert_eq!(ids(&claim(&queue, "f", 10).await), ["1", "2"]);
    let letters = queue.dead(None, 10).await.unwrap();
    assert_eq!((letters.len(), letters[0].reason.as_str()), (1, "the stored request cannot be read"));
}

#[tokio::test]
async fn a_letter_that_was_put_back_and_not_removed_keeps_its_body() {
    let home = Home::jetstream();
    let queue = home.open().await;
    let body = vec![7; 200 << 10];
    enqueue_body(&queue, head("f", "1"), &body).await.unwrap();
    settle(&queue, &claim_one(&queue, "f").await, dead(400, "")).await;
    // As a redrive leaves it that is cut off after its first half.
    let nats = client(&home).await;
    let id = queue.dead(None, 1).await.unwrap()[0].id;
    let letter = nats.get_stream("OF-DEAD").await.unwrap().get_raw_message(id).await.unwrap();
    let subject = letter.subject.replacen("of.dead.", "of.q.", 1);
    nats.publish_with_headers(subject, letter.headers, letter.payload).await.unwrap().await.unwrap();
    assert_eq!(queue.redrive(Letters::All).await.unwrap(), 1);
    assert_eq!(queue.dead(None, 10).await.unwrap(), []);
    assert_eq!(read(&claim_one(&queue, "f").await.body).await, body);
}

#[tokio::test]
async fn what_ran_when_the_process_ended_comes_back_when_its_lease_is_out() {
    let home = Home::jetstream();
    let queue = home.open_with(short_lease()).await;
    enqueue(&queue, "f", "1").await;
    claim_one(&queue, "f").await;
    queue.close().await.unwrap();
    let queue = home.open_with(short_lease()).await;
    assert_eq!(queue.waiting().await.unwrap(), [lane("f")]);
    let first = queue.claim(vec![Want { lane: lane("f"), calls: 1 }]).await.unwrap().remove(0);
    assert!(!first.calls.is_empty() || first.next.is_some(), "it is to be asked for again");
    assert_eq!(claim_one(&queue, "f").await.ticket.attempt, 2);
    assert_eq!(queue.claim(vec![Want { lane: lane("f"), calls: 1 }]).await.unwrap()[0].next, None);
}

#[tokio::test]
async fn a_removed_consumer_or_stream_is_made_again() {
    let home = Home::jetstream();
    let queue = home.open().await;
    enqueue(&queue, "f", "1").await;
    settle(&queue, &claim_one(&queue, "f").await, Verdict::Done).await;
    enqueue(&queue, "f", "2").await;
    let nats = client(&home).await;
    nats.delete_consumer_from_stream("f", "OF_faas-request").await.unwrap();
    assert_eq!(soon(claim_one(&queue, "f")).await.head.call_id, "2");
    nats.delete_stream("OF_faas-request").await.unwrap();
    enqueue(&queue, "f", "3").await;
    assert_eq!(soon(claim_one(&queue, "f")).await.head.call_id, "3");
}

/// Before a fetch would be given up: a worker that waits for one lane starts no calls of others.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(3), what).await.unwrap()
}

/// A stream that has the name of a queue's.
async fn somebody_elses(home: &Home, queue: &str) {
    let (name, subjects) = (format!("OF_{queue}"), vec![queue.to_owned()]);
    let foreign = stream::Config { name, subjects, ..Default::default() };
    client(home).await.create_stream(foreign).await.unwrap();
}

#[tokio::test]
async fn a_lane_in_trouble_does_not_keep_others_from_their_calls() {
    let home = Home::jetstream();
    somebody_elses(&home, "bad").await;
    let queue = home.open().await;
    for function in ["f", "g"] {
        enqueue(&queue, function, function).await;
    }
    let want = |lane| Want { lane, calls: 5 };
    let bad = || want(Lane::new("bad", "f"));
    let claimed = queue.claim(vec![want(lane("f")), bad(), want(lane("g"))]).await.unwrap();
    let found: Vec<_> = claimed.iter().map(|claimed| (&*claimed.lane.queue, ids(&claimed.calls))).collect();
    assert_eq!(found, [(QUEUE, vec!["f"]), ("bad", vec![]), (QUEUE, vec!["g"])]);
    assert!(claimed[1].next.is_some_and(|at| at > queue::now_ms() - 60_000), "it is to be asked for again");
    let refused = queue.claim(vec![bad(), bad()]).await.unwrap_err();
    assert!(matches!(refused, QueueError::ForeignStream { .. }), "{refused:?}");
}

#[tokio::test]
async fn hundreds_of_new_lanes_are_claimed_at_once() {
    let home = Home::jetstream();
    let queue = home.open().await;
    let functions: Vec<String> = (0..500).map(|n| format!("f{n}")).collect();
    for function in &functions {
        enqueue(&queue, function, function).await;
    }
    // Nobody has asked for any of them yet: each is to get its consumer.
    let mut open: Vec<Want> = functions.iter().map(|function| Want { lane: lane(function), calls: 1 }).collect();
    eventually("a call of each lane", async || {
        let claimed = queue.claim(open.clone()).await.unwrap();
        let asked: Vec<_> = open.iter().map(|want| &want.lane).collect();
        assert_eq!(claimed.iter().map(|claimed| &claimed.lane).collect::<Vec<_>>(), asked, "in the order of the wants");
        let got = |claimed: &Claimed| ids(&claimed.calls) == [&*claimed.lane.function];
        let mut answers = claimed.iter();
        open.retain(|_| !answers.next().is_some_and(got));
        open.is_empty().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_stream_of_somebody_else_is_not_used() {
    let home = Home::jetstream();
    somebody_elses(&home, QUEUE).await;
    let queue = home.open().await;
    let refused = enqueue_body(&queue, head("f", "1"), b"").await.unwrap_err();
    assert!(matches!(refused, QueueError::ForeignStream { .. }), "{refused:?}");
    assert!(refused.to_string().contains("OF_faas-request"));
}

#[tokio::test]
async fn a_changed_limit_is_taken_over() {
    let home = Home::jetstream();
    let queue = home.open_with(limited(1, 5)).await;
    enqueue(&queue, "f", "1").await;
    queue.close().await.unwrap();
    let queue = home.open_with(limited(2, 7)).await;
    enqueue(&queue, "f", "2").await;
    assert!(matches!(enqueue_body(&queue, head("f", "3"), b"").await, Err(QueueError::Full(2))));
}

#[tokio::test]
async fn credentials_are_asked_for_and_taken() {
    let server = NatsServer::with("authorization { user: of, password: right }\n");
    let folder = tempfile::tempdir().unwrap();
    let open = async |credentials| {
        let nats = Nats { credentials, ..Nats::at(server.address()) };
        queue::jetstream(folder.path(), nats, Options::default()).await
    };
    let password = |text: &str| Credentials::Password { user: "of".into(), password: SecretString::from(text) };
    for wrong in [Credentials::None, password("wrong"), Credentials::Token(SecretString::from("right"))] {
        assert!(!format!("{wrong:?}").contains("right"));
        let refused = open(wrong).await.err().unwrap();
        assert!(refused.to_string().to_lowercase().contains("authorization"), "{refused}");
    }
    let file = Credentials::File(SecretString::from("no credentials at all"));
    assert!(matches!(open(file).await, Err(QueueError::Credentials(_))));
    let queue = open(password("right")).await.unwrap();
    assert_eq!(enqueue(&queue, "f", "1").await, Enqueued::New);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let mut server = NatsServer::start();
    server.kill();
    let folder = tempfile::tempdir().unwrap();
    let refused = queue::jetstream(folder.path(), Nats::at(server.address()), Options::default()).await.err().unwrap();
    assert!(matches!(refused, QueueError::Unreachable { .. }), "{refused:?}");
    assert!(refused.to_string().contains(&server.address()), "{refused}");
}

/// Sends and runs calls while the server is killed and started again, several times.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_killed_in_the_middle_loses_nothing_that_was_promised() {
    let mut home = Home::jetstream();
    let queue = home.open_with(short_lease()).await;
    let over = Arc::new(AtomicBool::new(false));
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..8 {
        let (queue, over) = (queue.clone(), Arc::clone(&over));
        senders.spawn(async move {
            let mut promised = Vec::new();
            for n in 0.. {
                if over.load(Ordering::Relaxed) {
                    break;
                }
                let id = format!("{sender}-{n}");
                if enqueue_body(&queue, head("f", &id), b"x").await.is_ok() {
                    promised.push(id);
                }
            }
            promised
        });
    }
    let mut ran = HashSet::new();
    for round in 1..=3 {
        let before = ran.len();
        run_some(&queue, &mut ran, before + 200).await;
        let nats = home.nats.as_mut().unwrap();
        nats.kill();
        nats.start_again();
        eventually("calls to be taken again", async || {
            run_some(&queue, &mut ran, 0).await;
            (ran.len() > before + 250 * round).then_some(())
        })
        .await;
    }
    over.store(true, Ordering::Relaxed);
    let promised: HashSet<String> = senders.join_all().await.into_iter().flatten().collect();
    eventually("all promised calls to run", async || {
        run_some(&queue, &mut ran, 0).await;
        let _ = queue.extend(vec![]).await;
        promised.is_subset(&ran).then_some(())
    })
    .await;
}

/// Claims and ends calls until `ran` has so many, or once.
async fn run_some(queue: &queue::Queue, ran: &mut HashSet<String>, enough: usize) {
    loop {
        let claimed = queue.claim(vec![Want { lane: lane("f"), calls: 50 }]).await;
        for call in claimed.into_iter().flatten().flat_map(|claimed| claimed.calls) {
            ran.insert(call.head.call_id.clone());
            // One that cannot be settled now runs again.
            let _ = queue.settle(call.ticket, Verdict::Done).await;
        }
        if ran.len() >= enough {
            return;
        }
    }
}

#[tokio::test]
async fn a_retry_waits_on_through_a_restart_of_the_server() {
    let mut home = Home::jetstream();
    // After a crash the server knows that the call is out, not until when: it may come as late as its lease allows.
    let queue = home.open_with(short_lease()).await;
    enqueue(&queue, "f", "1").await;
    let call = claim_one(&queue, "f").await;
    let at = queue::now_ms() + 3000;
    settle(&queue, &call, Verdict::Retry { at, status: 503, reason: String::new() }).await;
    let nats = home.nats.as_mut().unwrap();
    nats.kill();
    nats.start_again();
    let again = eventually("the retry", async || {
        let claimed = queue.claim(vec![Want { lane: lane("f"), calls: 1 }]).await.ok()?;
        claimed.into_iter().flat_map(|claimed| claimed.calls).next()
    })
    .await;
    assert_eq!(again.head.call_id, "1");
    settle(&queue, &again, Verdict::Done).await;
}

#[tokio::test]
async fn a_server_without_room_refuses_calls_and_loses_none() {
    let Some(disk) = SmallDisk::mount() else {
        eprintln!("skipped: only root may mount the small disk that this needs");
        return;
    };
    let server = NatsServer::storing(tempfile::tempdir().unwrap(), &disk.path().join("store"), "");
    let mut home = Home { folder: tempfile::tempdir().unwrap(), nats: Some(server) };
    let queue = home.open().await;
    let mut promised = Vec::new();
    let refused = loop {
        let id = promised.len().to_string();
        match enqueue_body(&queue, head("f", &id), &vec![0; 100_000]).await {
            Ok(_) => promised.push(id),
            Err(refused) => break refused,
        }
        assert!(promised.len() < 1000);
    };
    let known = matches!(refused, QueueError::NoRoom(_) | QueueError::NoJetStream(_) | QueueError::Unreachable { .. });
    assert!(known, "{refused:?}");
    // NATS switches its streams off until it is started anew.
    let nats = home.nats.as_mut().unwrap();
    nats.kill();
    disk.free();
    nats.start_again();
    let mut ran = HashSet::new();
    eventually("all promised calls to run", async || {
        run_some(&queue, &mut ran, 0).await;
        promised.iter().all(|id| ran.contains(id)).then_some(())
    })
    .await;
}
