//! Records of pushes.

use sdk::history::{HistoryRequest, PushRecord};
use sdk::id::OwnerId;
use sdk::status::State;

use crate::client::Client;
use crate::suite::SHA;

/// A record of alice's; owners are told apart by their numbers.
pub(crate) fn record(owner: u64, began: u64) -> PushRecord {
    serde_json::from_value(serde_json::json!({
        "owner_id": {"host": "github.com", "id": owner}, "owner": "alice", "repo": "Shop.js", "repo_id": 11,
        "sha": SHA, "call": format!("call-{began}"), "branch": "main", "message": format!("push {began}"),
        "began": began, "state": "in_progress",
    }))
    .unwrap()
}

pub(crate) fn request(owner: u64) -> HistoryRequest {
    let owner_id = OwnerId { host: "github.com".to_owned(), id: owner };
    HistoryRequest { owner_id, owner: "alice".parse().unwrap(), repo: None, sha: None, before: None, limit: None }
}

/// What records do, whatever keeps them.
pub(crate) async fn run(client: &Client) {
    assert!(client.history(&request(1)).await.is_empty());
    the_newest_is_the_first_and_pages_follow(client).await;
    the_same_push_replaces_its_record(client).await;
    repositories_and_commits_are_asked_for(client).await;
    the_same_login_under_another_number_sees_nothing(client).await;
    hostile_records_are_bounded(client).await;
}

async fn keep(client: &Client, record: &PushRecord) {
    let (status, text) = client.record(record).await;
    assert_eq!(status, 200, "{text}");
}

async fn times(client: &Client, request: &HistoryRequest) -> Vec<u64> {
    client.history(request).await.iter().map(|record| record.began).collect()
}

async fn the_newest_is_the_first_and_pages_follow(client: &Client) {
    for began in [2000, 9, 1000, 10_000] {
        keep(client, &record(2, began)).await;
    }
    assert_eq!(times(client, &request(2)).await, [10_000, 2000, 1000, 9]);
    let page = |before, limit| HistoryRequest { before, limit, ..request(2) };
    assert_eq!(times(client, &page(None, Some(2))).await, [10_000, 2000]);
    assert_eq!(times(client, &page(Some(2000), Some(2))).await, [1000, 9]);
    assert!(times(client, &page(Some(9), None)).await.is_empty());
    assert!(times(client, &page(None, Some(0))).await.is_empty());
    assert_eq!(times(client, &page(Some(u64::MAX), Some(usize::MAX))).await.len(), 4);
}

async fn the_same_push_replaces_its_record(client: &Client) {
    keep(client, &record(3, 1000)).await;
    // Tried again later, by the same call.
    let ended = PushRecord {
        began: 5000,
        ended: Some(6000),
        state: State::Success,
        description: "Deployed 1 function".to_owned(),
        ..record(3, 1000)
    };
    keep(client, &ended).await;
    assert_eq!(client.history(&request(3)).await, [PushRecord { began: 1000, ..ended }]);
    // Asked for once more, the same commit is another push.
    keep(client, &PushRecord { sha: SHA.parse().unwrap(), ..record(3, 7000) }).await;
    assert_eq!(times(client, &request(3)).await, [7000, 1000]);
}

async fn repositories_and_commits_are_asked_for(client: &Client) {
    keep(client, &record(4, 1)).await;
    keep(client, &PushRecord { repo: "Shop.js.x".parse().unwrap(), ..record(4, 2) }).await;
    keep(client, &PushRecord { sha: "f".repeat(40).parse().unwrap(), ..record(4, 3) }).await;
    let repo = |repo: &str| HistoryRequest { repo: Some(repo.parse().unwrap()), ..request(4) };
    assert_eq!(times(client, &repo("Shop.js")).await, [3, 1]);
    assert_eq!(times(client, &repo("Shop.js.x")).await, [2]);
    assert!(times(client, &repo("Shop")).await.is_empty());
    let sha = HistoryRequest { sha: Some("f".repeat(40).parse().unwrap()), ..request(4) };
    assert_eq!(times(client, &sha).await, [3]);
}

async fn the_same_login_under_another_number_sees_nothing(client: &Client) {
    keep(client, &record(5, 1)).await;
    assert!(client.history(&request(55)).await.is_empty());
    let mut elsewhere = request(5);
    elsewhere.owner_id.host = "gitlab.com".to_owned();
    assert!(client.history(&elsewhere).await.is_empty());
    let renamed = HistoryRequest { owner: "alice-2".parse().unwrap(), ..request(5) };
    assert_eq!(times(client, &renamed).await, [1], "the number stays");
}

async fn hostile_records_are_bounded(client: &Client) {
    let hostile = PushRecord {
        message: format!("<script>\u{1b}[2J{}", "\u{10ffff}".repeat(100_000)),
        html_url: "javascript:alert(1)".to_owned(),
        description: "x".repeat(1_000_000),
        ..record(6, 1)
    };
    keep(client, &hostile).await;
    let kept = client.history(&request(6)).await.remove(0);
    assert_eq!(kept, hostile.bounded());
    assert!(kept.message.len() <= 4096 && kept.message.starts_with("<script>"));
    let mut nobody = record(0, 1);
    assert_eq!(client.record(&nobody).await.0, 400);
    nobody = record(6, u64::MAX);
    assert_eq!(client.record(&nobody).await, (400, "the time at which the push began is none\n".to_owned()));
    nobody = record(6, 1);
    nobody.owner_id.host = "../".repeat(100);
    assert_eq!(client.record(&nobody).await.0, 400);
}

#[tokio::test]
async fn only_the_newest_records_stay_and_a_broken_one_hides_none() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::new(&[("log_directory", folder.path().to_str().unwrap())]);
    for began in 1..=103 {
        keep(&client, &record(8, began)).await;
    }
    let place = folder.path().join("_records/github.com/8");
    let mut names: Vec<_> = std::fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    assert_eq!(names.len(), 100);
    std::fs::write(&names[0], "{").unwrap();
    std::fs::write(place.join("somebody-elses"), "x").unwrap();
    assert_eq!(times(&client, &request(8)).await, (4..=102).rev().collect::<Vec<_>>());
}

#[tokio::test]
async fn an_answer_of_many_megabytes_is_a_shorter_page() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::new(&[("log_directory", folder.path().to_str().unwrap())]);
    let function = serde_json::json!({"name": "f".repeat(63), "state": "failure", "description": "x".repeat(300)});
    let mut large = serde_json::to_value(record(9, 1)).unwrap();
    large["functions"] = serde_json::Value::Array(vec![function; 1000]);
    for began in 1..=15 {
        large["began"] = began.into();
        large["call"] = format!("call-{began}").into();
        assert_eq!(client.record(&large).await.0, 200);
    }
    let first = times(&client, &request(9)).await;
    assert!((2..15).contains(&first.len()), "{first:?}");
    let second = times(&client, &HistoryRequest { before: first.last().copied(), ..request(9) }).await;
    assert_eq!([first, second].concat(), (1..=15).rev().collect::<Vec<_>>());
}
