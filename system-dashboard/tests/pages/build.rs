//! Builds and their logs.

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use axum::body::Body;
use futures_util::StreamExt as _;
use futures_util::stream::{once, pending};
use http::{Response, StatusCode};
use serde_json::json;

use crate::setup::{Dashboard, EVIL, SHA, alice, push, request};

fn address(more: &str) -> String {
    format!("/alice/cart/build-log{more}?repoPath=alice/shop&commitSHA={SHA}")
}

#[tokio::test]
async fn a_failure_is_on_top_and_each_line_has_an_address() {
    let dashboard = Dashboard::start().await;
    dashboard.says("pipeline-log/history", [push("failure", "Sell more")]);
    dashboard.log("begin\n\u{1b}[31merror: no such thing\u{1b}[0m\nend\n");
    let page = dashboard.get(&address("")).await.text;
    let (top, log) = page.split_once("id=\"log\"").unwrap();
    assert!(top.contains("The compiler ended with 1") && top.contains("href=\"#b6\">error: no such thing"));
    assert!(log.contains("id=\"b6\"") && log.contains("<span class=\"c1\">error: no such thing</span>"));
    dashboard.log("[2/2] RUN cc -Werror x.c\n  x.c:1: error: no x\n  (0.10 s, failed)\n");
    let page = dashboard.get(&address("")).await.text;
    assert!(page.contains("href=\"#b25\">x.c:1: error: no x</a>"), "what a step says, and not its name: {page}");
    dashboard.log("begin\n\u{1b}[31merror: no such thing\u{1b}[0m\nend\n");
    let found = dashboard.get(&format!("{}&q=NO+SUCH", address(""))).await.text;
    assert!(found.contains("1 line") && !found.contains("id=\"b0\""));
}

#[tokio::test]
async fn a_build_whose_history_is_unknown_is_shown_only_where_it_is_deployed() {
    let dashboard = Dashboard::start().await;
    dashboard.log("a line\n");
    dashboard.says("pipeline-log/history", json!([]));
    assert!(dashboard.get(&address("")).await.text.contains("a line"));
    let other = address("").replace(SHA, &"e".repeat(40));
    assert_eq!(dashboard.get(&other).await.status, StatusCode::NOT_FOUND);
    dashboard.fails("pipeline-log/history");
    assert_eq!(dashboard.get(&other).await.status, StatusCode::BAD_GATEWAY);
    for bad in ["", "?repoPath=alice/shop", "?repoPath=../x&commitSHA=zz"] {
        assert_eq!(dashboard.get(&format!("/alice/cart/build-log{bad}")).await.status, StatusCode::NOT_FOUND, "{bad}");
    }
    dashboard.fails("pipeline-log/read");
    assert!(dashboard.get(&address("")).await.text.contains("The log cannot be shown"));
    dashboard.fake.answer_with("pipeline-log/read", |_| (StatusCode::NOT_FOUND, String::new()));
    assert!(dashboard.get(&address("")).await.text.contains("There is no log"));
}

