//! Every webhook that GitHub publishes as a sample: of the kinds that are read each one whole, of the others their names
//! and the small ones. `scripts/webhook-samples` cuts them.

use std::fmt::Write as _;

use http::StatusCode;
use serde_json::{Value, json};

use crate::setup::{setup, signed};

const KINDS: [(&str, &str); 8] = [
    ("check_run", include_str!("../data/published/check_run.jsonl")),
    ("check_suite", include_str!("../data/published/check_suite.jsonl")),
    ("deployment", include_str!("../data/published/deployment.jsonl")),
    ("installation", include_str!("../data/published/installation.jsonl")),
    ("installation_repositories", include_str!("../data/published/installation_repositories.jsonl")),
    ("ping", include_str!("../data/published/ping.jsonl")),
    ("push", include_str!("../data/published/push.jsonl")),
    ("repository", include_str!("../data/published/repository.jsonl")),
];

#[tokio::test]
async fn every_sample_of_a_kind_that_is_read_is_answered_and_queued_as_it_should_be() {
    let mut all = String::new();
    for (kind, samples) in KINDS {
        for sample in samples.lines() {
            let setup = setup(&[]).await;
            let (status, text) = setup.send(signed(kind, sample, "now"), sample.to_owned()).await;
            let action =
                serde_json::from_str::<Value>(sample).unwrap()["action"].as_str().unwrap_or_default().to_owned();
            writeln!(all, "{kind} {action}: {} {}", status.as_u16(), text.trim_end()).unwrap();
            for push in setup.pushes() {
                let how = if push.pinned { "pinned" } else { "head" };
                writeln!(all, "  push {} {} {} {how}", push.repo_path(), push.branch, push.sha.short()).unwrap();
            }
            for removal in setup.removals() {
                let of = (removal.owner_id, removal.repo.to_string(), removal.repo_id);
                writeln!(all, "  removal {} {of:?}", removal.owner).unwrap();
            }
            assert!(setup.send(signed(kind, sample, "wrong"), sample.to_owned()).await.0 == StatusCode::UNAUTHORIZED);
        }
    }
    insta::assert_snapshot!(all);
}

#[tokio::test]
async fn every_other_kind_is_taken_and_the_answer_says_why_nothing_is_done() {
    let setup = setup(&[]).await;
    let names = include_str!("../data/published/others.txt").lines().map(|line| {
        let (kind, action) = line.split_once(' ').unwrap_or((line, ""));
        (kind.to_owned(), json!({"action": action}))
    });
    let whole = include_str!("../data/published/others.jsonl").lines().map(|line| {
        let sample: Value = serde_json::from_str(line).unwrap();
        (sample["event"].as_str().unwrap().to_owned(), sample["body"].clone())
    });
    for (kind, body) in names.chain(whole) {
        let (status, text) = setup.post(&kind, &body).await;
        let why = format!("the event {kind} is not one that is acted on\n");
        assert_eq!((status, text), (StatusCode::ACCEPTED, why));
    }
    assert!(setup.nothing_was_queued() && setup.gateway.messages("audit-event").is_empty());
}
