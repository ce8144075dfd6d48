//! Builds and their logs.

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
