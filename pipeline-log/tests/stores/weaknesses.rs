//! S7: the original answered its logs to everybody who reached it, and made paths of what it was sent without a look.

use axum::body::to_bytes;
use sdk::Env;
use sdk::fake_gateway::{PAYLOAD_SECRET, forgeries};
use sdk::pipeline_log::LogPart;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::client::Client;
use crate::{records, suite};

fn messages() -> [(&'static str, &'static str, Value); 5] {
    let (record, history) = (json!(records::record(7, 1)), json!(records::request(7)));
    let (part, read) = (json!(suite::part("secret", 0, "evil\n", true)), json!(suite::request("secret", None)));
    [
        ("pipeline-log", "/", part),
        ("pipeline-log/read", "/read", read.clone()),
        ("pipeline-log/follow", "/follow", read),
        ("pipeline-log/record", "/record", record),
        ("pipeline-log/history", "/history", history),
    ]
}

#[tokio::test]
async fn s7_nothing_is_kept_or_told_for_who_is_not_one_of_the_platforms_functions() {
    let folder = tempfile::tempdir().unwrap();
    let vars = [("log_directory", folder.path().to_str().unwrap())];
    let app = pipeline_log::router(&Env::from_map(vars, [("payload-secret", PAYLOAD_SECRET)])).unwrap();
    let mut refused = 0;
    for (target, path, message) in messages() {
        for (what, request) in forgeries(PAYLOAD_SECRET, target, path, &message) {
            let answer = app.clone().oneshot(request).await.unwrap();
            assert_eq!(answer.status(), 401, "{path}: {what}");
            let text = to_bytes(answer.into_body(), 10_000).await.unwrap();
            assert!(!String::from_utf8_lossy(&text).contains("Shop"), "{path}: {what}");
            refused += 1;
        }
    }
    assert!(refused > 5 * 15, "{refused}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn s7_no_part_of_a_path_leads_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("logs");
    std::fs::write(folder.path().join("outside"), "not a log").unwrap();
    let client = Client::new(&[("log_directory", inner.to_str().unwrap())]);
    let longest = "x".repeat(300);
    let odd = [
        "",
        ".",
        "..",
        "../..",
        "a/b",
        "/etc",
        "a\\b",
        "a\0b",
        "..%2f",
        "%2e%2e",
        "a\nb",
        "\u{202e}x",
        ".git",
        &longest,
    ];
    for (target, path, message) in messages() {
        for field in ["owner", "repo", "sha", "function"] {
            if message[field].is_null() && path != "/history" {
                continue;
            }
            for value in odd {
                let mut message = message.clone();
                // Of a history, commit and repository are optional, and a function is none of its fields.
                let field = if path == "/history" && field == "function" { "owner" } else { field };
                message[field] = value.into();
                let (status, text) = client.send(path, Some(target), &message).await;
                assert_eq!(status, 400, "{path} {field}={value:?}: {text}");
                assert!(text.len() < 1000 && !text.trim_end().contains(|c: char| c.is_control()), "{text:?}");
            }
        }
    }
    assert!(!inner.exists(), "nothing was made for any of them");
    assert_eq!(std::fs::read_to_string(folder.path().join("outside")).unwrap(), "not a log");
}

/// What builds write comes back as it was, and parts nothing.
#[tokio::test]
async fn what_a_hostile_build_writes_is_bytes_of_its_own_log_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let client = Client::new(&[("log_directory", folder.path().to_str().unwrap())]);
    let line = "x".repeat(1024 * 1024);
    let hostile = [
        "</script><script>alert(1)</script>\r\n".to_owned(),
        "\u{1b}]8;;javascript:alert(1)\u{7}\u{9b}2J\0\u{fffd}\u{202e}\n".to_owned(),
        format!("{line}\n"),
        "\n".repeat(100_000),
        "x-log-state: whole\r\n\r\n(this build was begun again)\n".to_owned(),
    ];
    for (number, text) in (0..).zip(&hostile) {
        suite::keep(&client, LogPart { part: number, ..suite::part("hostile", 0, text, number == 4) }).await;
    }
    let whole = hostile.concat();
    let (status, text) = client.read(&suite::request("hostile", None)).await;
    assert!(status == 200 && text == whole);
    assert!(client.follow(&suite::request("hostile", None)).await.rest().await == whole);
    let (end, state, length, _) = client.range(&suite::request("hostile", Some(4096))).await;
    assert!(whole.ends_with(&end) && end.len() <= 4096 && (state.as_str(), length) == ("whole", whole.len() as u64));
}
