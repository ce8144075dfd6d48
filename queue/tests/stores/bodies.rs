use bytes::Bytes;
use queue::{Enqueued, Letters, QueueError, Verdict};

use crate::support::{Home, claim, claim_one, dead, enqueue, enqueue_body, head, ids, limited, read, settle};

/// Larger than what stores keep themselves, and no piece like the other.
fn large() -> Vec<u8> {
    (0..700_000u32).flat_map(|number| number.to_le_bytes()).collect()
}

pub(crate) async fn a_large_body_is_a_file_until_its_call_has_ended(home: &Home) {
    let queue = home.open().await;
    enqueue_body(&queue, head("f", "small"), &vec![1; 128 << 10]).await.unwrap();
    assert_eq!(home.bodies().len(), 0, "up to the limit it is in the store");
    settle(&queue, &claim_one(&queue, "f").await, Verdict::Done).await;
    enqueue_body(&queue, head("f", "large"), &large()).await.unwrap();
    assert_eq!(home.bodies().len(), 1);
    queue.close().await.unwrap();
    let queue = home.open().await;
    let call = claim_one(&queue, "f").await;
    assert_eq!((call.body.length(), call.body.path()), (2_800_000, Some(home.bodies()[0].as_path())));
    assert_eq!(read(&call.body).await, large());
    settle(&queue, &call, Verdict::Retry { at: 0, status: 500, reason: String::new() }).await;
    let call = claim_one(&queue, "f").await;
    assert_eq!(read(&call.body).await, large());
    settle(&queue, &call, Verdict::Done).await;
    assert_eq!(home.bodies().len(), 0);
}

pub(crate) async fn the_body_of_a_dead_letter_stays_until_it_is_deleted(home: &Home) {
    let queue = home.open().await;
    enqueue_body(&queue, head("f", "id"), &large()).await.unwrap();
    settle(&queue, &claim_one(&queue, "f").await, dead(400, "wrong")).await;
    assert_eq!(queue.dead(None, 1).await.unwrap()[0].body_bytes, 2_800_000);
    queue.close().await.unwrap();
    let queue = home.open().await;
    assert_eq!(home.bodies().len(), 1);
    queue.redrive(Letters::All).await.unwrap();
    let call = claim_one(&queue, "f").await;
    assert_eq!(read(&call.body).await, large());
    settle(&queue, &call, dead(400, "wrong")).await;
    queue.discard(Letters::All).await.unwrap();
    assert_eq!(home.bodies().len(), 0);
}

pub(crate) async fn the_oldest_letter_goes_with_its_body(home: &Home) {
    let queue = home.open_with(limited(10, 2)).await;
    for id in ["1", "2", "3", "4"] {
        enqueue_body(&queue, head("f", id), &large()).await.unwrap();
        settle(&queue, &claim_one(&queue, "f").await, dead(400, "wrong")).await;
    }
    assert_eq!(home.bodies().len(), 2);
    queue.redrive(Letters::All).await.unwrap();
    let calls = claim(&queue, "f", 10).await;
    assert_eq!(ids(&calls), ["3", "4"]);
    for call in calls {
        assert_eq!(read(&call.body).await, large());
    }
}

pub(crate) async fn a_cancelled_call_goes_with_its_body(home: &Home) {
    let queue = home.open().await;
    enqueue_body(&queue, head("f", "id"), &large()).await.unwrap();
    assert_eq!(queue.cancel("id").await.unwrap().removed, 1);
    assert_eq!(home.bodies().len(), 0);
}

