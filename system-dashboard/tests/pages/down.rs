//! Parts that are away, slow, too talkative or out of their mind: the page says what cannot be shown, and the rest is there soon.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use futures_util::stream::{once, pending, repeat_with};
use http::{Response, StatusCode};
use serde_json::json;
use tokio::sync::Notify;
use tower::ServiceExt as _;

use crate::setup::{Dashboard, Page, SHA, alice, push, request};

/// Two parts that are asked one after the other and do not answer take a page so long, on a busy machine.
const SOON: Duration = Duration::from_secs(20);
const PARTS: [&str; 7] = [
    "system-metrics",
    "pipeline-log/history",
    "pipeline-log/read",
    "function-logs",
    "import-secrets/v1/report",
    "list-functions",
    "list-functions/page",
];

/// Each page, and what it says while nothing but the gateway itself answers.
fn pages() -> Vec<(String, &'static [&'static str])> {
    let build = format!("/alice/cart/build-log?repoPath=alice/shop&commitSHA={SHA}");
    vec![
        ("/".to_owned(), &["The functions cannot be shown", "alice", "acme"]),
        ("/alice".to_owned(), &["The functions cannot be shown", "The history cannot be shown"]),
        ("/alice/cart".to_owned(), &["The figures cannot be shown", "The history cannot be shown", "128Mi", "Delete"]),
        ("/alice/-/deploys".to_owned(), &["The history cannot be shown"]),
        ("/alice/-/secrets".to_owned(), &["The secrets cannot be shown", "Seal a secret"]),
        ("/alice/cart/logs".to_owned(), &["The log cannot be shown", "Replica"]),
        (build, &["The log cannot be shown", "The history cannot be shown"]),
        ("/alice/cart/invoke".to_owned(), &["Call cart"]),
    ]
}

/// Opens all pages at once, as so many people.
async fn open(dashboard: &Dashboard) -> Vec<(String, Page, &'static [&'static str])> {
    let began = Instant::now();
    let open = |(path, words): (String, &'static [&'static str])| async move {
        let page = dashboard.get(&path).await;
        (path, page, words)
    };
    let all = join_all(pages().into_iter().map(open)).await;
    let took = began.elapsed();
    println!("all pages took {took:?}");
    assert!(took < SOON, "{took:?}");
    all
}

async fn all_say_what_is_missing(dashboard: &Dashboard, what: &str) {
    for (path, page, words) in open(dashboard).await {
        assert_eq!(page.status, StatusCode::OK, "{what}: {path}");
        for word in words {
            assert!(page.text.contains(word), "{what}: {path} does not say {word}: {}", page.text);
        }
        assert!(!page.text.contains("secret cause") && !page.text.contains("nonsense"), "{what}: {path}");
    }
}

#[tokio::test]
async fn parts_that_fail_are_missing_on_their_pages_alone() {
    let dashboard = Dashboard::start().await;
    for status in [500, 502, 503, 504, 429, 401, 403, 302] {
        let status = StatusCode::from_u16(status).unwrap();
        for part in PARTS {
            dashboard.fake.answer_with(part, move |_| (status, "secret cause".to_owned()));
        }
        all_say_what_is_missing(&dashboard, status.as_str()).await;
    }
}

#[tokio::test]
async fn parts_that_answer_nonsense_are_as_good_as_away() {
    let dashboard = Dashboard::start().await;
    let nonsense = ["nonsense", "", "null", "{}", "[", "\u{0}", "[nonsense]", r#"{"functions": "nonsense"}"#];
    for answer in nonsense {
        for part in PARTS.into_iter().filter(|part| *part != "pipeline-log/read" && *part != "function-logs") {
            dashboard.fake.answer_with(part, move |_| (StatusCode::OK, answer.to_owned()));
        }
        // A log is whatever it is, but for its places; and lines of a log are none where there are none.
        dashboard.fake.answer_with("function-logs", |_| (StatusCode::OK, "nonsense".to_owned()));
        dashboard.fake.respond_with("pipeline-log/read", |_| {
            let response = Response::builder().header("x-log-state", "odd").header("x-log-start", u64::MAX);
            response.header("x-log-length", "-1").body(Body::from("nonsense")).unwrap()
        });
        all_say_what_is_missing(&dashboard, answer).await;
    }
}

#[tokio::test]
async fn parts_that_begin_an_answer_and_never_end_it_are_waited_for_a_few_seconds() {
    let dashboard = Dashboard::start().await;
    for part in PARTS {
        dashboard
            .fake
            .respond_with(part, |_| Response::new(Body::from_stream(pending::<Result<String, std::io::Error>>())));
    }
    all_say_what_is_missing(&dashboard, "slow").await;
}

#[tokio::test]
async fn parts_whose_answer_has_no_end_are_read_to_a_bound() {
    let dashboard = Dashboard::start().await;
    for part in PARTS.into_iter().filter(|part| *part != "pipeline-log/read") {
        dashboard.fake.respond_with(part, |_| {
            let spaces = " ".repeat(1024 * 1024);
            Response::new(Body::from_stream(repeat_with(move || Ok::<_, std::io::Error>(spaces.clone()))))
        });
    }
    dashboard.fails("pipeline-log/read");
    all_say_what_is_missing(&dashboard, "huge").await;
    // Of a log, no more is read than a page shows.
    dashboard.fake.respond_with("pipeline-log/read", |_| {
        Response::new(Body::from_stream(repeat_with(|| Ok::<_, std::io::Error>("a line\n".repeat(10_000)))))
    });
    let page = dashboard.get(&format!("/alice/cart/build-log?repoPath=alice/shop&commitSHA={SHA}")).await;
    assert!(page.status == StatusCode::OK && page.text.contains("a line") && page.text.len() < 8_000_000);
}

/// What each page is without a gateway: some are a frame that says so, the others an error that does.
async fn all_say_that_the_gateway_is_away(dashboard: &Dashboard) {
    for (path, page, _) in open(dashboard).await {
        let is_about_one = path.starts_with("/alice/cart");
        let expected = if is_about_one { StatusCode::BAD_GATEWAY } else { StatusCode::OK };
        assert_eq!(page.status, expected, "{path}");
        assert!(page.text.contains("at the moment"), "{path}: {}", page.text);
        assert!(page.text.contains("</html>") && !page.text.contains("127.0.0.1"), "{path}");
    }
}

#[tokio::test]
async fn without_a_gateway_every_page_says_so_at_once() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut dashboard = Dashboard::start().await;
    dashboard.router = dashboard.at(&format!("http://{nobody}/"));
    all_say_that_the_gateway_is_away(&dashboard).await;
}

