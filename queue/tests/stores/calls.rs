use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use queue::{Enqueued, Lane, LaneCounts, QueueError, Verdict, now_ms};

use crate::support::{
    Home, QUEUE, bury, claim, claim_lane, claim_one, enqueue, enqueue_body, eventually, head, ids, lane, limited, read,
    settle,
};

pub(crate) async fn a_call_comes_back_as_it_went_in_and_is_forgotten_when_done(home: &Home) {
    let queue = home.open().await;
    assert_eq!(enqueue(&queue, "f", "id").await, Enqueued::New);
    assert_eq!(queue.news().await, HashSet::from([lane("f")]));
    let claimed = claim_lane(&queue, lane("f"), 10).await;
    let [got] = claimed.calls.as_slice() else { panic!("one call, not {:?}", claimed.calls) };
    let sent = head("f", "id");
    assert_eq!((&got.head.method, &got.head.path, &got.head.headers), (&sent.method, &sent.path, &sent.headers));
    assert_eq!((&got.head.lane, got.head.call_id.as_str()), (&sent.lane, "id"));
    assert_eq!((&read(&got.body).await[..], got.body.length()), (&b"\0body\r\n"[..], 7));
    assert_eq!((got.ticket.attempt, claimed.next), (1, None));
    assert!(claim(&queue, "f", 10).await.is_empty(), "it is leased");
    settle(&queue, got, Verdict::Done).await;
    assert_eq!(enqueue(&queue, "f", "id").await, Enqueued::New, "a call may be sent again once it has ended");
}

pub(crate) async fn the_same_call_is_stored_once_and_another_of_the_same_id_is_not_lost(home: &Home) {
    let queue = home.open().await;
    enqueue(&queue, "f", "id").await;
    assert_eq!(enqueue(&queue, "f", "id").await, Enqueued::Known);
    assert_eq!(enqueue(&queue, "g", "id").await, Enqueued::New);
    assert_eq!(enqueue_body(&queue, head("f", "id"), b"other").await.unwrap(), Enqueued::New);
    let calls = claim(&queue, "f", 10).await;
    assert_eq!(calls.len(), 2);
    assert_eq!(enqueue(&queue, "f", "id").await, Enqueued::Known, "while it runs too");
}

pub(crate) async fn lanes_do_not_see_each_other(home: &Home) {
    let queue = home.open().await;
    let slow = Lane::new("slow", "f.a");
    for (lane, id) in [(lane("f.a"), "1"), (lane("f.b"), "2"), (slow.clone(), "3"), (lane("f~a=2e *>"), "4")] {
        enqueue_body(&queue, queue::Head { lane, ..head("", id) }, b"").await.unwrap();
    }
    for (lane, id) in [(slow, "3"), (lane("f.b"), "2"), (lane("f.a"), "1"), (lane("f~a=2e *>"), "4")] {
        assert_eq!(ids(&claim_lane(&queue, lane, 10).await.calls), [id]);
    }
}

pub(crate) async fn a_retry_waits_for_its_time(home: &Home) {
    let queue = home.open().await;
    enqueue(&queue, "f", "id").await;
    let first = claim_one(&queue, "f").await;
    let at = now_ms() + 60_000;
    settle(&queue, &first, Verdict::Retry { at, status: 503, reason: "busy".into() }).await;
    let none = claim_lane(&queue, lane("f"), 1).await;
    assert!(none.calls.is_empty());
    let next = none.next.unwrap();
    assert!((at..at + 1000).contains(&next), "{next} is not about {at}");
    enqueue(&queue, "f", "another").await;
    assert_eq!(ids(&claim(&queue, "f", 10).await), ["another"], "the waiting one does not hold it up");
}

pub(crate) async fn a_retry_comes_back_with_its_attempts_counted(home: &Home) {
    let queue = home.open().await;
    enqueue(&queue, "f", "id").await;
    for attempt in 1..5 {
        let call = claim_one(&queue, "f").await;
        assert_eq!(call.ticket.attempt, attempt);
        assert_eq!(&read(&call.body).await[..], b"\0body\r\n");
        let at = now_ms() + 50 * i64::from(attempt % 2);
        settle(&queue, &call, Verdict::Retry { at, status: 503, reason: "busy".into() }).await;
    }
}

