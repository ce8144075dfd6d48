//! Commit statuses, with `use_checks: false`.

use sdk::status::{STACK_CONTEXT, State};
use serde_json::{Value, json};

use super::{Lab, status};

async fn lab() -> Lab {
    Lab::start(&[("use_checks", "false")]).await
}

fn said(lab: &Lab) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    lab.github.statuses().iter().map(|status| (text(&status["state"]), text(&status["description"]))).collect()
}

fn pair(state: &str, description: &str) -> (String, String) {
    (state.to_owned(), description.to_owned())
}

#[tokio::test]
async fn a_push_in_four_words() {
    let lab = lab().await;
    let states = [(State::Queued, "queued"), (State::InProgress, "building"), (State::Failure, "boom")];
    lab.told("call-1", &states.map(|(state, title)| status("greet", state, title))).await;
    lab.told("call-1", &[status(STACK_CONTEXT, State::Success, "1 function is live")]).await;
    let expected =
        [("pending", "queued"), ("pending", "building"), ("failure", "boom"), ("success", "1 function is live")];
    assert_eq!(said(&lab), expected.map(|(state, title)| pair(state, title)));
    let statuses = lab.github.statuses();
    assert_eq!(statuses[2]["context"], "greet");
    let log = "https://system.example.com/dashboard/alice/greet/build-log?repoPath=alice/hello&commitSHA=";
    assert!(statuses[2]["target_url"].as_str().unwrap().starts_with(log));
    assert_eq!(statuses[3]["target_url"], json!("https://system.example.com/dashboard/alice"));
    assert!(lab.github.runs().is_empty());
}

#[tokio::test]
async fn what_comes_late_is_not_said_and_a_re_run_is() {
    let lab = lab().await;
    lab.told("call-1", &[status("greet", State::Success, "live")]).await;
    for late in [State::InProgress, State::Neutral] {
        assert!(lab.send(&status("greet", late, "late")).await.1.starts_with("too late"));
    }
    lab.told("call-2", &[status("greet", State::Queued, "again")]).await;
    assert_eq!(said(&lab), [pair("success", "live"), pair("pending", "again")]);
}

#[tokio::test]
async fn what_was_promised_ends_as_skipped_and_what_was_not_is_not_mentioned() {
    let lab = lab().await;
    let skip = status(STACK_CONTEXT, State::Neutral, "superseded by 04b8e44");
    assert!(lab.send(&skip).await.1.starts_with("left as it is"));
    lab.told("call-2", &[status(STACK_CONTEXT, State::Queued, "queued"), skip.clone()]).await;
    assert_eq!(said(&lab), [pair("pending", "queued"), pair("success", "Skipped: superseded by 04b8e44")]);
    lab.told("call-3", &[status(STACK_CONTEXT, State::Failure, "boom")]).await;
    assert!(lab.send_in("call-4", &skip).await.1.starts_with("left as it is"), "red stays red");
    assert_eq!(said(&lab).len(), 3);
}

#[tokio::test]
async fn a_description_is_cut() {
    let lab = lab().await;
    lab.told("call-1", &[status("greet", State::Failure, &"ä".repeat(300))]).await;
    let description = said(&lab)[0].1.clone();
    assert_eq!((description.chars().count(), description.chars().last()), (140, Some('…')));
}

#[tokio::test]
async fn an_earlier_push_does_not_speak_over_a_later_one() {
    let lab = lab().await;
    let at = |at, state| sdk::status::Status { at, ..status("greet", state, "x") };
    lab.told("call-2", &[at(9, State::Success)]).await;
    assert!(lab.send_in("call-1", &at(7, State::Failure)).await.1.starts_with("too late"));
    assert_eq!(said(&lab).len(), 1);
}