pub(crate) async fn bodies_have_no_more_than_their_room(home: &Home) {
    let mut options = limited(10, 10);
    options.limits.body_files = 6_000_000;
    let queue = home.open_with(options.clone()).await;
    for id in ["1", "2"] {
        enqueue_body(&queue, head("f", id), &large()).await.unwrap();
    }
    for _ in 0..3 {
        let refused = enqueue_body(&queue, head("f", "3"), &large()).await;
        assert!(matches!(refused, Err(QueueError::NoRoomForBodies(6_000_000))), "{refused:?}");
    }
    enqueue(&queue, "f", "small").await;
    assert_eq!(home.bodies().len(), 2);
    queue.close().await.unwrap();
    let queue = home.open_with(options).await;
    assert!(enqueue_body(&queue, head("f", "3"), &large()).await.is_err(), "counted anew at the start");
    assert_eq!(queue.cancel("1").await.unwrap().removed, 1);
    enqueue_body(&queue, head("f", "3"), &large()).await.unwrap();
}

pub(crate) async fn a_call_sent_twice_or_broken_off_leaves_no_file(home: &Home) {
    let queue = home.open().await;
    enqueue_body(&queue, head("f", "id"), &large()).await.unwrap();
    assert_eq!(enqueue_body(&queue, head("f", "id"), &large()).await.unwrap(), Enqueued::Known);
    assert_eq!(home.bodies().len(), 1);
    let mut broken = queue.spool(head("f", "broken"));
    broken.write(Bytes::from(large())).await.unwrap();
    assert_eq!(home.bodies().len(), 2);
    drop(broken);
    assert_eq!(home.bodies().len(), 1);
    let call = claim_one(&queue, "f").await;
    assert_eq!(read(&call.body).await, large());
    settle(&queue, &call, Verdict::Done).await;
    assert_eq!(home.bodies().len(), 0);
}

pub(crate) async fn files_that_belong_to_nothing_are_removed_at_the_start(home: &Home) {
    let queue = home.open().await;
    enqueue_body(&queue, head("f", "waits"), &large()).await.unwrap();
    enqueue_body(&queue, head("g", "dead"), &large()).await.unwrap();
    settle(&queue, &claim_one(&queue, "g").await, dead(400, "wrong")).await;
    queue.close().await.unwrap();
    let bodies = home.folder.path().join("bodies");
    let orphan = format!("{}-{}", "0123456789abcdef".repeat(2), "0123456789abcdef");
    for name in [orphan.as_str(), ".incoming-abcdef", "somebody-elses.txt"] {
        std::fs::write(bodies.join(name), "x").unwrap();
    }
    let queue = home.open().await;
    assert!(bodies.join("somebody-elses.txt").exists());
    assert_eq!(home.bodies().len(), 3);
    assert_eq!(read(&claim_one(&queue, "f").await.body).await, large());
}

pub(crate) async fn a_call_whose_body_is_gone_is_a_dead_letter_and_does_not_stop_the_others(home: &Home) {
    let queue = home.open().await;
    enqueue_body(&queue, head("f", "1"), &large()).await.unwrap();
    std::fs::remove_file(&home.bodies()[0]).unwrap();
    enqueue(&queue, "f", "2").await;
    assert_eq!(ids(&claim(&queue, "f", 10).await), ["2"]);
    let letters = queue.dead(None, 10).await.unwrap();
    assert_eq!((letters.len(), letters[0].call_id.as_str()), (1, "1"));
    assert!(letters[0].reason.contains("body"), "{}", letters[0].reason);
}

pub(crate) async fn a_call_whose_body_cannot_be_looked_for_is_not_given_up(home: &Home) {
    let queue = home.open().await;
    enqueue_body(&queue, head("f", "1"), &large()).await.unwrap();
    let (bodies, aside) = (home.folder.path().join("bodies"), home.folder.path().join("aside"));
    std::fs::rename(&bodies, &aside).unwrap();
    std::fs::write(&bodies, "in the way").unwrap();
    let call = claim_one(&queue, "f").await;
    assert!(call.body.open().await.is_err());
    assert_eq!(queue.dead(None, 10).await.unwrap(), []);
    std::fs::remove_file(&bodies).unwrap();
    std::fs::rename(&aside, &bodies).unwrap();
    assert_eq!(read(&call.body).await, large());
}