pub(crate) async fn a_released_attempt_does_not_count(home: &Home) {
    let queue = home.open().await;
    enqueue(&queue, "f", "id").await;
    let first = claim_one(&queue, "f").await;
    settle(&queue, &first, Verdict::Retry { at: now_ms(), status: 503, reason: String::new() }).await;
    for _ in 0..3 {
        let call = claim_one(&queue, "f").await;
        assert_eq!(call.ticket.attempt, 2);
        settle(&queue, &call, Verdict::Released).await;
    }
    assert_eq!(enqueue(&queue, "f", "id").await, Enqueued::Known, "it is the same call");
    settle(&queue, &claim_one(&queue, "f").await, Verdict::Done).await;
    assert!(claim(&queue, "f", 10).await.is_empty(), "it is there once");
}

pub(crate) async fn calls_wait_through_a_restart_and_are_named(home: &Home) {
    let queue = home.open().await;
    for id in ["1", "2"] {
        enqueue(&queue, "f", id).await;
    }
    enqueue_body(&queue, queue::Head { lane: Lane::new("slow", "g"), ..head("", "3") }, b"").await.unwrap();
    let ended = claim(&queue, "f", 1).await.pop().unwrap();
    settle(&queue, &ended, Verdict::Done).await;
    queue.close().await.unwrap();
    let queue = home.open().await;
    let waiting: HashSet<_> = queue.waiting().await.unwrap().into_iter().collect();
    assert_eq!(waiting, HashSet::from([lane("f"), Lane::new("slow", "g")]));
    assert_eq!(ids(&claim_lane(&queue, Lane::new("slow", "g"), 10).await.calls), ["3"]);
    let left = claim(&queue, "f", 10).await;
    assert_eq!(left.len(), 1);
    assert_ne!(left[0].head.call_id, ended.head.call_id);
}

pub(crate) async fn a_full_queue_refuses_and_takes_again_later(home: &Home) {
    let queue = home.open_with(limited(1, 1)).await;
    enqueue(&queue, "f", "1").await;
    let refused = enqueue_body(&queue, head("f", "2"), &[0; 200_000]).await;
    assert!(matches!(refused, Err(QueueError::Full(1))), "{refused:?}");
    assert_eq!(home.bodies().len(), 0, "what was refused leaves no file");
    settle(&queue, &claim_one(&queue, "f").await, Verdict::Done).await;
    enqueue(&queue, "f", "2").await;
}

pub(crate) async fn a_cancelled_call_is_gone_or_named_as_running(home: &Home) {
    let queue = home.open().await;
    enqueue(&queue, "f", "id").await;
    let running = claim_one(&queue, "f").await;
    enqueue(&queue, "g", "id").await;
    enqueue_body(&queue, head("f", "id"), b"other").await.unwrap();
    enqueue(&queue, "h", "id").await;
    let later = claim_one(&queue, "h").await;
    let due = now_ms() + 1500;
    settle(&queue, &later, Verdict::Retry { at: due, status: 503, reason: String::new() }).await;
    enqueue(&queue, "f", "another").await;

    let cancelled = queue.cancel("id").await.unwrap();
    assert_eq!((cancelled.removed, cancelled.running), (3, vec![running.ticket]));
    assert_eq!(ids(&claim(&queue, "f", 10).await), ["another"]);
    assert!(claim(&queue, "g", 10).await.is_empty());
    settle(&queue, &running, Verdict::Done).await;
    let none = queue.cancel("id").await.unwrap();
    assert_eq!((none.removed, none.running.len()), (0, 0));
    eventually("the time of the retry to pass", async || {
        assert!(claim(&queue, "h", 10).await.is_empty(), "a cancelled retry does not come back");
        (now_ms() > due + 500).then_some(())
    })
    .await;
    assert_eq!(enqueue(&queue, "g", "id").await, Enqueued::New, "the id may be used again");
}

