//! Webhooks that did not arrive.

use chrono::{TimeDelta, Utc};
use github_app::App;
use github_app::fake_github::{FakeGithub, NewDelivery, Refusal};
use http::StatusCode;
use sdk::Env;

#[expect(clippy::unwrap_used, reason = "test helper")]
fn app(github: &FakeGithub) -> App {
    App::read(&Env::from_map(github.app_vars(), github.app_secrets()).reader()).unwrap().unwrap()
}

fn add(github: &FakeGithub, guid: &str, minutes_ago: i64, status_code: u16) -> u64 {
    let at = Utc::now() - TimeDelta::minutes(minutes_ago);
    github.add_delivery(&NewDelivery { guid, at, status_code, event: "push" })
}

#[tokio::test]
async fn what_was_missed_is_found_once_and_sent_again() {
    let github = FakeGithub::start().await;
    let app = app(&github);
    add(&github, "long ago", 90, 502);
    let lost = add(&github, "lost", 50, 0);
    add(&github, "lost twice", 40, 502);
    add(&github, "taken at last", 30, 500);
    add(&github, "taken", 20, 202);
    let twice = add(&github, "lost twice", 10, 404);
    add(&github, "taken at last", 5, 202);
    add(&github, "taken", 1, 500);
    let since = Utc::now() - TimeDelta::hours(1);
    let missed = app.missed_since(since).await.unwrap();
    let found: Vec<_> = missed.iter().map(|delivery| (delivery.guid.as_str(), delivery.id)).collect();
    assert_eq!(found, [("lost", lost), ("lost twice", twice)], "the oldest first, by its last attempt");
    for delivery in &missed {
        app.redeliver(delivery.id).await.unwrap();
    }
    assert_eq!(github.redelivered(), [lost, twice]);
    assert!(app.missed_since(since).await.unwrap().is_empty());
    assert_eq!(github.faults(), [""; 0]);
}

#[tokio::test]
async fn pages_are_followed_to_the_end_of_the_time() {
    let github = FakeGithub::start().await;
    let app = app(&github);
    for number in 0..350 {
        add(&github, &format!("webhook {number}"), 1000 - number, 500);
    }
    let page = app.deliveries(None).await.unwrap();
    assert_eq!((page.deliveries.len(), page.next.is_some()), (100, true));
    let missed = app.missed_since(Utc::now() - TimeDelta::days(3)).await.unwrap();
    assert_eq!((missed.len(), missed[0].guid.as_str()), (350, "webhook 0"));
    github.calls();
    let recent = app.missed_since(Utc::now() - TimeDelta::seconds(700 * 60 + 30)).await.unwrap();
    assert_eq!((recent.len(), github.calls().len()), (50, 1));
}

#[tokio::test]
async fn what_github_does_not_keep_any_more_is_said() {
    let github = FakeGithub::start().await;
    let app = app(&github);
    assert!(app.redeliver(1).await.unwrap_err().is_not_found());
    github.refuse_next("GET /app/hook/deliveries", Refusal::new(StatusCode::UNAUTHORIZED, "no App any more"));
    assert_eq!(app.missed_since(Utc::now()).await.unwrap_err().status(), Some(StatusCode::UNAUTHORIZED));
}