#[tokio::test]
async fn a_gateway_that_takes_connections_and_says_nothing_is_waited_for_a_few_seconds() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let held = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((connection, _)) = silent.accept().await {
            held.push(connection);
        }
    });
    let mut dashboard = Dashboard::start().await;
    dashboard.router = dashboard.at(&format!("http://{address}/"));
    all_say_that_the_gateway_is_away(&dashboard).await;
    held.abort();
}

#[tokio::test]
async fn a_live_page_says_why_it_is_not_live() {
    let dashboard = Dashboard::start().await;
    let build = format!("/alice/cart/build-log/live?repoPath=alice/shop&commitSHA={SHA}");
    let pages = [("pipeline-log/follow", build.as_str()), ("function-logs/follow", "/alice/cart/logs/live")];
    for (part, path) in pages {
        for (status, words) in [
            (503, "Too many people follow logs at the moment. Load the page again soon."),
            (429, "Too many people follow logs at the moment. Load the page again soon."),
            (502, "The log cannot be followed at the moment."),
            (404, "The log cannot be followed at the moment."),
        ] {
            // A build's log that is not there may be still to come.
            if (part, status) == ("pipeline-log/follow", 404) {
                continue;
            }
            let status = StatusCode::from_u16(status).unwrap();
            dashboard.fake.answer_with(part, move |_| (status, "secret cause".to_owned()));
            let live = dashboard.get(path).await;
            assert_eq!(live.status, StatusCode::OK);
            assert!(live.text.contains(&format!("event: down\ndata: {words}\n")), "{path} {status}: {}", live.text);
            assert!(!live.text.contains("secret cause"));
        }
    }
    // The page itself is there as it was.
    dashboard.log("so far\n");
    dashboard.says("pipeline-log/history", json!([push("in_progress", "Sell more")]));
    assert!(dashboard.get(&build.replace("/live", "")).await.text.contains("so far"));
}

#[tokio::test]
async fn a_live_log_that_breaks_off_is_asked_for_again_and_is_not_over() {
    let dashboard = Dashboard::start().await;
    let line = json!({"at": 1_790_000_000_000_u64, "instance": "a", "text": "said"}).to_string() + "\n";
    for (part, path, text) in [
        (
            "pipeline-log/follow",
            format!("/alice/cart/build-log/live?repoPath=alice/shop&commitSHA={SHA}"),
            "said\n".to_owned(),
        ),
        ("function-logs/follow", "/alice/cart/logs/live?since=5".to_owned(), line),
    ] {
        let heard = Arc::new(Notify::new());
        let is_heard = Arc::clone(&heard);
        dashboard.fake.respond_with(part, move |_| {
            let (said, is_heard) = (text.clone(), Arc::clone(&is_heard));
            let gone = async move {
                is_heard.notified().await;
                Err(std::io::Error::other("gone"))
            };
            Response::new(Body::from_stream(once(async { Ok(said) }).chain(once(gone))))
        });
        let asked = request("GET", &path, &alice(), Duration::from_secs(60), Body::empty());
        let mut body = dashboard.router.clone().oneshot(asked).await.unwrap().into_body().into_data_stream();
        let mut live = String::new();
        while let Some(chunk) = body.next().await {
            live.push_str(&String::from_utf8_lossy(&chunk.unwrap()));
            if live.contains("said") {
                heard.notify_one();
            }
        }
        assert!(
            live.contains("said") && !live.contains("event: end") && !live.contains("event: down"),
            "{path}: {live}"
        );
    }
}
