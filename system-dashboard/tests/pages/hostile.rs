//! What strangers write: markup, what terminals and text direction are told, bytes that are no text, and very much of it.
//!
//! Whatever it is, a page is whole, of a bounded size and soon there, and only text.

use std::time::{Duration, Instant};

use axum::body::Body;
use flate2::read::GzDecoder;
use http::StatusCode;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::setup::{Dashboard, SHA, alice, function, push, read, request};

/// A page is never longer, in bytes, and never takes longer here, where nothing is optimized and others run besides.
const MAX_PAGE: usize = 8 * 1024 * 1024;
const MAX_TIME: Duration = Duration::from_secs(10);

/// All at once.
const HOSTILE: &str = "\r</pre></script></textarea><script>alert(1)</script><img src=x onerror=alert(1)>\
    \u{1b}[31;1mred\u{1b}[0m\u{1b}]8;;javascript:alert(1)\u{1b}\\link\u{1b}]8;;\u{7}\u{1b}]0;title\u{1b}[2J\u{9b}1A\u{9d}\u{85}\
    \u{202e}drow\u{2066}x\u{2069}\0\u{8}\u{7f}\"'`&lt;&amp;<!--{{7*7}}${7*7}%7B";

fn build_log() -> String {
    format!("/alice/cart/build-log?repoPath=alice/shop&commitSHA={SHA}")
}

/// What browsers get, with compression, which has bounds of its own.
async fn fetch(dashboard: &Dashboard, path: &str) -> String {
    let began = Instant::now();
    let mut asked = request("GET", path, &alice(), Duration::from_secs(60), Body::empty());
    asked.headers_mut().insert("accept-encoding", "gzip".parse().unwrap());
    let response = dashboard.router.clone().oneshot(asked).await.unwrap();
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    let is_packed = response.headers().contains_key("content-encoding");
    let bytes = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let mut text = String::new();
    if is_packed {
        std::io::Read::read_to_string(&mut GzDecoder::new(&bytes[..]), &mut text).unwrap();
    } else {
        text = String::from_utf8(bytes.to_vec()).unwrap();
    }
    let took = began.elapsed();
    println!("{path}: {} bytes in {took:?}", text.len());
    assert!(text.len() < MAX_PAGE && took < MAX_TIME, "{path}: {} bytes in {took:?}", text.len());
    text
}

/// Only text of it is on the page.
#[track_caller]
fn is_text(page: &str, what: &str) {
    let own = page.replace("<script src=\"/dashboard/-/assets/", "");
    for markup in ["<script", "</pre></script>", "<img src=x", "<!--", "javascript:alert(1)\"", "=javascript"] {
        assert!(!own.contains(markup), "{what}: {markup} is in {own}");
    }
    let found: Vec<_> = page.chars().filter(|c| is_unseen(*c)).collect();
    assert!(found.is_empty(), "{what}: {found:?}");
}

