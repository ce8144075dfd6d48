//! Logs as they grow.

use std::sync::Arc;

use object_store::test_servers::InProcess;
use sdk::pipeline_log::{BEGUN_AGAIN, LogRequest};
use tokio::task::JoinSet;

use crate::client::Client;
use crate::suite::{keep, part, request};
use crate::{bucket, suite};

/// What a followed log does, whatever keeps it.
pub(crate) async fn run(client: &Client) {
    a_follower_gets_what_is_there_and_what_comes(client).await;
    a_follower_may_begin_anywhere(client).await;
    a_new_try_is_said(client).await;
    a_part_that_is_late_moves_nothing(client).await;
    a_whole_log_ends_at_once(client).await;
}

async fn a_follower_gets_what_is_there_and_what_comes(client: &Client) {
    keep(client, part("live", 0, "one\n", false)).await;
    let mut follower = client.follow(&request("live", None)).await;
    assert_eq!(follower.place(), ("open".to_owned(), 4, 0));
    follower.expect("one\n").await;
    keep(client, part("live", 1, "two\n", false)).await;
    follower.expect("two\n").await;
    // The same once more is nothing new.
    keep(client, part("live", 1, "two\n", false)).await;
    keep(client, part("live", 2, "three\n", true)).await;
    assert_eq!(follower.rest().await, "three\n");
}

async fn a_follower_may_begin_anywhere(client: &Client) {
    keep(client, part("from", 0, "one\ntwo\n", false)).await;
    let mut end = client.follow(&request("from", Some(5))).await;
    assert_eq!(end.place().2, 4);
    let mut middle = client.follow(&LogRequest { from: Some(6), ..request("from", None) }).await;
    let mut later = client.follow(&LogRequest { from: Some(8), ..request("from", None) }).await;
    keep(client, part("from", 1, "three\n", true)).await;
    assert_eq!(end.rest().await, "two\nthree\n");
    assert_eq!(middle.rest().await, "o\nthree\n");
    assert_eq!(later.rest().await, "three\n");
}

async fn a_new_try_is_said(client: &Client) {
    keep(client, part("retry", 0, "first\n", false)).await;
    keep(client, part("retry", 1, "broken off\n", false)).await;
    let mut follower = client.follow(&request("retry", None)).await;
    follower.expect("first\nbroken off\n").await;
    for _ in 0..2 {
        keep(client, part("retry", 0, "second try\n", false)).await;
    }
    follower.expect(&format!("{BEGUN_AGAIN}second try\n")).await;
    keep(client, part("retry", 1, "done\n", true)).await;
    assert_eq!(follower.rest().await, "done\n");
}

async fn a_part_that_is_late_moves_nothing(client: &Client) {
    keep(client, part("late", 0, "a\n", false)).await;
    let mut follower = client.follow(&request("late", None)).await;
    follower.expect("a\n").await;
    keep(client, part("late", 2, "c\n", false)).await;
    keep(client, part("late", 1, "b\n", false)).await;
    follower.expect("b\nc\n").await;
    keep(client, part("late", 4, "e\n", true)).await;
    assert_eq!(follower.rest().await, "(a part of this log did not arrive)\ne\n");
}

async fn a_whole_log_ends_at_once(client: &Client) {
    let text = "0123456789abcde\n".repeat(20_000);
    keep(client, part("ended", 0, &text, true)).await;
    let mut follower = client.follow(&request("ended", None)).await;
    assert_eq!(follower.place(), ("whole".to_owned(), 320_000, 0));
    assert!(follower.rest().await == text);
    let unknown = client.send("/follow", Some("pipeline-log/follow"), &request("not-begun", None)).await;
    assert_eq!(unknown.0, 404);
    let bounded = LogRequest { max_bytes: Some(1), ..request("ended", None) };
    assert_eq!(client.send("/follow", Some("pipeline-log/follow"), &bounded).await.0, 400);
}

fn directory() -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap().to_owned();
    (folder, path)
}

#[tokio::test]
async fn there_are_only_so_many_places_and_who_leaves_gives_his_back() {
    let (_folder, path) = directory();
    let client = Client::new(&[("log_directory", &path), ("max_followers", "2")]);
    keep(&client, part("full", 0, "x\n", false)).await;
    let ask = request("full", None);
    let (first, _second) = (client.follow(&ask).await, client.follow(&ask).await);
    let refused = client.response("/follow", Some("pipeline-log/follow"), &ask).await;
    assert_eq!((refused.status().as_u16(), &refused.headers()["retry-after"]), (503, &"5".parse().unwrap()));
    drop(first);
    client.follow(&ask).await.expect("x\n").await;
}

#[tokio::test]
async fn nobody_follows_for_ever_a_build_that_nobody_ends() {
    let (_folder, path) = directory();
    let client = Client::new(&[("log_directory", &path), ("follow_timeout", "100ms"), ("max_followers", "1")]);
    keep(&client, part("dead", 0, "x\n", false)).await;
    let mut follower = client.follow(&request("dead", None)).await;
    assert_eq!(follower.rest().await, "x\n");
    drop(follower);
    client.follow(&request("dead", None)).await.expect("x\n").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn five_hundred_follow_one_build() {
    let (_folder, path) = directory();
    let client = Arc::new(Client::new(&[("log_directory", &path)]));
    keep(&client, part("many", 0, "one\n", false)).await;
    let mut followers = JoinSet::new();
    let seen = Arc::new(tokio::sync::Semaphore::new(0));
    for _ in 0..500 {
        let (client, seen) = (Arc::clone(&client), Arc::clone(&seen));
        followers.spawn(async move {
            let mut follower = client.follow(&request("many", None)).await;
            follower.expect("one\n").await;
            seen.add_permits(1);
            follower.rest().await
        });
    }
    let _all = seen.acquire_many(500).await.unwrap();
    keep(&client, part("many", 1, "two\n", false)).await;
    keep(&client, part("many", 2, "three\n", true)).await;
    assert!(followers.join_all().await.iter().all(|rest| rest == "two\nthree\n"));
}

#[tokio::test]
async fn what_another_process_keeps_in_a_bucket_is_followed_too() {
    let server = InProcess::start().await;
    let (here, there) = (Client::new(&bucket(server.address())), Client::new(&bucket(server.address())));
    suite::keep(&there, part("shared", 0, "one\n", false)).await;
    let mut follower = here.follow(&request("shared", None)).await;
    follower.expect("one\n").await;
    keep(&there, part("shared", 1, "two\n", false)).await;
    follower.expect("two\n").await;
    keep(&there, part("shared", 0, "2\n", false)).await;
    follower.expect(&format!("{BEGUN_AGAIN}2\n")).await;
    keep(&there, part("shared", 1, "three\n", true)).await;
    assert_eq!(follower.rest().await, "three\n");
}
