use queue::{Enqueued, Letters, QueueError, Verdict};

use crate::support::{Home, bury, claim, claim_one, dead, enqueue, eventually, ids, lane, limited, read, settle};

pub(crate) async fn dead_letters_are_kept_listed_and_bounded(home: &Home) {
    let queue = home.open_with(limited(100, 3)).await;
    for id in 0..5 {
        enqueue(&queue, "f", &id.to_string()).await;
        let call = claim_one(&queue, "f").await;
        settle(&queue, &call, dead(400, &format!("two\nlines{}ü", "x".repeat(1990)))).await;
    }
    let list = async |function, limit| {
        let letters = queue.dead(function, limit).await.unwrap();
        letters.iter().map(|letter| letter.call_id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(list(Some("f"), 10).await, ["4", "3", "2"]);
    assert_eq!(list(None, 2).await, ["4", "3"]);
    assert!(list(Some("g"), 10).await.is_empty());
    let letter = queue.dead(None, 1).await.unwrap().remove(0);
    assert_eq!((letter.status, letter.attempts, letter.reason.len(), letter.body_bytes), (400, 1, 1999, 7));
    assert!(letter.reason.starts_with("two\nlines"));
    assert_eq!((letter.queue.as_str(), letter.function.as_str()), ("faas-request", "f"));
    assert!(letter.enqueued_at <= letter.died_at && letter.died_at.ends_with('Z'), "{letter:?}");
    assert_eq!(enqueue(&queue, "f", "4").await, Enqueued::New, "a dead letter does not swallow a new call");
}

pub(crate) async fn a_letter_is_shown_by_its_id(home: &Home) {
    let queue = home.open().await;
    bury(&queue, "f", "1").await;
    bury(&queue, "f", "2").await;
    let listed = queue.dead(None, 10).await.unwrap();
    assert_eq!(queue.letter(listed[1].id).await.unwrap().as_ref(), Some(&listed[1]));
    assert_eq!(queue.letter(4711).await.unwrap(), None);
    enqueue(&queue, "f", "3").await;
    let running = claim_one(&queue, "f").await;
    assert_eq!(queue.redrive(Letters::One(4711)).await.unwrap(), 0);
    settle(&queue, &running, Verdict::Done).await;
}

pub(crate) async fn letters_are_redriven_one_or_all_of_a_function(home: &Home) {
    let queue = home.open().await;
    for (function, id) in [("f", "1"), ("f", "2"), ("f", "3"), ("g", "4"), ("h", "5")] {
        bury(&queue, function, id).await;
    }
    let letters = queue.dead(Some("f"), 10).await.unwrap();
    queue.news().await;
    assert_eq!(queue.redrive(Letters::One(letters[0].id)).await.unwrap(), 1);
    assert_eq!(queue.news().await, [lane("f")].into());
    let call = claim_one(&queue, "f").await;
    assert_eq!((call.head.call_id.as_str(), call.ticket.attempt), ("3", 1), "its attempts begin anew");
    assert_eq!(&read(&call.body).await[..], b"\0body\r\n");
    assert_eq!(queue.redrive(Letters::Of("f".into())).await.unwrap(), 2);
    assert_eq!(ids(&claim(&queue, "f", 10).await), ["1", "2"]);
    assert_eq!(queue.redrive(Letters::All).await.unwrap(), 2);
    assert_eq!((claim(&queue, "g", 10).await.len(), claim(&queue, "h", 10).await.len()), (1, 1));
    assert_eq!(queue.dead(None, 10).await.unwrap(), []);
    assert_eq!(queue.redrive(Letters::All).await.unwrap(), 0);
}

pub(crate) async fn a_redriven_call_that_waits_already_is_not_doubled(home: &Home) {
    let queue = home.open_with(limited(2, 10)).await;
    bury(&queue, "f", "1").await;
    enqueue(&queue, "f", "1").await;
    assert_eq!(queue.redrive(Letters::All).await.unwrap(), 1);
    assert_eq!(ids(&claim(&queue, "f", 10).await), ["1"]);
    assert_eq!(queue.dead(None, 10).await.unwrap(), []);
    bury(&queue, "f", "2").await;
    enqueue(&queue, "f", "3").await;
    let refused = queue.redrive(Letters::All).await;
    assert!(matches!(refused, Err(QueueError::Full(2))), "{refused:?}");
    assert_eq!(queue.dead(None, 10).await.unwrap().len(), 1, "what finds no room stays");
}

pub(crate) async fn letters_are_discarded_one_or_all_of_a_function(home: &Home) {
    let queue = home.open().await;
    for (function, id) in [("f", "1"), ("f", "2"), ("f", "3"), ("g", "4"), ("h", "5")] {
        bury(&queue, function, id).await;
    }
    let first = queue.dead(Some("f"), 10).await.unwrap().pop().unwrap();
    assert_eq!(queue.discard(Letters::One(first.id)).await.unwrap(), 1);
    assert_eq!(queue.discard(Letters::One(first.id)).await.unwrap(), 0);
    assert_eq!(queue.discard(Letters::Of("f".into())).await.unwrap(), 2);
    assert_eq!(queue.dead(None, 10).await.unwrap().len(), 2);
    assert_eq!(queue.discard(Letters::All).await.unwrap(), 2);
    assert_eq!(queue.dead(None, 10).await.unwrap(), []);
    assert!(claim(&queue, "f", 10).await.is_empty());
}

pub(crate) async fn the_letters_that_stay_are_those_that_died_last(home: &Home) {
    let queue = home.open_with(limited(100, 2)).await;
    for id in ["1", "2", "3"] {
        enqueue(&queue, "f", id).await;
    }
    let mut calls = claim(&queue, "f", 10).await;
    calls.sort_by(|a, b| b.head.call_id.cmp(&a.head.call_id));
    for call in &calls {
        settle(&queue, call, dead(400, "wrong")).await;
        let died = queue::now_ms();
        eventually("another moment", async || (queue::now_ms() > died).then_some(())).await;
    }
    let kept = queue.dead(None, 10).await.unwrap();
    assert_eq!(kept.iter().map(|letter| letter.call_id.as_str()).collect::<Vec<_>>(), ["1", "2"]);
}