/// Of what tells terminals or readers' eyes something.
fn is_unseen(c: char) -> bool {
    let is_space = matches!(c, '\n' | '\t' | '\r');
    (c.is_control() && !is_space) || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A function and a push of which every text that somebody may choose is hostile.
fn make_hostile(dashboard: &Dashboard, text: &str) {
    let mut evil = function("alice-cart", 7);
    for name in ["git-repo-url", "access", "domains"] {
        evil.annotations.insert(format!("com.openfaas.cloud.{name}"), text.to_owned());
    }
    evil.annotations.extend(["topic", "schedule"].map(|name| (name.to_owned(), text.to_owned())));
    for name in ["git-branch", "git-repo", "git-private", "git-deploytime"] {
        evil.labels.insert(format!("com.openfaas.cloud.{name}"), text.to_owned());
    }
    evil.image = text.to_owned();
    evil.env_vars.insert(text.to_owned(), text.to_owned());
    evil.secrets.push(text.to_owned());
    let crash = json!([{"type": "CrashLoop", "instance": text, "message": text, "log": vec![text; 60]}]);
    evil.conditions = read(crash);
    let mut record = push("failure", &format!("{text}\n\n{text}"));
    (record.author, record.pusher, record.branch) = (text.to_owned(), text.to_owned(), text.to_owned());
    (record.html_url, record.description) = (text.to_owned(), text.to_owned());
    record.functions[0].description = text.to_owned();
    dashboard.fake.put_function(evil.clone());
    dashboard.has(&[evil]);
    dashboard.says("pipeline-log/history", [record]);
}

#[tokio::test]
async fn whatever_strangers_write_is_text_on_every_page() {
    let dashboard = Dashboard::start().await;
    make_hostile(&dashboard, HOSTILE);
    dashboard.log(format!("{HOSTILE}\nerror: {HOSTILE}\n"));
    let secret = json!({"db": {"name": "alice-db", "repo": "shop", "keys": {HOSTILE: {"newest": false, "fingerprint": HOSTILE}},
                               "changed_at": "2026-01-01T00:00:00Z"}});
    let certificate =
        json!({"fingerprint": HOSTILE, "not_before": "2026-01-01T00:00:00Z", "not_after": "2036-01-01T00:00:00Z"});
    let owner = json!({"host": "git.localhost", "id": 7, "login": "alice", "secrets": secret});
    dashboard.says("import-secrets/v1/report", json!({"certificate": certificate, "owners": [owner]}));
    dashboard.fake.answer_with("function-logs", |_| (StatusCode::OK, runtime_line(HOSTILE, HOSTILE)));
    let event = json!({"source": HOSTILE, "message": HOSTILE, "owner": "alice", "owner_id": {"host": "git.localhost", "id": 7},
                       "repo": HOSTILE, "sha": HOSTILE, "function": HOSTILE, "actor": HOSTILE, "call_id": HOSTILE, "at": 1});
    dashboard.says("audit-event/read", json!({"events": [event], "older": null}));
    let searched = format!("{}&q=error", build_log());
    let pages =
        ["/", "/alice", "/alice/cart", "/alice/-/deploys", "/alice/-/secrets", "/alice/-/audit", "/alice/cart/logs"];
    for path in pages.into_iter().chain([&*build_log(), &searched]) {
        let page = fetch(&dashboard, path).await;
        is_text(&page, path);
        // It is there, and it is what it was.
        let shown = path == "/" || page.contains("&#60;script&#62;alert(1)&#60;/script&#62;");
        assert!(shown, "{path}: {page}");
    }
    dashboard.fake.answer_with("alice-cart", |_| (StatusCode::OK, HOSTILE.to_owned()));
    let token = dashboard.token("/alice/cart/invoke").await;
    let body: String = url::form_urlencoded::byte_serialize(HOSTILE.as_bytes()).collect();
    let answer =
        dashboard.post(&alice(), "/alice/cart/invoke", &format!("token={token}&method=POST&body={body}")).await;
    is_text(&answer.text, "an answer");
    assert_eq!(answer.text.matches("&#60;script&#62;alert(1)").count(), 2, "what was sent, and what was answered");
}

fn runtime_line(instance: &str, text: &str) -> String {
    json!({"at": 1_790_000_000_000_u64, "instance": instance, "text": text}).to_string() + "\n"
}

/// The data of all events.
fn events(live: &str) -> Vec<Value> {
    let data = live.lines().filter_map(|line| line.strip_prefix("data: "));
    data.filter(|data| data.starts_with('[')).map(|data| serde_json::from_str(data).unwrap()).collect()
}

#[tokio::test]
async fn live_logs_are_text_of_bounded_events_too() {
    let dashboard = Dashboard::start().await;
    let (long, many) = ("x".repeat(1024 * 1024), "\n".repeat(100_000));
    let mut text = format!("{HOSTILE}\ndata: x\n\nevent: end\n{long}\n{many}").into_bytes();
    text.extend_from_slice(b"\xff\xfe\xc3(\xed\xa0\x80\nlast");
    dashboard.fake.respond_with("pipeline-log/follow", move |_| http::Response::new(Body::from(text.clone())));
    let live = fetch(&dashboard, &build_log().replace("build-log", "build-log/live")).await;
    assert!(!live.contains(is_unseen), "{live:?}");
    let all = events(&live);
    assert!(all.iter().all(|event| event.as_array().unwrap().len() <= 500), "of a few lines each");
    let lines: Vec<_> = all.iter().flat_map(|event| event.as_array().unwrap()).collect();
    assert!(lines.len() > 100_000 && lines.len() < 100_100, "{}", lines.len());
    assert_eq!(lines.last().unwrap()["spans"], json!([["", "last"]]));
    assert_eq!(live.matches("event: end\n").count(), 1, "a log ends no stream");

    let text = runtime_line(HOSTILE, HOSTILE) + &runtime_line("a", &long) + "{no json\n" + &runtime_line("a", "last");
    dashboard.fake.answer_with("function-logs/follow", move |_| (StatusCode::OK, text.clone()));
    let live = fetch(&dashboard, "/alice/cart/logs/live?since=5").await;
    let lines: Vec<_> = events(&live).into_iter().flat_map(|event| event.as_array().unwrap().clone()).collect();
    assert_eq!((lines.len(), &lines[2]["spans"]), (3, &json!([["", "last"]])), "{live}");
    for line in lines {
        let shown: String = line["spans"].as_array().unwrap().iter().map(|span| span[1].as_str().unwrap()).collect();
        assert!(shown.len() < 20_000 && !shown.contains(is_unseen), "{shown:?}");
        assert!(!line["instance"].as_str().unwrap().contains(is_unseen));
    }
}

#[tokio::test]
async fn a_build_log_of_any_bytes_is_a_page() {
    let dashboard = Dashboard::start().await;
    let no_text: Vec<u8> = (0..2_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let logs: [(&str, Vec<u8>); 8] = [
        ("one line of a megabyte", vec![b'x'; 1024 * 1024]),
        ("a hundred thousand empty lines", b"\n".repeat(100_000)),
        ("a million empty lines", b"\n".repeat(1_000_000)),
        ("markup alone", b"<".repeat(1_000_000)),
        ("lines of one sign", b"<\n".repeat(500_000)),
        ("colours alone", b"\x1b[31m\x1b[32mx\n".repeat(50_000)),
        ("sequences without end", b"\x1b]8;;\x1b[1;\x1bP\n".repeat(50_000)),
        ("no text", no_text),
    ];
    for (what, log) in logs {
        dashboard.log(log);
        println!("{what}");
        for more in ["", "&from=0", "&from=500000", "&q=x", "&from=18446744073709551615"] {
            is_text(&fetch(&dashboard, &format!("{}{more}", build_log())).await, what);
        }
    }
}

#[tokio::test]
async fn a_very_long_log_can_be_read_from_its_end_to_its_beginning() {
    let dashboard = Dashboard::start().await;
    let log: String = (0..100_000).map(|_| "\n".to_owned()).chain(["the end\n".to_owned()]).collect();
    dashboard.log(log);
    let page = fetch(&dashboard, &build_log()).await;
    assert!(page.contains("the end") && page.contains(">Earlier lines<"), "the newest lines come first");
    let mut path = format!("{}&from=0", build_log());
    let mut pages = 0;
    while let Some(next) = later(&fetch(&dashboard, &path).await) {
        path = format!("/alice/cart/build-log{next}");
        pages += 1;
        assert!(pages < 100);
    }
    assert!(fetch(&dashboard, &path).await.contains("the end") && pages > 10, "{pages}");
}

/// Where the next page is.
fn later(page: &str) -> Option<String> {
    let (before, _) = page.split_once("\">Later lines<")?;
    Some(before.rsplit("href=\"").next()?.replace("&amp;", "&"))
}

#[tokio::test]
async fn what_functions_write_is_a_page_however_much_it_is() {
    let dashboard = Dashboard::start().await;
    let logs = [
        ("a line of a megabyte", runtime_line("a", &"<".repeat(1024 * 1024))),
        ("long lines", runtime_line("a", &"<".repeat(16 * 1024)).repeat(500)),
        ("many lines", runtime_line("a", "").repeat(10_000)),
        ("many replicas", (0..10_000).map(|n| runtime_line(&format!("{n}{}", "&".repeat(300)), "x")).collect()),
        ("times beyond all calendars", json!({"at": u64::MAX, "instance": "", "text": "x"}).to_string() + "\n"),
    ];
    for (what, log) in logs {
        dashboard.fake.answer_with("function-logs", move |_| (StatusCode::OK, log.clone()));
        println!("{what}");
        let page = fetch(&dashboard, "/alice/cart/logs?range=all").await;
        is_text(&page, what);
        assert!(page.contains("class=\"row\""), "{what}: something is shown");
    }
}

#[tokio::test]
async fn very_long_names_and_messages_are_cut() {
    let dashboard = Dashboard::start().await;
    make_hostile(&dashboard, &"<\u{202e}".repeat(25_000));
    let mut record = push("failure", "many");
    record.functions = (0..1000)
        .map(|n| read(json!({"name": format!("f{n}"), "state": "failure", "description": "<".repeat(300)})))
        .collect();
    dashboard.says("pipeline-log/history", vec![record; 20]);
    let page = fetch(&dashboard, "/alice/-/deploys").await;
    assert!(page.contains("and 900 more"));
    for path in ["/alice", "/alice/cart"] {
        is_text(&fetch(&dashboard, path).await, path);
    }
}