pub(crate) async fn the_figures_follow_what_happens(home: &Home) {
    let queue = home.open().await;
    bury(&queue, "f", "dead").await;
    for id in ["1", "2", "3", "4"] {
        enqueue(&queue, "f", id).await;
    }
    let mut running = claim(&queue, "f", 3).await;
    let later = running.pop().unwrap();
    settle(&queue, &later, Verdict::Retry { at: now_ms() + 60_000, status: 503, reason: String::new() }).await;
    enqueue_body(&queue, queue::Head { lane: Lane::new("slow", "g"), ..head("", "5") }, b"").await.unwrap();
    let slow = claim_lane(&queue, Lane::new("slow", "g"), 1).await.calls.pop().unwrap();
    let expected = [
        LaneCounts { lane: lane("f"), waiting: 2, running: 2, dead: 1 },
        LaneCounts { lane: Lane::new("slow", "g"), waiting: 0, running: 1, dead: 0 },
    ];
    let counted = async || queue.statistics().await.unwrap();
    eventually("the figures", async || (counted().await == expected).then_some(())).await;
    settle(&queue, &slow, Verdict::Done).await;
    for call in &running {
        settle(&queue, call, Verdict::Done).await;
    }
    let left = [LaneCounts { lane: lane("f"), waiting: 2, running: 0, dead: 1 }];
    eventually("the figures of later", async || (counted().await == left).then_some(())).await;
    queue.close().await.unwrap();
    let queue = home.open().await;
    assert_eq!(queue.statistics().await.unwrap(), left, "also after a restart");
}

pub(crate) async fn many_at_once_are_each_stored_and_claimed_once(home: &Home) {
    let queue = home.open().await;
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..50 {
        let queue = queue.clone();
        senders.spawn(async move {
            for n in 0..20 {
                let function = format!("f{}", n % 4);
                assert_eq!(enqueue(&queue, &function, &format!("{sender}-{n}")).await, Enqueued::New);
            }
        });
    }
    let claimed = Arc::new(std::sync::Mutex::new(Vec::new()));
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..8 {
        let (queue, claimed) = (queue.clone(), Arc::clone(&claimed));
        workers.spawn(async move {
            loop {
                for call in claim(&queue, &format!("f{}", worker % 4), 7).await {
                    claimed.lock().unwrap().push(call.head.call_id.clone());
                    settle(&queue, &call, Verdict::Done).await;
                }
                tokio::task::yield_now().await;
            }
        });
    }
    senders.join_all().await;
    eventually("all calls", async || (claimed.lock().unwrap().len() >= 1000).then_some(())).await;
    let claimed = claimed.lock().unwrap().clone();
    assert_eq!((claimed.len(), claimed.iter().collect::<HashSet<_>>().len()), (1000, 1000));
}

pub(crate) async fn a_call_is_stored_even_if_its_sender_leaves(home: &Home) {
    let queue = home.open().await;
    let mut leaving = Box::pin(enqueue(&queue, "f", "left"));
    assert!(futures_util::poll!(&mut leaving).is_pending());
    drop(leaving);
    let news = tokio::time::timeout(Duration::from_secs(30), queue.news()).await.unwrap();
    assert_eq!(news, HashSet::from([lane("f")]));
    assert_eq!(claim_one(&queue, "f").await.head.call_id, "left");
}

pub(crate) async fn a_queue_of_no_possible_name_is_refused(home: &Home) {
    let queue = home.open().await;
    for name in ["", "a.b", "a b", "*", ">"] {
        let refused = enqueue_body(&queue, queue::Head { lane: Lane::new(name, "f"), ..head("", "1") }, b"").await;
        assert!(matches!(refused, Err(QueueError::QueueName(_))), "{name}: {refused:?}");
    }
    assert_eq!(queue.waiting().await.unwrap(), []);
    assert!(queue::valid_queue(QUEUE));
}

pub(crate) async fn a_second_process_is_refused(home: &Home) {
    let queue = home.open().await;
    let error = home.try_open(limited(10, 10)).await.err().unwrap();
    assert!(matches!(error, QueueError::InUse(_)), "{error:?}");
    let sentence = error.to_string();
    assert!(sentence.contains(home.folder.path().to_str().unwrap()) && sentence.contains("another gateway"));
    queue.close().await.unwrap();
    home.open().await;
}
