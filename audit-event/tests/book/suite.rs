//! What the trail does, whatever keeps it.

use sdk::audit::{AuditEvent, AuditRequest};
use sdk::id::OwnerId;

use crate::client::{Client, event, owner, request};

pub(crate) async fn run(client: &Client) {
    assert!(client.read(&request(1)).await.events.is_empty());
    the_newest_is_the_first_and_pages_follow(client).await;
    much_of_one_millisecond_is_on_one_page_each(client).await;
    an_event_that_is_brought_twice_is_one(client).await;
    a_repository_is_asked_for(client).await;
    the_number_decides_and_not_the_login(client).await;
    what_has_no_proven_owner_or_time_is_in_no_trail(client).await;
    hostile_text_is_plain_and_has_an_end(client).await;
}

async fn times(client: &Client, request: &AuditRequest) -> Vec<u64> {
    client.read(request).await.events.iter().filter_map(|event| event.at).collect()
}

async fn the_newest_is_the_first_and_pages_follow(client: &Client) {
    for at in [2000, 9, 1000, 10_000] {
        client.keep(&event(2, at)).await;
    }
    assert_eq!(times(client, &request(2)).await, [10_000, 2000, 1000, 9]);
    let first = client.read(&AuditRequest { limit: Some(3), ..request(2) }).await;
    let older = first.older.unwrap();
    assert_eq!((first.events.len(), older.at), (3, 1000));
    let second = client.read(&AuditRequest { before: Some(older), limit: Some(3), ..request(2) }).await;
    assert_eq!((second.events.len(), second.events[0].at, second.older), (1, Some(9), None));
    assert_eq!(client.read(&request(2)).await.events[0], event(2, 10_000));
    for limit in [0, usize::MAX] {
        let asked = AuditRequest { limit: Some(limit), ..request(2) };
        assert!((1..=4).contains(&times(client, &asked).await.len()), "{limit}");
    }
}

async fn much_of_one_millisecond_is_on_one_page_each(client: &Client) {
    for number in 0..10 {
        client.keep(&AuditEvent { message: number.to_string(), ..event(3, 5) }).await;
    }
    let mut all: Vec<_> = client.all(3, 3).await.into_iter().map(|event| event.message).collect();
    all.sort();
    assert_eq!(all, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
}

async fn an_event_that_is_brought_twice_is_one(client: &Client) {
    client.keep(&event(4, 1)).await;
    client.keep(&event(4, 1)).await;
    assert_eq!(client.read(&request(4)).await.events, [event(4, 1)]);
    client.keep(&AuditEvent { call_id: "call-2".to_owned(), ..event(4, 1) }).await;
    assert_eq!(client.read(&request(4)).await.events.len(), 2, "another call is another event");
}

async fn a_repository_is_asked_for(client: &Client) {
    client.keep(&event(5, 1)).await;
    for (at, repo) in [(2, "shop.x"), (3, "*"), (4, ""), (5, "../x")] {
        client.keep(&AuditEvent { repo: repo.to_owned(), ..event(5, at) }).await;
    }
    let repo = |repo: &str| AuditRequest { repo: Some(repo.parse().unwrap()), ..request(5) };
    assert_eq!(times(client, &repo("shop")).await, [1]);
    assert_eq!(times(client, &repo("shop.x")).await, [2]);
    assert!(times(client, &repo("x")).await.is_empty());
    assert_eq!(times(client, &request(5)).await, [5, 4, 3, 2, 1]);
}

async fn the_number_decides_and_not_the_login(client: &Client) {
    client.keep(&event(6, 1)).await;
    assert!(client.read(&request(66)).await.events.is_empty(), "the same login");
    let elsewhere = OwnerId { host: "gitlab.com".to_owned(), id: 6 };
    assert!(client.read(&AuditRequest { owner_id: elsewhere, ..request(6) }).await.events.is_empty());
    client.keep(&AuditEvent { owner: "alice-2".to_owned(), ..event(6, 2) }).await;
    assert_eq!(times(client, &request(6)).await, [2, 1], "another login");
    for nobody in [owner(0), OwnerId { host: String::new(), id: 6 }, OwnerId { host: "x".repeat(1000), id: 6 }] {
        assert_eq!(client.ask(&AuditRequest { owner_id: nobody, ..request(6) }).await.0, 400);
    }
}

async fn what_has_no_proven_owner_or_time_is_in_no_trail(client: &Client) {
    client.keep(&AuditEvent { owner_id: None, ..event(7, 1) }).await;
    client.keep(&AuditEvent { owner_id: Some(owner(0)), ..event(7, 1) }).await;
    client.keep(&AuditEvent { at: None, ..event(7, 1) }).await;
    client.keep(&AuditEvent { at: Some(u64::MAX), ..event(7, 1) }).await;
    assert!(client.read(&request(7)).await.events.is_empty());
}

async fn hostile_text_is_plain_and_has_an_end(client: &Client) {
    let long = |text: &str| text.repeat(10_000);
    let hostile = AuditEvent {
        message: format!("<script>\r\n\u{202e}{}", long("\u{10ffff}\"\\")),
        repo: long("r"),
        actor: long("\u{1b}[2J"),
        function: long("../"),
        sha: long("é"),
        ..event(8, 1)
    };
    client.keep(&hostile).await;
    let kept = client.read(&request(8)).await.events.remove(0);
    assert!(kept.message.starts_with("<script>   ") && kept.message.chars().count() == 4000);
    assert!([&kept.repo, &kept.actor, &kept.function, &kept.sha].iter().all(|text| text.chars().count() == 200));
    assert!(!kept.actor.contains('\u{1b}'));
}