#[tokio::test]
async fn a_log_is_followed_to_its_end_as_text() {
    let dashboard = Dashboard::start().await;
    let text = format!("one\n{EVIL}\n\n(this build was begun again)\nnew\n");
    dashboard.fake.answer_with("pipeline-log/follow", move |_| (StatusCode::OK, text.clone()));
    let live = dashboard.get(&address("/live")).await;
    assert_eq!(live.headers["content-type"], "text/event-stream");
    assert!(
        live.text.contains("event: again") && live.text.contains(r#"[{"at":0,"spans":[["","new"]]}]"#),
        "{}",
        live.text
    );
    assert!(live.text.trim_end().ends_with("event: end\ndata: end"), "{}", live.text);
    dashboard.fails("pipeline-log/follow");
    assert!(dashboard.get(&address("/live")).await.text.contains("event: down"));
}

#[tokio::test]
async fn a_page_that_is_opened_before_the_build_begins_waits_for_its_log() {
    let dashboard = Dashboard::start().await;
    dashboard.says("pipeline-log/history", [push("in_progress", "Sell more")]);
    let asked = AtomicUsize::new(0);
    dashboard.fake.answer_with("pipeline-log/follow", move |_| match asked.fetch_add(1, Relaxed) {
        0 => (StatusCode::NOT_FOUND, String::new()),
        _ => (StatusCode::OK, "at last\n".to_owned()),
    });
    let live = dashboard.get(&address("/live")).await.text;
    assert!(live.contains("at last") && !live.contains("event: down"), "{live}");
    // One that is over and left no log is not waited for.
    dashboard.says("pipeline-log/history", [push("failure", "Sell more")]);
    dashboard.fake.answer_with("pipeline-log/follow", |_| (StatusCode::NOT_FOUND, String::new()));
    let live = dashboard.get(&address("/live")).await.text;
    assert!(live.trim_end().ends_with("event: end\ndata: end"), "{live}");
}

#[tokio::test]
async fn who_asks_again_goes_on_where_it_was() {
    let dashboard = Dashboard::start().await;
    let mut request = request("GET", &address("/live"), &alice(), Duration::from_secs(60), Body::empty());
    request.headers_mut().insert("last-event-id", "17".parse().unwrap());
    dashboard.page(request).await;
    let asked: serde_json::Value = dashboard.fake.messages("pipeline-log/follow")[0].read();
    assert_eq!((&asked["from"], &asked["owner"]), (&json!(17), &json!("alice")));
}

#[tokio::test]
async fn a_stream_ends_with_the_proof_of_who_reads() {
    let dashboard = Dashboard::start().await;
    dashboard.fake.respond_with("pipeline-log/follow", |_| {
        let part = once(async { Ok::<_, std::io::Error>("first\n") });
        Response::new(Body::from_stream(part.chain(pending())))
    });
    let soon = Duration::from_secs(2);
    let live = dashboard.page(request("GET", &address("/live"), &alice(), soon, Body::empty())).await;
    assert!(live.text.contains("first") && !live.text.contains("event: end"), "{}", live.text);
}

#[tokio::test]
async fn there_are_only_so_many_streams() {
    let dashboard = Dashboard::with(&[("dashboard_streams", "0")]).await;
    assert_eq!(dashboard.get(&address("/live")).await.status, StatusCode::TOO_MANY_REQUESTS);
}

const STEPS: &str = "\
[1/3] FROM debian (cached)
[2/3] RUN <script>alert(1)</script>
  said
  (3.25 s)
[3/3] RUN exit 7
  error: exit code: 7
  (failed after 61.0 s)
";

#[tokio::test]
async fn every_step_is_listed_with_its_state_and_time_and_a_link() {
    let dashboard = Dashboard::start().await;
    dashboard.log(STEPS);
    let page = dashboard.get(&address("")).await.text;
    let (list, _) = page.split_once("id=\"log\"").unwrap();
    for shown in [
        "<li id=\"s0\"><a href=\"#b0\">[1/3] FROM debian</a><span class=\"mark calm\">Cached</span>",
        "RUN &#60;script&#62;alert(1)&#60;/script&#62;</a><span class=\"mark good\">Done</span><span class=\"time\">3.2 s</span>",
        "[3/3] RUN exit 7</a><span class=\"mark bad\">Failed</span><span class=\"time\">1 min 1 s</span>",
    ] {
        assert!(list.contains(shown), "{shown}: {list}");
    }
    assert!(!list.contains("earlier steps are not shown") && !page.contains("<script>alert"));
    // The line may not be among those that a search leaves.
    let found = dashboard.get(&format!("{}&q=said", address(""))).await.text;
    assert!(found.contains("&#38;from=0#b0\">[1/3] FROM debian"), "{found}");
    dashboard.log("no step at all\n");
    assert!(!dashboard.get(&address("")).await.text.contains("id=\"steps\""));
}

#[tokio::test]
async fn a_page_without_the_logs_beginning_says_that_earlier_steps_are_not_on_it() {
    let dashboard = Dashboard::start().await;
    dashboard.fake.respond_with("pipeline-log/read", |_| {
        let text = "  of an earlier one\n[3/3] RUN x\n  (1.0 s)\n";
        let response = Response::builder().header("x-log-state", "whole").header("x-log-length", 1000 + text.len());
        response.header("x-log-start", 1000).body(Body::from(text)).unwrap()
    });
    let page = dashboard.get(&address("")).await.text;
    assert!(page.contains("earlier steps are not shown") && page.contains("[3/3] RUN x</a>"), "{page}");
    assert!(page.contains("&#38;from=1020#b1020\">[3/3] RUN x"), "{page}");
}

#[tokio::test]
async fn steps_are_followed_from_where_the_page_ends() {
    let dashboard = Dashboard::start().await;
    let (before, after) = STEPS.split_once("  said\n").unwrap();
    let (asked, start) = (before.to_owned(), before.len());
    dashboard.fake.respond_with("pipeline-log/read", move |_| {
        let response = Response::builder().header("x-log-state", "open").header("x-log-start", 0);
        response.body(Body::from(asked.clone())).unwrap()
    });
    dashboard.fake.respond_with("pipeline-log/follow", move |_| {
        Response::builder().header("x-log-start", start).body(Body::from(format!("  said\n{after}"))).unwrap()
    });
    dashboard.says("pipeline-log/history", [push("in_progress", "Sell more")]);
    let page = dashboard.get(&address("")).await.text;
    assert!(page.contains("<span class=\"mark busy\">Running</span>"), "{page}");
    let live = dashboard.get(&format!("{}&from={start}", address("/live"))).await.text;
    let events: Vec<serde_json::Value> = live
        .split("event: steps\ndata: ")
        .skip(1)
        .map(|event| serde_json::from_str(event.lines().next().unwrap()).unwrap())
        .collect();
    let of = |step: &serde_json::Value| (step["at"].as_u64().unwrap(), step["word"].as_str().unwrap().to_owned());
    let told: Vec<Vec<_>> = events.iter().map(|event| event.as_array().unwrap().iter().map(of).collect()).collect();
    let words = |all: &[(u64, &str)]| all.iter().map(|(at, word)| (*at, (*word).to_owned())).collect::<Vec<_>>();
    let third = STEPS.find("[3/3]").unwrap() as u64;
    assert_eq!(told, [words(&[(0, "Cached"), (27, "Running")]), words(&[(27, "Done"), (third, "Failed")])], "{live}");
    let read: serde_json::Value = dashboard.fake.messages("pipeline-log/read").last().unwrap().read();
    assert_eq!((&read["from"], &read["max_bytes"]), (&json!(0), &json!(start)));
    dashboard.fails("pipeline-log/read");
    assert!(dashboard.get(&address("/live")).await.text.contains("[3/3] RUN exit 7"), "the lines come all the same");
}
