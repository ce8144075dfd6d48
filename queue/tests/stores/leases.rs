use std::time::{Duration, Instant};

use queue::Verdict;

use crate::support::{Home, claim, claim_one, enqueue, eventually, lane, settle, short_lease};

pub(crate) async fn a_lost_lease_gives_the_call_back_and_fences_the_late_verdict_off(home: &Home) {
    let queue = home.open_with(short_lease()).await;
    enqueue(&queue, "f", "id").await;
    let late = claim_one(&queue, "f").await;
    eventually("the lane to be named", async || queue.extend(vec![]).await.unwrap().contains(&lane("f")).then_some(()))
        .await;
    let again = claim_one(&queue, "f").await;
    assert_eq!(again.ticket.attempt, 2);
    settle(&queue, &late, Verdict::Done).await;
    settle(&queue, &again, Verdict::Retry { at: 0, status: 500, reason: String::new() }).await;
    assert_eq!(claim_one(&queue, "f").await.ticket.attempt, 3, "the late verdict ended nothing");
}

pub(crate) async fn an_extended_lease_is_kept(home: &Home) {
    let queue = home.open_with(short_lease()).await;
    enqueue(&queue, "f", "id").await;
    let call = claim_one(&queue, "f").await;
    let until = Instant::now() + Duration::from_secs(3);
    eventually("three seconds to pass", async || {
        queue.extend(vec![call.ticket]).await.unwrap();
        assert!(claim(&queue, "f", 1).await.is_empty());
        (Instant::now() > until).then_some(())
    })
    .await;
    settle(&queue, &call, Verdict::Done).await;
}
