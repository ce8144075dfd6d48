//! Who asks what, and what is answered.

use axum::http::StatusCode;
use sdk::function_log::{FOLLOW_LOGS, FUNCTION_LOGS_FUNCTION, FunctionLogRequest};
use sdk::id::OwnerId;

use crate::site::{Site, request};

#[tokio::test]
async fn somebody_elses_and_nobodys_get_the_same_answer() {
    let site = Site::start(&[]).await;
    site.gateway.deploy("alice-a", 7, "abc");
    site.gateway.write("alice-a", "abc", 100, "secret");
    site.kept_when("secret").await;
    let elsewhere = OwnerId { host: "github.com".to_owned(), id: 7 };
    let nobody = OwnerId { host: "git.localhost".to_owned(), id: 0 };
    for wrong in [
        request(8, "alice-a"),
        request(7, "alice-b"),
        FunctionLogRequest { owner_id: elsewhere, ..request(7, "alice-a") },
        FunctionLogRequest { owner_id: nobody, ..request(7, "alice-a") },
    ] {
        for (path, purpose) in [("/", FUNCTION_LOGS_FUNCTION), ("/follow", FOLLOW_LOGS)] {
            let response = site.send(path, Some(purpose), &wrong).await;
            assert_eq!(response.status(), 404, "{wrong:?}");
            let body = axum::body::to_bytes(response.into_body(), 1000).await.unwrap();
            assert_eq!(body, format!("there is no function {}\n", wrong.function));
        }
    }
}

#[tokio::test]
async fn a_name_that_went_to_another_owner_shows_nothing_of_the_first_one() {
    let site = Site::start(&[]).await;
    site.gateway.deploy("acme-shop", 7, "abc");
    site.gateway.write("acme-shop", "abc", 100, "of the first owner");
    site.kept_when("of the first owner").await;
    let mut follower = site.follow(&request(7, "acme-shop")).await;
    assert_eq!(follower.next().await.unwrap().text, "of the first owner");
    site.gateway.delete("acme-shop");
    site.gateway.deploy("acme-shop", 8, "def");
    site.gateway.write("acme-shop", "def", 101, "of the second owner");
    site.kept_when("of the second owner").await;
    assert_eq!(site.texts(&request(8, "acme-shop")).await, ["of the second owner"]);
    assert_eq!(site.ask(&request(7, "acme-shop")).await.0, 404);
    assert_eq!(follower.next().await, None, "a live log ends with the right to see it");
}

#[tokio::test]
async fn nothing_is_answered_without_a_signature_for_just_that() {
    let site = Site::start(&[]).await;
    site.gateway.deploy("alice-a", 7, "abc");
    let wanted = request(7, "alice-a");
    for (path, purpose) in [
        ("/", None),
        ("/", Some(FOLLOW_LOGS)),
        ("/follow", None),
        ("/follow", Some(FUNCTION_LOGS_FUNCTION)),
        ("/follow", Some("pipeline-log")),
    ] {
        assert_eq!(site.send(path, purpose, &wanted).await.status(), 401, "{path} {purpose:?}");
    }
}

#[tokio::test]
async fn a_gateway_that_does_not_say_whose_it_is_means_no_answer() {
    let site = Site::start(&[]).await;
    site.gateway.deploy("alice-a", 7, "abc");
    site.gateway.refuse(Some(StatusCode::SERVICE_UNAVAILABLE));
    assert_eq!(site.ask(&request(7, "alice-a")).await.0, 502);
}

#[tokio::test]
async fn times_text_replica_and_number_of_lines_choose() {
    let site = Site::start(&[]).await;
    site.gateway.deploy("alice-a", 7, "abc");
    site.gateway.add_replica("alice-a", "def");
    for second in 1..=20 {
        let (replica, kind) = if second % 2 == 0 { ("abc", "Error") } else { ("def", "fine") };
        site.gateway.write("alice-a", replica, second, &format!("{kind} {second}"));
    }
    site.kept_when("Error 20").await;
    let all = || request(7, "alice-a");
    assert_eq!(site.texts(&all()).await.len(), 20);
    let some = FunctionLogRequest { since: Some(site.gateway.at(18)), ..all() };
    assert_eq!(site.texts(&some).await, ["Error 18", "fine 19", "Error 20"]);
    let some = FunctionLogRequest { until: Some(site.gateway.at(3)), ..all() };
    assert_eq!(site.texts(&some).await, ["fine 1", "Error 2"]);
    let some = FunctionLogRequest { grep: Some("eRROR 1".to_owned()), ..all() };
    assert_eq!(site.texts(&some).await, ["Error 10", "Error 12", "Error 14", "Error 16", "Error 18"]);
    let some = FunctionLogRequest { instance: Some("def".to_owned()), tail: Some(2), ..all() };
    assert_eq!(site.texts(&some).await, ["fine 17", "fine 19"]);
    let long = FunctionLogRequest { grep: Some("x".repeat(300)), ..all() };
    assert_eq!(site.ask(&long).await.0, 400);
}

#[tokio::test]
async fn whatever_a_function_writes_comes_back_as_it_was() {
    let site = Site::start(&[]).await;
    site.gateway.deploy("alice-a", 7, "abc");
    let long = "x".repeat(500_000);
    let hostile = ["<script>alert(1)</script>", "\u{1b}[2J\u{1b}]0;x\u{7}", "\u{fffd}\0\r\u{2028}", "", &long];
    for (second, text) in (1..).zip(hostile) {
        site.gateway.write("alice-a", "abc", second, text);
    }
    site.kept_when("xxxxx").await;
    assert_eq!(site.texts(&request(7, "alice-a")).await, hostile);
}

#[tokio::test]
async fn a_live_log_begins_with_what_is_there_and_goes_on() {
    let site = Site::start(&[]).await;
    site.gateway.deploy("alice-a", 7, "abc");
    for second in 1..=5 {
        site.gateway.write("alice-a", "abc", second, &format!("old {second}"));
    }
    site.kept_when("old 5").await;
    let wanted = FunctionLogRequest { tail: Some(2), until: Some(1), ..request(7, "alice-a") };
    let mut follower = site.follow(&wanted).await;
    let mut filtered =
        site.follow(&FunctionLogRequest { grep: Some("new 7".to_owned()), ..request(7, "alice-a") }).await;
    for expected in ["old 4", "old 5"] {
        assert_eq!(follower.next().await.unwrap().text, expected);
    }
    for second in 6..=7 {
        site.gateway.write("alice-a", "abc", second, &format!("new {second}"));
        let line = follower.next().await.unwrap();
        assert_eq!(
            (line.text, line.at, line.instance),
            (format!("new {second}"), site.gateway.at(second), "abc".to_owned())
        );
    }
    assert_eq!(filtered.next().await.unwrap().text, "new 7");
    site.gateway.delete("alice-a");
    assert_eq!(follower.next().await, None);
}

#[tokio::test]
async fn a_live_log_of_a_function_that_is_not_followed_is_followed_then() {
    let site = Site::start(&[("function_log_followed", "1"), ("function_log_interval", "10s")]).await;
    for name in ["alice-a", "alice-b", "alice-c"] {
        site.gateway.deploy(name, 7, "abc");
    }
    for name in ["alice-a", "alice-b", "alice-c"] {
        let mut follower = site.follow(&request(7, name)).await;
        site.gateway.write(name, "abc", 100, "live");
        assert_eq!(follower.next().await.unwrap().text, "live");
    }
}
